package bench

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"fovea/internal/kernel"
)

// Product is a matrix product c [M, N] = a [M, K] · b [K, N] by weights that are packed before, or, of a single row, that
// are read from memory.
type Product struct {
	Name    string
	M, N, K int
	BF16    bool // factors are bfloat16, else float32
}

// Products lists what fovea bench gemm measures: a large square and the maps of transformers.
func Products() (out []Product) {
	for _, bf16 := range []bool{false, true} {
		out = append(out, []Product{
			{"1536³", 1536, 1536, 1536, bf16},
			{"ViT-B, queries, keys, values", 197, 2304, 768, bf16},
			{"ViT-B, output", 197, 768, 768, bf16},
			{"ViT-B, up", 197, 3072, 768, bf16},
			{"ViT-B, down", 197, 768, 3072, bf16},
			{"width 256, up", 320, 1024, 256, bf16},
			{"width 192, up, batch 8", 1576, 768, 192, bf16},
			{"one row", 1, 8192, 4096, bf16},
		}...)
	}
	return out
}

func (p Product) String() string {
	f := "f32"
	if p.BF16 {
		f = "bf16"
	}
	return fmt.Sprintf("%s, %d×%d×%d, %s", p.Name, p.M, p.N, p.K, f)
}

// flop is the operations of the product.
func (p Product) flop() float64 { return 2 * float64(p.M) * float64(p.N) * float64(p.K) }

// Intensity is operations for each byte of a, b and c, had each to be moved once: the horizontal axis of a roofline
// (Williams, Waterman and Patterson 2009).
func (p Product) Intensity() float64 {
	weight := 4
	if p.BF16 {
		weight = 2
	}
	return p.flop() / float64(4*p.M*p.K+weight*p.K*p.N+4*p.M*p.N)
}

// Rate is what was measured of a product; rates are operations a second.
type Rate struct {
	Product
	Threads      int
	Best, Median float64
	// Peak is the most that the threads did in a loop of multiply-adds of the same format, in the same rounds; 0: unknown.
	Peak float64
	// Memory is the bytes a second that they read, 0 where it was not measured.
	Memory float64
}

// Limit is the roof over the product: peak, or what memory delivers where that is less.
func (r Rate) Limit() float64 {
	if r.Memory > 0 && r.M == 1 {
		return min(r.Peak, r.Memory*r.Intensity())
	}
	return r.Peak
}

// Share is Best as a part of Limit, 0 where that is unknown.
func (r Rate) Share() float64 {
	if l := r.Limit(); l > 0 {
		return r.Best / l
	}
	return 0
}

// ShareLimits gives rates of one format and number of threads the best of their limits: on a shared machine a short loop may
// have had to do without a core.
func ShareLimits(rates []Rate) {
	for i := range rates {
		for _, o := range rates {
			if r := &rates[i]; o.BF16 == r.BF16 && o.Threads == r.Threads {
				r.Peak, r.Memory = max(r.Peak, o.Peak), max(r.Memory, o.Memory)
			}
		}
	}
}

// MeasureProduct times a product for so many seconds, in turns with what the machine can do at best, so that whatever disturbs one
// disturbs the other.
func MeasureProduct(p Product, threads int, seconds float64) Rate {
	pool := kernel.NewPool(threads)
	defer pool.Close()
	run := p.prepare(kernel.NewWork(pool))
	reps := max(1, int(2e8/p.flop()))
	group := 1
	if p.BF16 {
		group = 2
	}
	var mem []float32
	if p.M == 1 {
		mem = bulk()
	}
	r := Rate{Product: p, Threads: pool.Workers()}
	var rates []float64
	run()
	for start := time.Now(); len(rates) < 3 || time.Since(start).Seconds() < seconds; {
		r.Peak = max(r.Peak, peak(pool, group))
		if mem != nil {
			r.Memory = max(r.Memory, bandwidth(pool, mem))
		}
		for range 8 {
			t := time.Now()
			for range reps {
				run()
			}
			rates = append(rates, float64(reps)*p.flop()/time.Since(t).Seconds())
		}
	}
	slices.SortFunc(rates, func(a, b float64) int { return cmp.Compare(b, a) })
	r.Best, r.Median = rates[0], rates[len(rates)/2]
	return r
}

// prepare returns a function that multiplies once.
func (p Product) prepare(w *kernel.Work) func() {
	rng := rand.New(rand.NewPCG(1, 1))
	a, c := kernel.M(noise(rng, p.M*p.K, 1), p.M, p.K), kernel.M(make([]float32, p.M*p.N), p.M, p.N)
	b := make([]float32, p.N*p.K) // rows of the transpose, as layers hold them
	for i := range b {
		b[i] = float32(i%251-125) / 256
	}
	var half []uint16
	if p.BF16 {
		half = make([]uint16, len(b))
		kernel.ToBF16(half, b)
	}
	if p.M == 1 {
		rows := kernel.Rows{N: p.N, K: p.K, F32: b}
		if p.BF16 {
			rows = kernel.Rows{N: p.N, K: p.K, BF16: half}
		}
		return func() { kernel.MulRows(w, c, a, rows, nil) }
	}
	packed := kernel.Pack(kernel.M(b, p.N, p.K).T())
	if p.BF16 {
		packed = kernel.PackBF16(half, p.N, p.K)
	}
	return func() { kernel.GemmPacked(w, c, a, packed, kernel.Epilogue{}) }
}
