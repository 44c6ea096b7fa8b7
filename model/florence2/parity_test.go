package florence2

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/generate"
	"fovea/generate/grammar"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
	"fovea/task/place"
)

// expected is what the reference implementation makes of a fixture.
type expected struct {
	Greedy struct{ IDs []int32 }
	Beams  struct {
		IDs    [][]int32
		Scores []float64
		Text   []string
		Max    int `json:"max_new_tokens"`
	} `json:"beam3"`
	GreedyPlain struct{ IDs []int32 } `json:"greedy_plain"`
	Task        string
	IDs         []int32 `json:"input_ids"`
	Prompts     []struct {
		Task, Prompt string
		IDs          []int32 `json:"input_ids_without_image"`
	}
	Banned []string `json:"banned_grounding_tokens"`
	Post   []struct {
		Task, Text string
		Size       [2]int `json:"image_size_wh"`
		Result     map[string]any
	} `json:"post_process_generation"`
	OCR []struct {
		Text   string
		Size   [2]int `json:"image_size_wh"`
		Result []struct {
			Quad []float64 `json:"quad_box"`
			Text string
		}
	} `json:"ocr_area_threshold_0.01"`
}

type fixture struct {
	dir string
	m   *Model
	img *imageproc.RGB
	expected
}

// forEach runs f for every fixture of the family.
func forEach(t *testing.T, f func(t *testing.T, x *fixture)) {
	root := filepath.Join("..", "..", "testdata", "fixtures")
	if dir := os.Getenv("FOVEA_FIXTURES"); dir != "" {
		root = dir
	}
	dirs, err := filepath.Glob(filepath.Join(root, "parity", "*", "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, path := range dirs {
		dir := filepath.Dir(path)
		folder, err := model.OpenFolder(dir)
		if err != nil || !Family.Loads(folder) {
			continue
		}
		found = true
		t.Run(filepath.Base(dir), func(t *testing.T) { f(t, open(t, dir)) })
	}
	if !found {
		t.Fatalf("no fixture of the family in %s", root)
	}
}

func open(t *testing.T, dir string) *fixture {
	t.Helper()
	net, err := model.Load(dir, []model.Family{Family})
	if err != nil {
		t.Fatal(err)
	}
	x := &fixture{dir: dir, m: net.(*Model)}
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err == nil {
		b = regexp.MustCompile(`\bInfinity\b`).ReplaceAll(b, []byte("null"))
		err = json.Unmarshal(b, &x.expected)
	}
	if err != nil {
		t.Fatal(err)
	}
	if x.img, _, err = imageproc.Open(filepath.Join(dir, "image.png")); err != nil {
		t.Fatal(err)
	}
	return x
}

func (x *fixture) view(t *testing.T) *view {
	t.Helper()
	run := x.m.NewRunner(1)
	t.Cleanup(run.Close)
	v, err := run.Encode(x.img)
	if err != nil {
		t.Fatal(err)
	}
	return v.(*view)
}

func newTape() *autograd.Tape { return autograd.NewTape(kernel.NewWork(nil), 0, false) }

// TestParityPrompts turns every task into the reference's prompt and pieces.
func TestParityPrompts(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		for _, p := range x.Prompts {
			got, err := Prompt(p.Task)
			if err != nil || got != p.Prompt {
				t.Errorf("%s: %q, %v; want %q", p.Task, got, err, p.Prompt)
			}
			if ids := x.m.read(got, 0); !slices.Equal(ids, p.IDs) {
				t.Errorf("%s: %v, want %v", p.Task, ids, p.IDs)
			}
			if err := checkQuestion(p.Task); err != nil {
				t.Error(err)
			}
		}
		in, err := x.m.Process(model.Sample{Pictures: []*imageproc.RGB{x.img}, Texts: []string{x.Task}})
		if err != nil {
			t.Fatal(err)
		}
		if got := in.Texts()[0]; !slices.Equal(got, x.IDs) {
			t.Errorf("with a picture: %v, want %v", got, x.IDs)
		}
	})
}

