package kernel

import "fovea/internal/memory"

// Work is what one goroutine needs to multiply matrices: packing buffers that grow to the largest product met and are then
// reused, and optionally a Pool. Two goroutines must not share one.
type Work struct {
	pool *Pool
	bufs []packBuf // one for each part of a product that may run at the same time
	job  product
	part func(i int) // job.part, made once so that Run allocates nothing

	few    few       // product of few rows under way, see MulRows
	quant  quantized // see MulInt8
	glance glance    // see AttendRow
	attend attend
	forked forked // see fork
	share  func(i int)

	group     group // see MulTogether
	groupPart func(i int)

	own    []*Work // of the parts of SplitWork
	bf16   bool    // round operands, see RoundBF16
	ra, rb []float32
	wide   []float32 // see GemmBF16
	laid   [2]laid   // see Lay
	coded  coded     // left-hand side in bytes, see PackInt8

	winograd winograd
	halves   []uint16
}

type packBuf struct {
	a, b  []float32
	pairs []float32 // on the way to a or b
	strip []float32 // on the way to a's tiles, see tileLines
	args  gemmArgs
	amx   amxArgs
}

// NewWork returns the buffers of one goroutine. Large products are spread over pool; nil keeps all on the caller, which
// is right when the caller itself is one of several replicas.
func NewWork(pool *Pool) *Work {
	w := &Work{pool: pool, bufs: make([]packBuf, 1)}
	if n := pool.Workers(); n > 1 {
		w.bufs = make([]packBuf, n*partsEach)
	}
	w.job.bufs, w.job.coded = w.bufs, &w.coded
	w.part, w.share, w.groupPart = w.job.part, w.forked.run, w.group.part
	return w
}

// grow returns n elements of *s that start at a cache line, reallocating if need be; the contents are undefined.
func grow(s *[]float32, n int) []float32 {
	if len(*s) < n {
		*s = memory.Make[float32](n)
	}
	return (*s)[:n]
}

// room returns n elements, those of s if it has as many; the contents are undefined.
func room(s []float32, n int) []float32 {
	if cap(s) >= n {
		return s[:n]
	}
	return memory.Make[float32](n)
}
