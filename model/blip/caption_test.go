package blip

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
	"fovea/task"
)

// captioner is the fixture of a model that answers questions without the part that reads them: a model that describes.
func captioner(t *testing.T) (*Model, *imageproc.RGB) {
	t.Helper()
	from, to := filepath.Join("..", "..", "testdata", "fixtures", "parity", "blip_vqa"), t.TempDir()
	for _, name := range []string{"config.json", "preprocessor_config.json", "tokenizer.json"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err == nil && name == "config.json" {
			var c map[string]any
			err = json.Unmarshal(b, &c)
			c["architectures"] = []string{captions}
			b, _ = json.Marshal(c)
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, name), b, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	folder, err := model.OpenFolder(to)
	if err != nil {
		t.Fatal(err)
	}
	net, fam, err := folder.Build([]model.Family{Family})
	if err != nil {
		t.Fatal(err)
	}
	w, err := checkpoint.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	rules := append([]checkpoint.Rename{{From: `^text_encoder\.`, To: checkpoint.Drop}}, fam.Renames...)
	if err := checkpoint.Bind(nn.Params(net), w, rules); err != nil {
		t.Fatal(err)
	}
	img, _, err := imageproc.Open(filepath.Join(from, "image.png"))
	if err != nil {
		t.Fatal(err)
	}
	return net.(*Model), img
}

// TestCaption: a description that is written piece by piece is the one whose every piece is the likeliest after those before
// it, in a pass over all of them, and has their probability.
func TestCaption(t *testing.T) {
	m, img := captioner(t)
	if c := m.Card(); c.Tasks != task.SetOf(task.Caption) || c.Family != captions {
		t.Errorf("card %+v", c)
	}
	run := m.NewRunner(1)
	defer run.Close()
	v, err := run.Encode(img)
	if err != nil {
		t.Fatal(err)
	}
	heard := ""
	got := v.Caption(func(s string) { heard = s })

	in, err := m.Process(model.Sample{Pictures: []*imageproc.RGB{img}})
	if err != nil {
		t.Fatal(err)
	}
	ids, sum := []int32{m.Config.Text.Begin}, 0.
	for len(ids) < maxAnswer && ids[len(ids)-1] != m.Config.Text.End {
		in.PutTexts([][]int32{ids}, 0, 0)
		logits := m.Run(autograd.NewTape(kernel.NewWork(nil), 0, false), in)["logits"]
		last := logits.Data[len(logits.Data)-logits.Shape.Last():]
		best := slices.Index(last, slices.Max(last))
		sum += float64(last[best] - kernel.LogSumExp(last))
		ids = append(ids, int32(best))
	}
	want := strings.TrimSpace(m.words.Decode(ids[1:], true))
	if got.Text != want || heard != want || math.Abs(got.Score/math.Exp(sum)-1) > 1e-3 {
		t.Errorf("%v, heard %q; want %q with %g", got, heard, want, math.Exp(sum))
	}
}