// TestParityGeneration writes the reference's answers, piece by piece: the likeliest piece each time, with and without rules,
// and the best of several beginnings.
func TestParityGeneration(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		v := x.view(t)
		prompt, err := Prompt(x.Task)
		if err != nil {
			t.Fatal(err)
		}
		rules := x.m.rules(model.Writing{MaxTokens: x.Beams.Max})
		if rules.Beams != 3 || rules.NoRepeatNGram != 3 || !rules.EarlyStopping {
			t.Errorf("rules %+v", rules)
		}
		greedy := rules
		greedy.Beams = 1
		for name, c := range map[string]struct {
			rules generate.Config
			want  []int32
		}{
			"greedy": {greedy, x.Greedy.IDs}, "plain": {generate.Config{MaxTokens: x.Beams.Max}, x.GreedyPlain.IDs}, "beams": {rules, x.Beams.IDs[0]},
		} {
			a := v.write(prompt, c.rules)
			if got := append([]int32{x.m.Config.Text.Start}, a.ids...); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
			if name != "beams" {
				continue
			}
			if got, want := a.logProb/float64(len(a.ids)), x.Beams.Scores[0]; math.Abs(got-want) > 1e-4 {
				t.Errorf("score %g, want %g", got, want)
			}
			start, _ := x.m.spell([]int32{x.m.Config.Text.Start})
			if got, _ := x.m.spell(a.ids); start+got != x.Beams.Text[0] {
				t.Errorf("%q, want %q", start+got, x.Beams.Text[0])
			}
		}
	})
}

// TestParityResults takes the reference's answers apart as it does.
func TestParityResults(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		if !slices.Equal(x.m.parser.Banned, x.Banned) || x.m.parser.Least != 0 {
			t.Errorf("settings %+v", x.m.parser)
		}
		for _, p := range x.Post {
			task, about := split(p.Task)
			if task == nil || about != "" {
				t.Fatalf("no task %q", p.Task)
			}
			same(t, p.Task+" "+p.Text, x.m.parser.Parse(task.Kind, p.Text, p.Size[0], p.Size[1]), p.Result[p.Task])
		}
		for _, p := range x.OCR {
			parser := place.Florence{Least: .01}
			got := parser.Parse(place.Quads, p.Text, p.Size[0], p.Size[1]).Regions
			if len(got) != len(p.Result) {
				t.Fatalf("%s: %v, want %v", p.Text, got, p.Result)
			}
			for i, w := range p.Result {
				if got[i].Label != w.Text || !slices.Equal(got[i].Quad, w.Quad) {
					t.Errorf("%s: %v, want %v", p.Text, got[i], w)
				}
			}
		}
	})
}

// same compares the JSON of a result.
func same(t *testing.T, what string, r place.Result, want any) {
	t.Helper()
	b, err := json.Marshal(r)
	var got any
	if err == nil {
		err = json.Unmarshal(b, &got)
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %s, %v; want %v", what, b, err, want)
	}
}

// TestParityCommands: what the commands ask for is what the tasks answer.
func TestParityCommands(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		v := x.view(t)
		heard := ""
		caption := v.Caption(func(s string) { heard = s })
		asked := v.Ask([]string{"<CAPTION>", "<OD>", "<OD> please"}, nil)
		if caption.Text != asked[0].Answer || caption.Text != heard || caption.Score != asked[0].Score || !(caption.Score > 0 && caption.Score <= 1) {
			t.Errorf("%v, heard %q; asked %v", caption, heard, asked[0])
		}
		var boxes struct{ BBoxes [][]int }
		if err := json.Unmarshal([]byte(asked[1].Answer), &boxes); err != nil || boxes.BBoxes == nil || asked[2].Answer != "" {
			t.Errorf("%v, %v", asked[1:], err)
		}
		if got := v.Detect(model.DetectOptions{}); len(got) > len(boxes.BBoxes) {
			t.Errorf("%d objects of %d boxes", len(got), len(boxes.BBoxes))
		}
		for _, o := range v.Detect(model.DetectOptions{Query: []string{"a green car"}, Masks: true}) {
			if o.Mask == nil || o.Label != "a green car" || o.Mask.W != x.img.W || o.Mask.H != x.img.H {
				t.Errorf("%v", o)
			}
		}
	})
}

