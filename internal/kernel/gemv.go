package kernel

import (
	"fmt"
	"math"
)

// Rows is a matrix [N, K] of weights, row after row, in one of several number formats. It owns nothing: the weights may be
// those of a mapped file.
type Rows struct {
	N, K int
	// One of these holds N·K weights.
	F32       []float32
	BF16, F16 []uint16
	BF12      *BF12
}

// holds reports whether the weights are there.
func (r *Rows) holds() bool {
	if r.BF12 != nil {
		return r.BF12.N == r.N && r.BF12.K == r.K
	}
	return len(r.F32)+len(r.BF16)+len(r.F16) >= r.N*r.K
}

// FewRows is the height of x up to which MulRows is the best way to multiply: it reads the weights once, as fast as memory
// gives them, and computes with float32 whatever they are. Taller products are worth converting and packing the weights.
const FewRows = 8

// fewPass is the number of rows that a kernel multiplies in one pass over the weights; fewBlock is how many bytes of weights
// several passes are made over before the next, so that only the first reads them from memory.
const (
	fewPass  = 4
	fewBlock = 32 << 10
)

// MulRows computes y = x·wᵀ + bias for x [M, K] and y [M, N], both with adjacent columns. bias has N elements or is nil. The
// weights are spread over w's pool. It panics when sizes disagree.
func MulRows(w *Work, y, x Mat, r Rows, bias []float32) {
	f := &w.few
	if f.prepare(y, x, r, bias, nil) {
		w.fork(f.size(r.K), r.N, f)
	}
	f.done()
}

// prepare readies a product and reports whether there is anything to do. like is another one in bfloat16 by the same x, or nil.
func (f *few) prepare(y, x Mat, r Rows, bias []float32, like *few) bool {
	y.check("MulRows: y")
	x.check("MulRows: x")
	if x.Rows != y.Rows || x.Cols != r.K || y.Cols != r.N || !r.holds() || bias != nil && len(bias) != r.N || y.CS != 1 || x.CS != 1 {
		panic(fmt.Sprintf("kernel: MulRows: y %d×%d = x %d×%d · weights of %d×%d, bias of %d", y.Rows, y.Cols, x.Rows, x.Cols, r.N, r.K, len(bias)))
	}
	if y.Rows == 0 || y.Cols == 0 {
		return false
	}
	f.y, f.rows, f.bias = y, r, bias
	f.lanes, f.step = fewLanes(), fewLanes()
	if r.BF16 != nil {
		f.step *= 2
	}
	if f.whole = r.K / f.step * f.step; r.BF12 != nil {
		f.whole = r.K
	}
	f.x, f.ldx = x.Data, x.RS
	switch {
	case r.BF16 == nil || f.lanes == 1:
	case like != nil:
		f.x, f.ldx = like.x, like.ldx
	default:
		f.x, f.ldx = grow(&f.order, x.Rows*f.whole), f.whole
		for i := range x.Rows {
			evenOdd(f.x[i*f.whole:(i+1)*f.whole], x.Data[i*x.RS:], f.lanes)
		}
	}
	f.tail, f.ldt = x.Data, x.RS
	return true
}

// done forgets what is the caller's.
func (f *few) done() { *f = few{order: f.order} }

// few is a product of few rows under way.
type few struct {
	y           Mat
	rows        Rows
	bias        []float32
	x, tail     []float32 // x in the kernel's order, and as it is
	ldx, ldt    int
	lanes, step int
	whole       int // elements of a row that make whole steps
	order       []float32
}

// size is the bytes of n weights.
func (f *few) size(n int) int {
	switch {
	case f.rows.F32 != nil:
		return 4 * n
	case f.rows.BF12 != nil:
		return n / bf12Chunk * bf12Bytes
	}
	return 2 * n
}

// part multiplies by rows [from, to) of the weights.
func (f *few) part(from, to int) {
	block := max(fewBlock/max(f.size(f.rows.K), 1), 1)
	if f.y.Rows <= fewPass {
		block = to - from
	}
	for ; from < to; from += block {
		end := min(from+block, to)
		for i := 0; i < f.y.Rows; i += fewPass {
			f.pass(i, min(fewPass, f.y.Rows-i), from, end)
		}
	}
}

// pass multiplies m rows of x from row i on.
func (f *few) pass(i, m, from, to int) {
	y, x := f.y.Data[i*f.y.RS+from:], f.x[i*f.ldx:]
	n, k, at := to-from, f.rows.K, from*f.rows.K
	switch {
	case f.whole == 0:
		for j := range m {
			clear(y[j*f.y.RS : j*f.y.RS+n])
		}
	case f.rows.BF12 != nil:
		b := f.rows.BF12
		gemvBF12(m, y, x, b.data[at/bf12Chunk*bf12Bytes:], b.scale[from:], n, k, f.y.RS, f.ldx)
		b.correct(m, y, x, from, to, f.y.RS, f.ldx)
	case f.rows.F32 != nil:
		gemvF32(m, y, x, f.rows.F32[at:], n, f.whole, k, f.y.RS, f.ldx)
	case f.rows.BF16 != nil:
		gemvBF16(m, y, x, f.rows.BF16[at:], n, f.whole, k, f.y.RS, f.ldx)
	default:
		gemvF16(m, y, x, f.rows.F16[at:], n, f.whole, k, f.y.RS, f.ldx)
	}
	for j := range m {
		row := y[j*f.y.RS : j*f.y.RS+n]
		if f.whole < k {
			x := f.tail[(i+j)*f.ldt : (i+j)*f.ldt+k]
			for o := range row {
				for l := f.whole; l < k; l++ {
					row[o] += f.rows.at((from+o)*k+l) * x[l]
				}
			}
		}
		if f.bias != nil {
			addTo(row, f.bias[from:to])
		}
	}
}

