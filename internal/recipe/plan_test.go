package recipe

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fovea/train"
)

// pictures writes one-coloured PNGs under a folder.
func pictures(t *testing.T, dir string, names ...string) {
	t.Helper()
	for i, name := range names {
		path := filepath.Join(dir, filepath.FromSlash(name))
		m := image.NewRGBA(image.Rect(0, 0, 40, 30))
		for k := range 40 * 30 {
			m.Set(k%40, k/40, color.RGBA{uint8(40 * i), uint8(5 * k), uint8(k), 255})
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, m); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// openText opens a recipe that writes into a folder of the test.
func openText(t *testing.T, format string, args ...any) *Run {
	t.Helper()
	c, err := Parse(fmt.Appendf(nil, format, args...))
	if err != nil {
		t.Fatal(err)
	}
	c.Out = filepath.Join(t.TempDir(), "out")
	r, err := Open(c, Options{Hooks: train.Hooks{Stdout: io.Discard, Stderr: io.Discard, Quiet: true}})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestPlan: what is understood, and each remark that a careless recipe deserves.
func TestPlan(t *testing.T) {
	dir := t.TempDir()
	pictures(t, dir, "train/Cat/1.png", "train/Cat/2.png", "train/dog/1.png", "val/cat/1.png", "val/boat/1.png", "val/boat/2.png")
	r := openText(t, `
model: {variant: tiny}
data:
  - {task: [classify, detect], path: %[1]s, split: train, weight: 3}
  - {task: classify, path: %[1]s, split: val, limit: 2, weight: 1}
  - {task: all, scenes: 10, seed: 4}
eval:
  - {task: classify, path: %[1]s, split: val, name: mine}
  - {task: all, scenes: 6, seed: 4}
train: {epochs: 2, batch: 2, epoch_images: 10, replicas: 1}
`, dir)
	p, err := r.Plan()
	if err != nil {
		t.Fatal(err)
	}
	d := p.Data[0]
	if p.Train.Steps != 10 || d.Images != 3 || d.Share != .6 || d.Seen != 4 || !slices.Equal(d.Tasks, []string{"classify"}) ||
		!reflect.DeepEqual(d.Splits, map[string]int{"train": 3, "val": 3}) || p.Data[1].Images != 2 || p.Eval[0].Name != "mine" {
		t.Errorf("%+v", p)
	}
	for _, want := range []string{
		"has no labels for detect", "2 of the 3 pictures of mine that are measured are trained on, too (data[1], eval[0])",
		"6 of the 6 pictures of scenes that are measured are trained on, too (data[2], eval[1])", `"Cat", "cat" are one name`,
	} {
		if !slices.ContainsFunc(p.Remarks, func(r string) bool { return strings.Contains(r, want) }) {
			t.Errorf("no remark says %q: %q", want, p.Remarks)
		}
	}
	if len(p.Remarks) != 4 {
		t.Errorf("%q", p.Remarks)
	}
	if f := d.Holds.Faults; len(f) != 2 {
		t.Errorf("%+v", f)
	}
}

// TestPlanOfUnknownLabels: labels that are measured but never taught.
func TestPlanOfUnknownLabels(t *testing.T) {
	dir := t.TempDir()
	pictures(t, dir, "train/cat/1.png", "train/cat/2.png", "val/cat/1.png", "val/boat/1.png")
	p, err := openText(t, `
model: {variant: tiny}
data: [{task: classify, path: %[1]s, split: train, limit: 2}]
eval: [{task: classify, path: %[1]s, split: val}]
train: {epochs: 1, batch: 2, replicas: 1}
`, dir).Plan()
	if err != nil || len(p.Remarks) != 1 || p.Remarks[0] != `"boat": measured, but in no data set to train on` {
		t.Errorf("%q, %v", p.Remarks, err)
	}
}

// TestTrial: the estimate adds up, and nothing is written.
func TestTrial(t *testing.T) {
	dir := t.TempDir()
	pictures(t, dir, "train/cat/1.png", "train/dog/2.png", "val/cat/1.png", "val/dog/1.png")
	r := openText(t, `
model: {variant: tiny}
data: [{task: classify, path: %[1]s, split: train}]
eval: [{task: classify, path: %[1]s, split: val}, {task: [caption, ask], scenes: 5, seed: 9}]
train: {epochs: 50, batch: 4, epoch_images: 8, replicas: 1}
`, dir)
	c, err := r.Trial(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if c.TimedSteps != trialSteps || c.TrainSeconds != 100*c.StepSeconds || !(c.EvalSeconds > 0) || c.Seconds != c.TrainSeconds+c.EvalSeconds || c.Bytes < 1<<20 {
		t.Errorf("%+v", c)
	}
	if _, err := os.Stat(r.Config.Out); !os.IsNotExist(err) {
		t.Errorf("%s is there: %v", r.Config.Out, err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	if _, err := r.Trial(ctx); err == nil {
		t.Error("a trial that was ended has a result")
	}
}