// TestWriting: answers are as long and as free as a request says, and end before its stop strings; the end of its context ends them, and a schema is refused.
func TestWriting(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		v := x.view(t)
		ask := func(ctx context.Context, w model.Writing) (string, error) {
			v.Write(ctx, w)
			a := v.Ask([]string{"<CAPTION>"}, nil)[0]
			if !(a.Score >= 0 && a.Score <= 1) {
				t.Errorf("%+v: score %g", w, a.Score)
			}
			return a.Answer, v.Err()
		}
		ctx := context.Background()
		short, err1 := ask(ctx, model.Writing{MaxTokens: 6, Beams: 1})
		drawn, err2 := ask(ctx, model.Writing{MaxTokens: 6, Temperature: 2, Seed: 1})
		again, err3 := ask(ctx, model.Writing{MaxTokens: 6, Temperature: 2, Seed: 1})
		other, err4 := ask(ctx, model.Writing{MaxTokens: 6, Temperature: 2, Seed: 2})
		if err := errors.Join(err1, err2, err3, err4); err != nil || short == "" || drawn != again || drawn == other {
			t.Errorf("%q; drawn %q, %q and %q; %v", short, drawn, again, other, err)
		}
		for _, beams := range []int{1, 3} {
			whole, err1 := ask(ctx, model.Writing{MaxTokens: 8, Beams: beams})
			stop := whole[len(whole)/2:]
			cut, err2 := ask(ctx, model.Writing{MaxTokens: 8, Beams: beams, Stop: []string{"never written", stop}})
			if err := errors.Join(err1, err2); err != nil || stop == "" || strings.Contains(cut, stop) || beams == 1 && cut != strings.TrimSpace(whole[:strings.Index(whole, stop)]) {
				t.Errorf("%d beams, up to %q: %q of %q, %v", beams, stop, cut, whole, err)
			}
		}
		stopped, cancel := context.WithCancel(ctx)
		cancel()
		if text, err := ask(stopped, model.Writing{}); text != "" || !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %q, %v", text, err)
		}
		if _, err := ask(ctx, model.Writing{MaxTokens: 2, Schema: &grammar.Schema{}}); err == nil {
			t.Error("a schema is taken")
		}
	})
}

// TestParityLegacy: the older spelling of a repository, with its own layout of weights and a tokenizer without Florence-2's
// pieces, is the same model.
func TestParityLegacy(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		dir := t.TempDir()
		for from, to := range map[string]string{
			"config.legacy.json": "config.json", "model.legacy.safetensors": "model.safetensors", "preprocessor_config.json": "preprocessor_config.json",
			"tokenizer.json": "tokenizer.json", "expected.json": "expected.json", "image.png": "image.png",
		} {
			b, err := os.ReadFile(filepath.Join(x.dir, from))
			if err == nil && from == "tokenizer.json" {
				b, err = withoutPieces(b)
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(dir, to), b, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		old := open(t, dir)
		c := &old.m.Config
		if !c.Legacy || old.m.parser.Least != .01 {
			t.Fatalf("config %+v, parser %+v", c, old.m.parser)
		}
		io := inputs(t, x.dir)
		for i, id := range io["input_ids"].Data {
			if int32(id) == x.m.Config.Image {
				io["input_ids"].Data[i] = float32(c.Image)
			}
		}
		got, want := old.m.Run(newTape(), io)["logits"], io["logits"]
		v, wide := c.Text.Vocab, want.Shape.Last()
		for i := range got.Data {
			if w := want.Data[i/v*wide+i%v]; !(math.Abs(float64(got.Data[i]-w)) <= 1e-4) {
				t.Fatalf("logit %d: %g, want %g", i, got.Data[i], w)
			}
		}
		in, err := old.m.Process(model.Sample{Pictures: []*imageproc.RGB{x.img}, Texts: []string{x.Task}})
		if err != nil || !slices.Equal(in.Texts()[0][len(x.IDs)-5:], x.IDs[len(x.IDs)-5:]) {
			t.Errorf("%v, %v; want the end of %v", in, err, x.IDs)
		}
		a, b := old.view(t).Caption(nil), x.view(t).Caption(nil)
		if a.Text != b.Text || math.Abs(a.Score-b.Score) > 1e-5 {
			t.Errorf("%v, want %v", a, b)
		}
	})
}

// withoutPieces is a tokenizer.json as BART has it.
func withoutPieces(b []byte) ([]byte, error) {
	var file map[string]any
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, err
	}
	file["added_tokens"] = slices.DeleteFunc(file["added_tokens"].([]any), func(a any) bool {
		id := a.(map[string]any)["content"].(string)
		return slices.Contains(pieces(), id) || id == "<image>"
	})
	return json.Marshal(file)
}

func inputs(t *testing.T, dir string) model.Inputs {
	t.Helper()
	w, err := checkpoint.Open(filepath.Join(dir, "io.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	in := model.Inputs{}
	for _, name := range w.Names() {
		s, err := w.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]float32, s.Shape.Size())
		if err := s.Float32(data); err != nil {
			t.Fatal(err)
		}
		shape := s.Shape
		if name == "pixel_values" { // channels last
			n, planes := shape[2]*shape[3], slices.Clone(data)
			for i := range data {
				data[i] = planes[i%3*n+i/3]
			}
			shape = []int{1, shape[2], shape[3], 3}
		}
		in.Put(name, data, shape...)
	}
	return in
}

