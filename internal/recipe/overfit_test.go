package recipe

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"fovea/train"
)

// overfit trains on a few scenes and measures on the same ones: a model and a loop that work know them by heart.
func overfit(t *testing.T, model string, scenes, steps, batch int) map[string]float64 {
	t.Helper()
	c, err := Parse(fmt.Appendf(nil, `
model: {%s}
data: [{task: all, scenes: %d, seed: 7}]
eval: [{task: all, scenes: %d, seed: 7, name: s}]
train: {epochs: 1, epoch_images: %d, batch: %d, replicas: 2, muon_lr: 0.02, lr: 4e-3, ema: 0.9, warmup: 0.1, questions: 8, people: 2, caption_share: 0, matching_share: 0}
`, model, scenes, scenes, steps*batch, batch))
	if err != nil {
		t.Fatal(err)
	}
	c.Out = ""
	r, err := Open(c, Options{Hooks: train.Hooks{Stdout: io.Discard, Stderr: io.Discard, Quiet: true}})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Loop.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	m, err := r.evaluate(steps)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d scenes, %d steps of %d: box AP %.3f, mask AP %.3f, pose AP %.3f, answers %.3f, class %.3f", scenes, steps, batch,
		m["s box AP"], m["s mask AP"], m["s pose AP"], m["s answers exact"], m["s class top1"])
	return m
}

func TestOverfitsTiny(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute; run without -short")
	}
	m := overfit(t, "variant: tiny", 8, 220, 8)
	if ap := m["s box AP"]; !(ap >= .8) {
		t.Errorf("box AP %.3f, want ≥ .80", ap)
	}
	if a := m["s answers exact"]; !(a >= .95) {
		t.Errorf("answers %.3f, want ≥ .95", a)
	}
}

// TestOverfits is the full check: 64 scenes in 250 steps. It takes about fifteen minutes of two cores.
func TestOverfits(t *testing.T) {
	if os.Getenv("FOVEA_LONG") == "" {
		t.Skip("takes fifteen minutes; set FOVEA_LONG=1 to run it")
	}
	m := overfit(t, "variant: nano, size: 128", 64, 250, 64)
	if ap := m["s box AP"]; !(ap >= .95) {
		t.Errorf("box AP %.3f, want ≥ .95", ap)
	}
	if a := m["s answers exact"]; !(a >= .99) {
		t.Errorf("answers %.3f, want ≥ .99", a)
	}
}
