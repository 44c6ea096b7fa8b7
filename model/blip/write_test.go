package blip

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/generate/grammar"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
	"fovea/task"
)

// open opens the fixture, a model that answers questions, or, without the part that reads them, a model that describes.
func open(t *testing.T, class string) (*Model, *imageproc.RGB) {
	t.Helper()
	from, to := filepath.Join("..", "..", "testdata", "fixtures", "parity", "blip_vqa"), t.TempDir()
	for _, name := range []string{"config.json", "preprocessor_config.json", "tokenizer.json"} {
		b, err := os.ReadFile(filepath.Join(from, name))
		if err == nil && name == "config.json" {
			var c map[string]any
			err = json.Unmarshal(b, &c)
			c["architectures"] = []string{class}
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
	rules := fam.Renames
	if class == captions {
		rules = append([]checkpoint.Rename{{From: `^text_encoder\.`, To: checkpoint.Drop}}, rules...)
	}
	if err := checkpoint.Bind(nn.Params(net), w, rules); err != nil {
		t.Fatal(err)
	}
	img, _, err := imageproc.Open(filepath.Join(from, "image.png"))
	if err != nil {
		t.Fatal(err)
	}
	return net.(*Model), img
}

// TestCachedDecode: a text that is written piece by piece is the one whose every piece is the likeliest after those before it, in a
// pass over all of them, and has their probability.
func TestCachedDecode(t *testing.T) {
	for _, class := range []string{captions, asks} {
		t.Run(class, func(t *testing.T) {
			m, img := open(t, class)
			const question = "what color is the cat?"
			sample, what, known, logits := model.Sample{Pictures: []*imageproc.RGB{img}}, task.Caption, "input_ids", "logits"
			if class == asks {
				sample.Texts, what, known, logits = []string{question}, task.Ask, "decoder_input_ids", "decoder_logits"
			}
			if c := m.Card(); c.Tasks != task.SetOf(what) || c.Family != class {
				t.Errorf("card %+v", c)
			}
			heard := ""
			got, score := say(t, m, img, question, model.Writing{}, func(s string) { heard = s })
			in, err := m.Process(sample)
			if err != nil {
				t.Fatal(err)
			}
			ids, sum := []int32{m.Config.Text.Begin}, 0.
			for len(ids) < maxAnswer && ids[len(ids)-1] != m.Config.Text.End {
				one := model.Inputs{}
				one.PutTexts([][]int32{ids}, 0, 0)
				in[known] = one["input_ids"]
				all := m.Run(autograd.NewTape(kernel.NewWork(nil), 0, false), in)[logits]
				last := all.Data[len(all.Data)-all.Shape.Last():]
				best := slices.Index(last, slices.Max(last))
				sum += float64(last[best] - kernel.LogSumExp(last))
				ids = append(ids, int32(best))
			}
			want := strings.TrimSpace(m.words.Decode(ids[1:], true))
			if len(ids) < 5 || got != want || heard != want || math.Abs(score/math.Exp(sum)-1) > 1e-3 {
				t.Errorf("%q with %g, heard %q; want %q with %g", got, score, heard, want, math.Exp(sum))
			}
		})
	}
}

// TestWriting: texts are as long as asked for, end before a stop string, follow the seed when they are drawn, and are at least as
// likely when they are searched for with several beams.
func TestWriting(t *testing.T) {
	m, img := open(t, asks)
	const question = "what is it?"
	write := func(w model.Writing) (string, float64) {
		text, p := say(t, m, img, question, w, nil)
		return text, p
	}
	plain, likely := write(model.Writing{})
	if short, p := write(model.Writing{MaxTokens: 2}); short == plain || !strings.HasPrefix(plain, short) || p <= likely {
		t.Errorf("two pieces are %q with %g, of %q with %g", short, p, plain, likely)
	}
	if long, _ := write(model.Writing{MaxTokens: maxAnswer + 9}); len(long) <= len(plain) || !strings.HasPrefix(long, plain) {
		t.Errorf("a longer text is %q, the usual one %q", long, plain)
	}
	stop := plain[len(plain)/2:][:3]
	if text, _ := write(model.Writing{Stop: []string{stop}}); text != strings.TrimSpace(plain[:strings.Index(plain, stop)]) {
		t.Errorf("up to %q: %q of %q", stop, text, plain)
	}
	first, _ := write(model.Writing{Temperature: 1, Seed: 1})
	second, _ := write(model.Writing{Temperature: 1, Seed: 2})
	again, _ := write(model.Writing{Temperature: 1, Seed: 1})
	if first != again || first == second {
		t.Errorf("seeds 1, 2, 1 wrote %q, %q, %q", first, second, again)
	}
	if text, p := write(model.Writing{Beams: 4, MaxTokens: 6}); text == "" || p <= 0 {
		t.Errorf("four beams wrote %q with %g", text, p)
	}
}

// TestWritingRefused: there is no JSON of a few words, and a request that has ended is not answered.
func TestWritingRefused(t *testing.T) {
	m, img := open(t, asks)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	for name, c := range map[string]struct {
		ctx  context.Context
		how  model.Writing
		want string
	}{"schema": {context.Background(), model.Writing{Schema: grammar.Object()}, "schema"}, "ended": {ended, model.Writing{}, "canceled"}} {
		run := m.NewRunner(1)
		v, err := run.Encode(img)
		if err != nil {
			t.Fatal(err)
		}
		w := v.(model.Writer)
		w.Write(c.ctx, c.how)
		if a := w.Ask([]string{"what is it?"}, nil); a[0].Score != 0 || w.Err() == nil || !strings.Contains(w.Err().Error(), c.want) {
			t.Errorf("%s: %v, %v", name, a, w.Err())
		}
		run.Close()
	}
}

// say has a model answer a question about a picture, or describe it.
func say(t *testing.T, m *Model, img *imageproc.RGB, question string, how model.Writing, step func(string)) (string, float64) {
	t.Helper()
	run := m.NewRunner(1)
	defer run.Close()
	v, err := run.Encode(img)
	if err != nil {
		t.Fatal(err)
	}
	w := v.(model.Writer)
	w.Write(context.Background(), how)
	if m.Question == nil {
		c := w.Caption(step)
		return c.Text, c.Score
	}
	a := w.Ask([]string{question}, step)[0]
	if err := w.Err(); err != nil {
		t.Fatal(err)
	}
	return a.Answer, a.Score
}