// TestCachedDecode: a text that is written piece by piece, in several versions that change places, has the logits of one that
// is read whole.
func TestCachedDecode(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		v, m := x.view(t), x.m
		tape := newTape()
		read := tape.Input(v.seen, len(v.seen)/m.Config.Text.Width, m.Config.Text.Width)
		shape := slices.Clone(read.Shape)
		text := m.Text.Begin(read)
		texts := [][]int32{{2}}
		check := func(ids ...int32) {
			got, err := text.Step(ids)
			if err != nil {
				t.Fatal(err)
			}
			full := newTape()
			for i := range texts {
				seen := full.Input(v.seen, shape...)
				h := m.Text.Logits(m.Text.Decode(full, &nn.Pass{}, [][]int32{texts[i]}, seen, []int{seen.Shape[0]}))
				n := h.Shape.Last()
				for j, w := range h.Data[len(h.Data)-n:] {
					if d := got[i*n+j] - w; !(d < 1e-4 && d > -1e-4) {
						t.Fatalf("%v: logit %d is %g, want %g", texts[i], j, got[i*n+j], w)
					}
				}
			}
		}
		check(2)
		next := int32(10)
		for round := range 36 { // more than the cache has room for at first
			from := [][]int{{0, 0, 0}, {2, 0, 1}, {1, 1}, {0, 1, 1}, {0, 1, 2}}[round%5]
			if round > 0 && len(texts) < 3 {
				from = []int{0, 1, 1}
			}
			if round == 0 {
				from = []int{0, 0, 0}
			}
			if err := text.Reorder(from); err != nil {
				t.Fatal(err)
			}
			var kept [][]int32
			var ids []int32
			for _, f := range from {
				next += 7
				kept, ids = append(kept, append(slices.Clone(texts[f]), next)), append(ids, next)
			}
			texts = kept
			check(ids...)
		}
		for _, from := range [][]int{nil, {9}, {-1}} {
			if text.Reorder(from) == nil {
				t.Errorf("Reorder(%v) was taken", from)
			}
		}
		if _, err := text.Step([]int32{1}); err == nil {
			t.Error("one word for several versions was taken")
		}
		if _, err := text.Step(slices.Repeat([]int32{1 << 20}, len(texts))); err == nil {
			t.Error("a word that there is not was taken")
		}
	})
}

// TestScores: the score of a box is the mean of the chances of its own pieces and its label's, whatever stands around them.
func TestScores(t *testing.T) {
	forEach(t, func(t *testing.T, x *fixture) {
		m, v := x.m, x.view(t)
		a := answer{ids: m.words.Encode("<s>é car<loc_52><loc_333><loc_932><loc_774>dog<loc_1><loc_2><loc_3><loc_4><loc_5><loc_6><loc_7><loc_8></s>"), seen: v.seen}
		text, spans := m.spell(a.ids)
		chances := m.chances(newTape(), a)
		if len(spans) != len(a.ids) || len(chances) != len(a.ids) {
			t.Fatalf("%d spans and %d chances of %d pieces", len(spans), len(chances), len(a.ids))
		}
		for i, p := range chances {
			if !(p > 0 && p <= 1+1e-9) {
				t.Errorf("piece %d has a chance of %g", i, p)
			}
		}
		first := slices.Index(a.ids, m.bin+52)
		for i := range chances { // what the numbers are does not matter to what follows
			chances[i] = .5
			if i >= first && i < first+4 {
				chances[i] = 1
			}
		}
		found := m.parser.Parse(place.Boxes, text, 1000, 1000).Regions
		if len(found) != 3 {
			t.Fatalf("%v", found)
		}
		n := float64(first - 1) // pieces of the first label
		for i, want := range []float64{math.Pow(.5, n/(n+4)), .5, .5} {
			if got := found[i].Chance(chances, spans); math.Abs(got-want) > 1e-12 {
				t.Errorf("box %d: %g, want %g", i, got, want)
			}
		}
		chances[len(chances)-2] = .1 // the last coordinate
		if a, b := found[1].Chance(chances, spans), found[2].Chance(chances, spans); a != .5 || b >= .5 {
			t.Errorf("scores %g and %g", a, b)
		}
	})
}

func TestQuestions(t *testing.T) {
	for text, ok := range map[string]bool{
		"<OCR>": true, "<OD>": true, "<OD> of cats": false, "what is it?": false, "<REGION_TO_OCR>": false, "<REGION_TO_OCR><loc_1><loc_2><loc_3><loc_4>": true,
		"please <OCR>": false, "<CAPTION_TO_PHRASE_GROUNDING> a car": true,
	} {
		if err := checkQuestion(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}
