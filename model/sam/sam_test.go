package sam

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
	"fovea/tensor"
)

const dir = "../../testdata/fixtures/parity/sam"

func load(t *testing.T) *Model {
	t.Helper()
	net, err := model.Load(dir, []model.Family{Family})
	if err != nil {
		t.Fatal(err)
	}
	return net.(*Model)
}

// inputs reads tensors of the fixture.
func inputs(t *testing.T) map[string]*tensor.Tensor {
	t.Helper()
	w, err := checkpoint.Open(filepath.Join(dir, "io.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	all := map[string]*tensor.Tensor{}
	for _, name := range w.Names() {
		s, err := w.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = tensor.New(s.Shape...)
		if err := s.Float32(all[name].Data); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func look(t *testing.T, m *Model) *view {
	t.Helper()
	img, _, err := imageproc.Open(filepath.Join(dir, "image.png"))
	if err != nil {
		t.Fatal(err)
	}
	run := m.NewRunner(1)
	t.Cleanup(run.Close)
	v, err := run.Encode(img)
	if err != nil {
		t.Fatal(err)
	}
	return v.(*view)
}

// TestParityMasks: masks of the picture's size are those of the reference, pixel by pixel, and their areas and scores as in
// expected.json.
func TestParityMasks(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]json.RawMessage
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	all, v := inputs(t), look(t, load(t))
	for _, prompt := range []string{"points", "boxes", "both"} {
		var e struct {
			Area   [][]float64   `json:"mask_area"`
			Scores [][][]float64 `json:"iou_scores"`
		}
		if err := json.Unmarshal(want[prompt], &e); err != nil {
			t.Fatal(err)
		}
		logits, scores := v.ask(all[prompt+".input_points"], all[prompt+".input_labels"], all[prompt+".input_boxes"])
		n, bits := len(logits)/len(scores), all[prompt+".masks"].Data
		for i, s := range scores {
			mask := v.draw(logits[i*n : (i+1)*n])
			b, err := mask.Bitmap()
			if err != nil {
				t.Fatal(err)
			}
			differ := 0
			for j, p := range bits[i*v.w*v.h : (i+1)*v.w*v.h] {
				if float32(b.Pix[j]) != p {
					differ++
				}
			}
			if w := e.Scores[0][i/3][i%3]; differ > 0 || mask.Area() != e.Area[i/3][i%3] || math.Abs(float64(s)-w) > 1e-5 {
				t.Errorf("%s %d: %d pixels differ, area %g, want %g; score %g, want %g", prompt, i, differ, mask.Area(), e.Area[i/3][i%3], s, w)
			}
		}
	}
}

// TestPromptsAreScaled: a box in pixels of the picture is asked about as the reference does.
func TestPromptsAreScaled(t *testing.T) {
	m := load(t)
	img, _, err := imageproc.Open(filepath.Join(dir, "image.png"))
	if err != nil {
		t.Fatal(err)
	}
	pair := []*imageproc.RGB{img, img}
	in, err := m.Process(model.Sample{Pictures: pair[:1], Boxes: [][]annotation.Box{{{X0: 9.7, Y0: 12.2, X1: 58.2, Y1: 48.8}, {X1: 96, Y1: 30.5}}}})
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range inputs(t)["boxes.input_boxes"].Data {
		if math.Abs(float64(in["input_boxes"].Data[i]-w)) > 1e-5 {
			t.Errorf("number %d is %g, want %g", i, in["input_boxes"].Data[i], w)
		}
	}
	for _, s := range []model.Sample{{}, {Pictures: pair, Boxes: [][]annotation.Box{{{X1: 1, Y1: 1}}, {}}}, {Pictures: pair, Boxes: [][]annotation.Box{{{X1: 1, Y1: 1}}}}} {
		if _, err := m.Process(s); err == nil {
			t.Errorf("%d pictures with the boxes %v are taken", len(s.Pictures), s.Boxes)
		}
	}
}

// TestEverything: what is found has a mask, its box, and no double.
func TestEverything(t *testing.T) {
	m := load(t)
	for _, f := range m.Decoder.Read { // a random model's edges are blurred
		for _, p := range []*autograd.Param{f.Out.Weight, f.Out.Bias} {
			kernel.Scale(p.Data, 1000)
		}
	}
	v := look(t, m)
	found := v.Detect(model.DetectOptions{Threshold: .5, Masks: true})
	if len(found) == 0 {
		t.Fatal("nothing was found")
	}
	for i, x := range found {
		if x.Label != anything || x.Box != x.Mask.Bounds() || x.Mask.W != v.w || x.Mask.H != v.h || x.Score < .5 || i > 0 && x.Score > found[i-1].Score {
			t.Errorf("object %d: %+v", i, x)
		}
	}
	if few := v.Detect(model.DetectOptions{Threshold: .5, Max: 1}); len(few) != 1 {
		t.Errorf("%d objects, want 1", len(few))
	}
}

// TestSharp and the box of a mask by hand.
func TestSharp(t *testing.T) {
	blurred, clear, none := []float32{2, 0, 0, -2}, []float32{2, 3, -3, -2}, []float32{-3, -3, -3, -3}
	if sharp(blurred) || !sharp(clear) || sharp(none) {
		t.Error("only the second mask is sharp")
	}
	v := &view{m: &Model{Config: Config{Vision: VisionConfig{GridVisionConfig: nn.GridVisionConfig{Image: 8}}}}, w: 100, h: 50, inW: 8, inH: 4}
	if got := v.bounds(clear); got != (annotation.Box{X1: 100, Y1: 50}) {
		t.Errorf("%v", got)
	}
	if got := v.bounds(none); !got.Empty() {
		t.Errorf("%v is not empty", got)
	}
}

func TestConfigRejects(t *testing.T) {
	raw, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string][2]string{
		"window_size 9":      {`"window_size": 3`, `"window_size": 9`},
		"use_rel_pos false":  {`"use_rel_pos": true`, `"use_rel_pos": false`},
		"image_size 65":      {`"image_size": 64`, `"image_size": 65`},
		"output_channels 16": {`"output_channels": 32`, `"output_channels": 16`},
		"iou_head_depth 1":   {`"iou_head_depth": 3`, `"iou_head_depth": 1`},
		"hidden_act":         {`"hidden_act": "relu"`, `"hidden_act": "mish"`},
		"does not divide":    {`"attention_downsample_rate": 2`, `"attention_downsample_rate": 3`},
	} {
		to := t.TempDir()
		if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(raw), change[0], change[1], -1)
		if changed == string(raw) {
			t.Fatalf("config.json does not say %s", change[0])
		}
		if err := os.WriteFile(filepath.Join(to, "config.json"), []byte(changed), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := model.Load(to, []model.Family{Family}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestPublishedSize: a configuration that leaves everything to the defaults is SAM-B, whose file holds 93 735 472 weights, 4684
// of them of prompts that are masks; random waves are not trained.
func TestPublishedSize(t *testing.T) {
	to := t.TempDir()
	for name, text := range map[string]string{"config.json": `{"architectures":["SamModel"],"model_type":"sam"}`, "preprocessor_config.json": `{"image_processor_type":"SamImageProcessor"}`} {
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := model.OpenFolder(to)
	if err != nil {
		t.Fatal(err)
	}
	net, _, err := f.Build([]model.Family{Family})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, p := range nn.Params(net) {
		if p.Kind != autograd.Buffer {
			n += p.Shape.Size()
		}
	}
	if n != 93_735_472-4684 {
		t.Errorf("%d weights", n)
	}
}
