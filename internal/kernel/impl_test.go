package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/internal/cpu"
	"fovea/internal/memory"
)

// eachImpl runs f as a subtest under every implementation that the machine has.
func eachImpl(t *testing.T, f func(t *testing.T)) {
	for _, name := range cpu.Impls("kernel") {
		t.Run(name, func(t *testing.T) {
			defer cpu.Select("kernel", name)()
			f(t)
		})
	}
}

// eachImplB is eachImpl for benchmarks.
func eachImplB(b *testing.B, f func(b *testing.B)) {
	for _, name := range cpu.Impls("kernel") {
		b.Run(name, func(b *testing.B) {
			defer cpu.Select("kernel", name)()
			f(b)
		})
	}
}

// noise returns n values from a normal distribution with standard deviation sd.
func noise(n int, sd float64, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * sd)
	}
	return x
}

// sentinel is what guarded puts around a slice: a NaN with a payload that no kernel computes.
var sentinel = math.Float32frombits(0x7fdead00)

// guarded copies x into the middle of a buffer, off elements after a cache-line boundary, and returns the copy and a
// function that reports a write outside it.
func guarded(t testing.TB, x []float32, off int) (y []float32, check func()) {
	const margin = 64
	buf := memory.Make[float32](margin + off + len(x) + margin)
	for i := range buf {
		buf[i] = sentinel
	}
	y = buf[margin+off : margin+off+len(x)]
	copy(y, x)
	return y, func() {
		t.Helper()
		for i, v := range buf {
			if (i < margin+off || i >= margin+off+len(x)) && math.Float32bits(v) != math.Float32bits(sentinel) {
				t.Errorf("wrote %g at %d of a slice of %d (offset %d)", v, i-margin-off, len(x), off)
			}
		}
	}
}
