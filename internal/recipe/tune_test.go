package recipe

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/imageproc"
	"fovea/model/all"
	"fovea/train"
)

// eight writes a data set of eight pictures, each with a question, its answer and a caption.
func eight(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	answers := []string{"red", "blue", "a dog", "two", "left", "round", "no", "green car"}
	var lines []string
	for i, a := range answers {
		img := imageproc.NewRGB(32, 32)
		for j := range img.Pix { // stripes, of a colour and width of their own
			x, c := j/3%32, j%3
			if x/(1+i%4)%2 == 0 && (i+1)>>c&1 != 0 {
				img.Pix[j] = 230
			}
		}
		name := fmt.Sprintf("%d.png", i)
		if err := imageproc.Save(filepath.Join(dir, name), img); err != nil {
			t.Fatal(err)
		}
		question := []string{"What is it?", "How does it look?"}[i/4]
		b, err := json.Marshal(map[string]any{"image": name, "question": question, "answer": a, "caption": "it is " + a})
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(b))
	}
	if err := os.WriteFile(filepath.Join(dir, "train.jsonl"), []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// tuning is a recipe that trains a tiny published model on the eight pictures.
func tuning(t *testing.T, from, tasks string, steps int, keys string) *Config {
	t.Helper()
	data := eight(t)
	c, err := Parse(fmt.Appendf(nil, `
model: {from: %q}
data: [{task: %s, path: %q}]
eval: [{task: %s, path: %q, split: train, name: s}]
train: {epochs: 1, epoch_images: %d, batch: 8, %s}
`, parity(from), tasks, data, tasks, data, 8*steps, keys))
	if err != nil {
		t.Fatal(err)
	}
	c.Out = t.TempDir()
	return c
}

// run trains and gives the loss of the first and of the last step.
func (r *Tuning) run(t *testing.T) (first, last float64) {
	t.Helper()
	r.Loop.Step = func(p train.Progress) {
		if last = p.Loss; p.Step == 1 {
			first = p.Loss
		}
	}
	if err := r.Train(context.Background()); err != nil {
		t.Fatal(err)
	}
	return first, last
}

// TestTuningOverfits: tiny models with random weights know eight answers by heart after some steps, in the folder that is saved
// too; what matches pictures and texts tells the eight apart.
func TestTuningOverfits(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute; run without -short")
	}
	for _, x := range []struct {
		from, tasks string
		steps       int
		keys        string
		metric      string
		loss        float64
	}{
		{"paligemma", "ask", 120, "lr: 3e-3, replicas: 2", "s answers exact", .05},
		{"paligemma2", "ask", 120, "lr: 3e-3, replicas: 2", "s answers exact", .05},
		{"smolvlm", "ask", 150, "lr: 3e-3, replicas: 2", "s answers exact", .05},
		{"idefics3", "ask", 150, "lr: 3e-3, replicas: 1", "s answers exact", .05},
		{"florence2", "ask", 200, "lr: 3e-3, replicas: 2", "s answers exact", .05},
		{"clip", "match", 120, "lr: 2e-3", "s retrieval t2i_R@1", .05},
		{"siglip", "match", 200, "lr: 2e-3", "s retrieval t2i_R@1", .15},
		{"siglip2_naflex", "match", 300, "lr: 5e-3", "s retrieval t2i_R@1", .15},
		{"smolvlm", "ask", 150, "lr: 2e-2, lora: 8", "", 1.5},
	} {
		t.Run(x.from+" "+x.keys, func(t *testing.T) {
			c := tuning(t, x.from, x.tasks, x.steps, x.keys)
			if !Tunes(c) {
				t.Fatal("the recipe makes a joint model")
			}
			r, err := OpenTuning(c, quiet())
			if err != nil {
				t.Fatal(err)
			}
			first, last := r.run(t)
			m, err := r.evaluate(x.steps)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("loss %.3f → %.4f, %v", first, last, m)
			if !(last <= x.loss && last < first/2) {
				t.Errorf("loss %g after %d steps, want ≤ %g", last, x.steps, x.loss)
			}
			if x.metric != "" && m[x.metric] != 1 {
				t.Errorf("%s is %g, want 1", x.metric, m[x.metric])
			}
			again, err := all.Open(filepath.Join(c.Out, "model"))
			if err != nil {
				t.Fatal(err)
			}
			a := &network{net: again, run: again.NewRunner(1)}
			defer a.run.Close()
			e := r.evals[0]
			got, err := e.RunOn(context.Background(), a)
			if err != nil {
				t.Fatal(err)
			}
			for k, v := range got.Metrics {
				if m["s "+k] != v {
					t.Errorf("opened again, %s is %g, was %g", k, v, m["s "+k])
				}
			}
		})
	}
}

// TestTuningIsRepeatable: the same recipe gives the same weights, and a run that was interrupted goes on to them.
func TestTuningIsRepeatable(t *testing.T) {
	weights := func(stop int) []float32 {
		c := tuning(t, "smolvlm", "[ask, caption]", 6, "lora: 2, lr: 1e-2, replicas: 2")
		c.Eval = nil
		var out []float32
		for _, resume := range []bool{false, true} {
			o := quiet()
			o.Resume = resume
			r, err := OpenTuning(c, o)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			r.Loop.Step = func(p train.Progress) {
				if p.Step == stop && !resume {
					cancel()
				}
			}
			err = r.Train(ctx)
			cancel()
			if err == nil {
				for _, p := range r.Loop.Objective.Params() {
					out = append(out, p.Data...)
				}
				break
			} else if resume || stop == 0 {
				t.Fatal(err)
			}
		}
		return out
	}
	whole := weights(0)
	if len(whole) == 0 || !slices.Equal(whole, weights(0)) {
		t.Error("the second run has other weights")
	}
	if !slices.Equal(whole, weights(3)) {
		t.Error("the resumed run has other weights")
	}
}

// TestTuningRefuses names what cannot be learnt.
func TestTuningRefuses(t *testing.T) {
	for _, x := range []struct{ from, tasks, keys, want string }{
		{"smolvlm", "detect", "lr: 1e-3", "labels for none of the tasks"},
		{"clip", "match", "lr: 1e-3, replicas: 8", "at least two pictures"},
	} {
		if _, err := OpenTuning(tuning(t, x.from, x.tasks, 1, x.keys), quiet()); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s %s: %v, want %q", x.from, x.tasks, err, x.want)
		}
	}
	for from, want := range map[string]bool{"clip": false, "vit": false, "yolos": false, "qwen3_vl": false, "florence2": true, "none": false} {
		if c := tuning(t, from, "[classify, match]", 1, "lr: 1e-3"); Tunes(c) != want {
			t.Errorf("%s: trained on itself is %v", from, !want)
		}
	}
	c := tuning(t, "smolvlm", "ask", 1, "lora: 4")
	if _, err := OpenTuning(c, quiet()); err != nil {
		t.Fatal(err)
	}
	if tr := c.Train; tr.Optimizer != "adamw" || tr.LR != 2e-4 || tr.EMA != 0 {
		t.Errorf("settled on %+v", tr)
	}
	if tr := tuning(t, "smolvlm", "ask", 1, "lr: 1e-3, ema: .9, optimizer: muon").Train; tr.Optimizer != "muon" || tr.LR != 1e-3 || tr.EMA != .9 {
		t.Errorf("read %+v", tr)
	}
}
