package bench

import (
	"math"
	"testing"
)

// TestStepPrecision: a step in bfloat16 starts from the same model, and its losses stay near those of float32.
func TestStepPrecision(t *testing.T) {
	if testing.Short() {
		t.Skip("six steps of a model that takes seconds on a busy machine")
	}
	var losses [2][]float32
	for i, p := range []string{"f32", "bf16"} {
		s, err := NewStep("joint", p, 2)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			s.Run()
		}
		losses[i] = s.Losses
	}
	for i, want := range losses[0] {
		if d := math.Abs(float64(losses[1][i] - want)); d > .01*float64(want) || d == 0 {
			t.Errorf("step %d: loss %g in bfloat16, %g in float32", i+1, losses[1][i], want)
		}
	}
	if _, err := NewStep("joint", "int8", 1); err == nil {
		t.Error("steps in int8 were taken")
	}
}

// TestCCT: the convolutional case learns its batch, at the cost that peers_train.py counts.
func TestCCT(t *testing.T) {
	s, err := NewStep("cct", "f32", 2)
	if err != nil {
		t.Fatal(err)
	}
	if want := 27.1; math.Abs(s.GFLOP-want) > .1 {
		t.Errorf("%g GFLOP, want %g", s.GFLOP, want)
	}
	for range 4 {
		s.Run()
	}
	if first := s.Losses[0]; !(first > 2 && first < 3.5) {
		t.Errorf("ten classes by chance: loss %g", first)
	}
	if last := s.Losses[3]; !(last < s.Losses[0]) {
		t.Errorf("losses %v", s.Losses)
	}
}
