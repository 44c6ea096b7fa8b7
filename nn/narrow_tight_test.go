package nn

import (
	"math"
	"runtime/debug"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// halves are weights of a file: 1, 1/2, … 1/64 again and again.
type halves struct{ cols int }

func (s halves) Rows(dst []float32, from, to int) error {
	for i := range (to - from) * s.cols {
		dst[i] = 1 / float32(int(1)<<((from*s.cols+i)%7))
	}
	return nil
}
func (s halves) Float32(dst []float32) error { return s.Rows(dst, 0, len(dst)/s.cols) }
func (halves) BF16() []uint16                { return nil }
func (halves) F16() []uint16                 { return nil }
func (halves) Owner() any                    { return nil }
func (halves) Done()                         {}

// Weights in bfloat16 that no cache holds are read in 12 bits after some words, and fewer are not, nor those whose copy would be more than a
// quarter of GOMEMLIMIT.
func TestLowerTight(t *testing.T) {
	const in, large = 1024, minTight/(2*1024) + 64
	for _, c := range []struct {
		out   int
		limit int64
		tight bool
	}{{64, math.MaxInt64, false}, {large, math.MaxInt64, true}, {large, 3 * minTight, false}} {
		out := c.out
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(c.limit))
		m := &struct {
			D *Dense `weight:"d"`
		}{BlankDense(in, out, false)}
		m.D.Weight.Stored = halves{in}
		if _, _, err := Lower(m, "bf16"); err != nil {
			t.Fatal(err)
		}
		x := make([]float32, in)
		x[70] = 1
		for range 70 {
			y := m.D.Forward(autograd.NewTape(kernel.NewWork(nil), 0, false).Input(x, 1, in))
			for i, v := range y.Data {
				if want := 1 / float32(int(1)<<((i*in+70)%7)); v != want {
					t.Fatalf("element %d of %d is %g, want %g", i, out, v, want)
				}
			}
		}
		want := 0
		if b := kernel.PackBF12(kernel.NewWork(nil), ones(out*in), out, in); c.tight && b != nil {
			want = m.D.narrow.Bytes() - b.Bytes()
		}
		if got := Spared(m); got != want {
			t.Errorf("%d rows, a limit of %d bytes: %d are spared, want %d", out, c.limit, got, want)
		}
	}
}

// ones are weights in bfloat16.
func ones(n int) []uint16 {
	w := make([]uint16, n)
	for i := range w {
		w[i] = 0x3f80
	}
	return w
}
