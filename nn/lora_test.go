package nn

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/ops"
)

// TestLoRA: adapters change nothing until they are trained, are all that is trained, keep the names of the weights beside
// them, and merge into a stack that computes the same.
func TestLoRA(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	s := &Stack{Norm: NewLayerNorm(8, false), Blocks: []*Block{NewBlock(rng, BlockConfig{Width: 8, Heads: 2, MLPRatio: 2})}}
	for _, p := range Params(s) {
		Normal(rng, p, .5)
	}
	x := make([]float32, 5*8)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	run := func() []float32 {
		tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
		l := &ops.Layout{Images: 1, Patches: 5}
		return slices.Clone(s.Forward(&Pass{Layout: l}, tape.Input(x, 5, 8)).Data)
	}
	differ := func(a, b []float32) (worst float64) {
		for i := range a {
			worst = max(worst, math.Abs(float64(a[i]-b[i])))
		}
		return worst
	}
	names := func() (trained, all []string) {
		for _, p := range Params(s) {
			all = append(all, p.Name)
			if !p.Frozen {
				trained = append(trained, p.Name)
			}
		}
		return
	}
	_, before := names()
	plain := run()
	Freeze(s, true)
	s.Adapt(rng, 2)
	if d := differ(plain, run()); d != 0 {
		t.Errorf("a new adapter changes the result by %g", d)
	}
	trained, all := names()
	if len(trained) != 12 || len(all) != len(before)+12 {
		t.Errorf("%d of %d parameters are trained, want 12 of %d: %v", len(trained), len(all), len(before)+12, trained)
	}
	for _, n := range before {
		if !slices.Contains(all, n) {
			t.Errorf("%s is gone", n)
		}
	}
	for _, p := range Params(s) {
		if !p.Frozen {
			Normal(rng, p, .3)
		}
	}
	adapted := run()
	if d := differ(plain, adapted); d < 1e-2 {
		t.Errorf("adapters with weights change the result by only %g", d)
	}
	s.Merge()
	if d := differ(adapted, run()); d > 1e-5 {
		t.Errorf("merging changes the result by %g", d)
	}
	if _, after := names(); !slices.Equal(after, before) {
		t.Errorf("merged: %v, want %v", after, before)
	}
}
