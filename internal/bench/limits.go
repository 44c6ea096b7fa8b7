package bench

import (
	"time"

	"fovea/internal/kernel"
	"fovea/internal/memory"
)

// bulk is more memory than caches hold.
func bulk() []float32 {
	m := memory.Make[float32](64 << 20)
	for i := range m {
		m[i] = float32(i & 7)
	}
	return m
}

// bandwidth is how many bytes a second the pool's threads read of mem at best: adding it up, or multiplying a row by it, which fetches
// ahead and is the faster one on some processors.
func bandwidth(pool *kernel.Pool, mem []float32) float64 {
	const width = 1 << 12
	best, parts := 0., 16*pool.Workers()
	x := kernel.M(mem[:width], 1, width)
	works := make([]*kernel.Work, parts)
	sums := make([]float32, parts*(len(mem)/width/parts+1))
	for i := range works {
		works[i] = kernel.NewWork(nil)
	}
	for _, read := range []func(i int, part []float32){
		func(_ int, part []float32) { kernel.Sum(part) },
		func(i int, part []float32) {
			n := len(part) / width
			y := kernel.M(sums[i*len(sums)/parts:], 1, n)
			kernel.MulRows(works[i], y, x, kernel.Rows{N: n, K: width, F32: part}, nil)
		},
	} {
		for range 4 {
			start := time.Now()
			pool.Run(parts, func(i int) { read(i, mem[len(mem)*i/parts:len(mem)*(i+1)/parts]) })
			best = max(best, 4*float64(len(mem))/time.Since(start).Seconds())
		}
	}
	return best
}

// peak is how many operations a second the pool's threads do at best in a loop of multiply-adds (kernel.MultiplyAdds), or 0
// where there is no such loop.
func peak(pool *kernel.Pool, group int) float64 {
	const (
		parts  = 32
		rounds = 20000
	)
	ops := kernel.MultiplyAdds(rounds, group)
	if ops == 0 {
		return 0
	}
	best := 0.
	for range 3 {
		start := time.Now()
		pool.Run(parts, func(int) { kernel.MultiplyAdds(rounds, group) })
		best = max(best, parts*ops/time.Since(start).Seconds())
	}
	return best
}

// MultipliesBF16 reports whether the processor has instructions for products of bfloat16 that the kernels use.
func MultipliesBF16() bool { return kernel.FastBF16() }
