package unified

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"fovea/nn"
)

// TestWavesOfColour: the first filters are 27 orthogonal waves with their opposites, as many as there is room for.
func TestWavesOfColour(t *testing.T) {
	for _, out := range []int{48, 54, 60, 31} {
		w := nn.NewConv(rand.New(rand.NewPCG(1, 2)), 3, out, 3, 1).Weight
		rest := append([]float32(nil), w.Data...)
		wavesOfColour(w)
		row := func(i int) []float32 { return w.Data[27*i : 27*i+27] }
		dot := func(a, b []float32) (s float64) {
			for i := range a {
				s += float64(a[i]) * float64(b[i])
			}
			return s
		}
		pairs := min(out/2, 27)
		for i := range pairs {
			if d := dot(row(2*i), row(2*i+1)); math.Abs(d+1) > 1e-6 {
				t.Errorf("%d filters: pair %d has the product %g, want −1", out, i, d)
			}
			for j := range i {
				if d := dot(row(2*i), row(2*j)); math.Abs(d) > 1e-6 {
					t.Errorf("%d filters: %d and %d have the product %g", out, 2*i, 2*j, d)
				}
			}
		}
		for i := 54 * pairs; i < len(w.Data); i++ {
			if w.Data[i] != rest[i] {
				t.Fatalf("%d filters: weight %d was touched", out, i)
			}
		}
	}
}

// TestStrides: a model whose small stem had strides, which these weights fit as well, is refused.
func TestStrides(t *testing.T) {
	c := newTestModel(t, "cct").Config
	if err := c.Check(); err != nil {
		t.Fatal(err)
	}
	c.Pools = false
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "train it again") {
		t.Errorf("a stem of strides: %v", err)
	}
	c = newTestModel(t, "tiny").Config
	c.Pools = true
	if err := c.Check(); err == nil {
		t.Error("patches of 16 pixels that pool were taken")
	}
}
