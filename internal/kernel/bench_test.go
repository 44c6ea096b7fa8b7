package kernel

import (
	"fmt"
	"testing"
	"time"
)

// best runs f under b.Loop and returns the shortest processor time of one call: on a shared machine the mean says more
// about the neighbours.
func best(b *testing.B, f func()) time.Duration {
	b.ReportAllocs()
	shortest := time.Hour
	for b.Loop() {
		stop := stopwatch()
		f()
		shortest = min(shortest, stop())
	}
	return shortest
}

// repeat returns how often a product of the given size runs between two looks at the clock: about 20 µs' worth.
func repeat(flops float64) int { return max(1, int(1e6/flops)) }

var gemmShapes = []struct {
	kind    string // x·W, x·Wᵀ, xᵀ·W
	m, n, k int
}{
	{"NT", 4096, 192, 768}, {"NT", 4096, 768, 192}, {"NT", 2192, 192, 576}, {"NT", 1024, 576, 64},
	{"NN", 4096, 192, 768}, {"NN", 4096, 768, 192}, {"NN", 1024, 64, 576},
	{"TN", 192, 768, 4384}, {"TN", 768, 192, 4384}, {"TN", 64, 576, 1024},
	{"NN", 64, 64, 64}, {"NT", 64, 64, 64}, {"TN", 64, 64, 64},
	{"NT", 137, 137, 64}, {"NN", 137, 64, 137}, {"TN", 137, 64, 137},
	{"NN", 1536, 1536, 1536},
}

// narrowShapes are the linear layers of a ViT-B for one picture.
var narrowShapes = []struct {
	kind    string
	m, n, k int
}{{"NT", 197, 768, 768}, {"NT", 197, 3072, 768}, {"NT", 197, 768, 3072}}

// BenchmarkGemm reports the best GFLOP/s of one core, its share of what a loop of multiply-adds reached just before, and
// the same for a packed right-hand side.
func BenchmarkGemm(b *testing.B) {
	w := NewWork(nil)
	for _, s := range append(gemmShapes[:len(gemmShapes):len(gemmShapes)], narrowShapes...) {
		b.Run(fmt.Sprintf("%s/%dx%dx%d", s.kind, s.m, s.n, s.k), func(b *testing.B) {
			eachImplB(b, func(b *testing.B) {
				a, x := M(noise(s.m*s.k, 1, 1), s.m, s.k), M(noise(s.k*s.n, 1, 2), s.k, s.n)
				switch s.kind {
				case "NT":
					x = M(x.Data, s.n, s.k).T()
				case "TN":
					a = M(a.Data, s.k, s.m).T()
				}
				c := M(make([]float32, s.m*s.n), s.m, s.n)
				flops := 2 * float64(s.m) * float64(s.n) * float64(s.k)
				p := Pack(x)
				reps := repeat(flops)
				limit := peak(1)
				d := best(b, func() {
					for range reps {
						Gemm(w, c, a, x, Epilogue{})
					}
				})
				shortest := time.Hour
				for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
					stop := stopwatch()
					for range reps {
						GemmPacked(w, c, a, p, Epilogue{})
					}
					shortest = min(shortest, stop())
				}
				limit = max(limit, peak(1))
				rate := func(d time.Duration) float64 { return flops * float64(reps) / d.Seconds() / 1e9 }
				b.ReportMetric(rate(d), "GFLOP/s")
				b.ReportMetric(rate(shortest), "packed-GFLOP/s")
				if limit > 0 {
					b.ReportMetric(100*rate(d)/limit, "%peak")
					b.ReportMetric(100*rate(shortest)/limit, "packed-%peak")
				}
			})
		})
	}
}

// BenchmarkGemmBF16 is BenchmarkGemm for operands rounded to bfloat16, where there are instructions for them.
func BenchmarkGemmBF16(b *testing.B) {
	if _, ok := bf16Shape(); !ok {
		b.Skip("this processor multiplies no bfloat16")
	}
	w := NewWork(nil)
	w.RoundBF16()
	for _, s := range append(gemmShapes[:len(gemmShapes):len(gemmShapes)], narrowShapes...) {
		b.Run(fmt.Sprintf("%s/%dx%dx%d", s.kind, s.m, s.n, s.k), func(b *testing.B) {
			a, x := M(noise(s.m*s.k, 1, 1), s.m, s.k), M(noise(s.k*s.n, 1, 2), s.k, s.n)
			var p *Packed
			switch s.kind {
			case "NT":
				half := make([]uint16, len(x.Data))
				ToBF16(half, x.Data)
				p = PackBF16(half, s.n, s.k)
				x = M(x.Data, s.n, s.k).T()
			case "TN":
				a = M(a.Data, s.k, s.m).T()
			}
			c := M(make([]float32, s.m*s.n), s.m, s.n)
			flops := 2 * float64(s.m) * float64(s.n) * float64(s.k)
			reps := repeat(flops)
			limit := peak(2)
			report := func(name string, d time.Duration) {
				rate := flops * float64(reps) / d.Seconds() / 1e9
				b.ReportMetric(rate, name+"GFLOP/s")
				b.ReportMetric(100*rate/limit, name+"%peak")
			}
			report("", best(b, func() {
				for range reps {
					Gemm(w, c, a, x, Epilogue{})
				}
			}))
			if p == nil {
				return
			}
			shortest := time.Hour
			for end := time.Now().Add(50 * time.Millisecond); time.Now().Before(end); {
				stop := stopwatch()
				for range reps {
					GemmPacked(w, c, a, p, Epilogue{})
				}
				shortest = min(shortest, stop())
			}
			report("packed-", shortest)
		})
	}
}