// at is weight i.
func (r *Rows) at(i int) float32 {
	switch {
	case r.F32 != nil:
		return r.F32[i]
	case r.BF16 != nil:
		return math.Float32frombits(uint32(r.BF16[i]) << 16)
	}
	return Float16(r.F16[i])
}

// evenOdd puts the elements of even number of each 2·lanes before those of odd number.
func evenOdd(dst, x []float32, lanes int) {
	for ; lanes == 16 && len(dst) >= 32; dst, x = dst[32:], x[32:] { // without checks of each index, which would take longer than to move the elements
		d, s := (*[32]float32)(dst), (*[32]float32)(x)
		for j := range 16 {
			d[j], d[16+j] = s[2*j], s[2*j+1]
		}
	}
	for i := 0; i < len(dst); i += 2 * lanes {
		d, s := dst[i:i+2*lanes], x[i:i+2*lanes]
		for j := range lanes {
			d[j], d[lanes+j] = s[2*j], s[2*j+1]
		}
	}
}

// forkBytes is the weights' size below which they are not worth a fork, and the least that a part of them has.
const forkBytes = 16 << 10

// partsEach is how many parts a worker gets on average: those who are slower, or wake up later, take fewer.
const partsEach = 4

// splitter is work on rows [from, to) of n.
type splitter interface{ part(from, to int) }

// fork spreads n rows of so many bytes each over the pool.
func (w *Work) fork(bytes, n int, s splitter) {
	parts := min(w.pool.Workers()*partsEach, bytes*n/forkBytes, n)
	if w.pool.Workers() == 1 || parts < 2 {
		s.part(0, n)
		return
	}
	w.forked = forked{s, n, parts}
	w.pool.Run(parts, w.share)
	w.forked = forked{}
}

// forked is what is being spread.
type forked struct {
	s        splitter
	n, parts int
}

// run does part i, which may have no rows.
func (f *forked) run(i int) {
	if from, to := edge(f.n, i, f.parts), edge(f.n, i+1, f.parts); from < to {
		f.s.part(from, to)
	}
}

// edge is where part i of n begins. Parts become smaller towards the end: of 8 the first is 15/64 and the last 1/64, so that most is read
// in long runs, and nobody waits long for another at last (guided self-scheduling: Polychronopoulos and Kuck, 1987). Where n is small
// parts are equal, or one of them would have the rows of several.
func edge(n, i, parts int) int {
	if n < 4*parts {
		return n * i / parts
	}
	return n - n*(parts-i)*(parts-i)/(parts*parts)
}

// FromF16 widens IEEE 754 binary16 to float32, exactly.
func FromF16(dst []float32, src []uint16) {
	same("FromF16", len(dst), len(src))
	fromF16(dst, src)
}

func fromF16Generic(dst []float32, src []uint16) {
	for i, v := range src {
		dst[i] = Float16(v)
	}
}

// Float16 widens an IEEE 754 binary16, exactly.
func Float16(h uint16) float32 {
	sign, exp, frac := uint32(h>>15)<<31, uint32(h>>10)&31, uint32(h)&1023
	switch exp {
	case 0: // zero or subnormal: frac·2⁻²⁴
		return math.Float32frombits(sign | math.Float32bits(float32(frac)*(1.0/(1<<24))))
	case 31:
		return math.Float32frombits(sign | 0x7f800000 | frac<<13)
	}
	return math.Float32frombits(sign | (exp+112)<<23 | frac<<13)
}

// gemvGeneric sets y[j·ldy+i] = Σ w(i·ldw+l)·x[j·ldx+l] for l < k, m rows j and n rows i.
func gemvGeneric(m int, y, x []float32, r Rows, n, k, ldw, ldy, ldx int) {
	for i := range n {
		for j := range m {
			s := float32(0)
			for l, v := range x[j*ldx : j*ldx+k] {
				s += r.at(i*ldw+l) * v
			}
			y[j*ldy+i] = s
		}
	}
}

// mixBF16Generic adds Σ s[j·lds+t]·v[t·ldv+l] over t < n to y[j·ldy+l], m rows j, l < k.
func mixBF16Generic(m int, y, s []float32, v []uint16, n, k, ldv, ldy, lds int) {
	for j := range m {
		row := y[j*ldy : j*ldy+k]
		for t, p := range s[j*lds : j*lds+n] {
			for l, b := range v[t*ldv : t*ldv+k] {
				row[l] += p * math.Float32frombits(uint32(b)<<16)
			}
		}
	}
}