// BenchmarkGemmInt8 is the same by weights of one byte, rounding the rows included.
func BenchmarkGemmInt8(b *testing.B) {
	if _, ok := int8Shape(); !ok {
		b.Skip("this processor multiplies no bytes")
	}
	w := NewWork(nil)
	for _, s := range append(narrowShapes, gemmShapes[:3]...) {
		b.Run(fmt.Sprintf("%dx%dx%d", s.m, s.n, s.k), func(b *testing.B) {
			a, scale := M(noise(s.m*s.k, 1, 1), s.m, s.k), noise(s.n, 1, 2)
			q := make([]int8, s.n*s.k)
			for i := range q {
				q[i] = int8(i * 37)
			}
			p, c := PackInt8(q, scale, s.n, s.k), M(make([]float32, s.m*s.n), s.m, s.n)
			flops := 2 * float64(s.m) * float64(s.n) * float64(s.k)
			reps, limit := repeat(flops), peak(4)
			d := best(b, func() {
				for range reps {
					GemmPacked(w, c, a, p, Epilogue{})
				}
			})
			rate := flops * float64(reps) / d.Seconds() / 1e9
			b.ReportMetric(rate, "GOP/s")
			b.ReportMetric(100*rate/limit, "%peak")
		})
	}
}

// BenchmarkGemmPool is the large case over all cores.
func BenchmarkGemmPool(b *testing.B) {
	pool := NewPool(0)
	defer pool.Close()
	w := NewWork(pool)
	const m, n, k = 2192, 768, 768
	a, x, c := M(noise(m*k, 1, 1), m, k), Pack(M(noise(k*n, 1, 2), k, n)), M(make([]float32, m*n), m, n)
	d := time.Hour // by the wall clock: the work is not this thread's alone
	for b.Loop() {
		start := time.Now()
		GemmPacked(w, c, a, x, Epilogue{})
		d = min(d, time.Since(start))
	}
	b.ReportMetric(2*m*n*k/d.Seconds()/1e9, "GFLOP/s")
}

// BenchmarkVectors reports the best nanoseconds for an element, over 2048 elements in the first cache.
func BenchmarkVectors(b *testing.B) {
	const n = 2048
	for _, c := range vectorCases {
		b.Run(c.name, func(b *testing.B) {
			eachImplB(b, func(b *testing.B) {
				in := c.input(n, 1)
				d := best(b, func() {
					for range 10 {
						c.call(in)
					}
				})
				b.ReportMetric(float64(d.Nanoseconds())/(10*n), "ns/elem")
			})
		})
	}
}

// BenchmarkRows reports the same for rows of 192.
func BenchmarkRows(b *testing.B) {
	const rows, d = 8, 192
	x, y, dy := noise(rows*d, 1, 1), noise(rows*d, 1, 2), noise(rows*d, 1, 3)
	g, dg, db, mean, rstd := noise(d, 1, 4), noise(d, 1, 5), noise(d, 1, 6), make([]float32, rows), make([]float32, rows)
	LayerNormRows(y, mean, rstd, x, g, g, rows, d, 1e-5)
	for _, c := range []struct {
		name string
		call func()
	}{
		{"LayerNorm", func() { LayerNormRows(y, mean, rstd, x, g, g, rows, d, 1e-5) }},
		{"LayerNormGrad", func() { LayerNormRowsGrad(y, dg, db, dy, x, g, mean, rstd, rows, d) }},
		{"RMSNorm", func() { RMSNormRows(y, rstd, x, g, rows, d, 1e-5) }},
		{"RMSNormGrad", func() { RMSNormRowsGrad(y, dg, dy, x, g, rstd, rows, d) }},
		{"Softmax", func() { SoftmaxRows(y, rows, d, d, 1) }},
		{"SoftmaxGrad", func() { SoftmaxRowsGrad(y, x, dy, rows, d, d, 1) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			eachImplB(b, func(b *testing.B) {
				t := best(b, func() {
					for range 40 {
						c.call()
					}
				})
				b.ReportMetric(float64(t.Nanoseconds())/(40*rows*d), "ns/elem")
			})
		})
	}
}
