package kernel

import "math"

// PackInt8 prepares the transpose of q [n, k], row i of which counts scale[i] times, for GemmPacked, which then rounds every row
// of the left-hand side to 256 steps between its least and its largest element (dynamic quantisation, a scale and an offset for
// each row; Jacob et al. 2018). With x ≈ lo + step·u for bytes u,
//
//	Σₖ x[k]·scale·q[k] ≈ step·scale·Σₖ u[k]·q[k] + lo·scale·Σₖ q[k]
//
// where the first sum is one of integers, which processors with VNNI add up exactly and four products at a time, those with AVX2
// two at a time, from a copy of 16 bits a weight; elsewhere the same integers are multiplied as float32. A row that is not finite gives a row of NaN. There is no Beta. k is at most
// MaxInt8: the sums have 32 bits.
func PackInt8(q []int8, scale []float32, n, k int) *Packed {
	same("PackInt8", len(q), n*k)
	same("PackInt8", len(scale), n)
	if k > MaxInt8 {
		panic("kernel: PackInt8: k is beyond MaxInt8")
	}
	p := &Packed{k: k, n: n, shape: gemmShape(), scale: scale, shift: ShiftInt8(q, scale, k)}
	if s, ok := int8Shape(); ok {
		p.shape = s
		p.lay(&weights{bytes: q})
		return p
	}
	nr := p.shape.nr
	p.bytes = make([]int8, ceilDiv(n, nr)*k*nr)
	for j := range n {
		at := j/nr*k*nr + j%nr
		for i, v := range q[j*k : (j+1)*k] {
			p.bytes[at+i*nr] = v
		}
	}
	return p
}

// ShiftInt8 is the sum of each row of q [len(scale), k], times its scale: what an offset of the left-hand side is multiplied by.
func ShiftInt8(q []int8, scale []float32, k int) []float32 {
	shift := make([]float32, len(scale))
	for j := range shift {
		s := 0
		for _, v := range q[j*k : (j+1)*k] {
			s += int(v)
		}
		shift[j] = float32(s) * scale[j]
	}
	return shift
}

// GemmInt8 is GemmPacked with PackInt8(q, scale, c.Cols, a.Cols) for weights beside which there shall be no second copy: they are laid
// out as the product goes. shift is ShiftInt8 of them.
func GemmInt8(w *Work, c, a Mat, q []int8, scale, shift []float32, ep Epilogue) {
	n, k := len(scale), a.Cols
	if c.Cols != n || len(q) != n*k || len(shift) != n || k > MaxInt8 {
		panicSizes("GemmInt8", c, a, len(q)/max(n, 1), n)
	}
	w.job.b, w.job.packed, w.job.weights = Mat{}, nil, weights{bytes: q}
	w.job.scale, w.job.shift = scale, shift
	w.multiply("GemmInt8", c, a, n, ep)
}

// MaxInt8 is the largest k of PackInt8.
const MaxInt8 = math.MaxInt32 / (255 * 128)

// coded is a matrix whose rows were rounded to bytes: in groups of a row's neighbours, or one by one as float32.
type coded struct {
	from     Mat
	grouped  bool // as int8Shape says
	data     []float32
	rs       int
	lo, step []float32 // of each row
}

// quantized rounds the rows of a.
func (w *Work) quantized(a Mat, s tileShape) Mat {
	q := &w.coded
	units := ceilDiv(a.Cols, s.group)
	if q.rs = ceilDiv(units, 4) * 4; q.rs%256 == 0 {
		q.rs += 16 // rows a multiple of 1 KiB apart would share a few sets of the cache
	}
	if a.CS != 1 && a.Cols > 0 {
		rows := M(grow(&w.ra, a.Rows*a.Cols), a.Rows, a.Cols)
		for i := range a.Rows {
			row := rows.Row(i)
			for j := range row {
				row[j] = a.Data[i*a.RS+j*a.CS]
			}
		}
		a = rows
	}
	q.from, q.grouped = a, s.group > 1
	// AMX reads on behind a row, up to amxUnits elements, and multiplies them by zero.
	q.data, q.lo, q.step = grow(&w.rb, a.Rows*q.rs+amxUnits), grow(&q.lo, a.Rows), grow(&q.step, a.Rows)
	w.fork(4*a.Cols, a.Rows, q)
	q.from = Mat{}
	return Mat{Data: q.data, Rows: a.Rows, Cols: units, RS: q.rs, CS: 1}
}

// part rounds rows [from, to).
func (q *coded) part(from, to int) {
	for i := from; i < to; i++ {
		x, out := q.from.Row(i), q.data[i*q.rs:(i+1)*q.rs]
		lo, hi, zero := spread(x)
		step, inv := hi/255-lo/255, float32(0)
		switch {
		case zero != 0:
			lo, step = 0, float32(math.NaN())
		case step > 1e-37:
			inv = 1 / step
		default: // all the same, but for what is too small to tell
			step = 0
		}
		q.lo[i], q.step[i] = lo, step
		if q.grouped {
			encodeRow(out, x, lo, inv)
		} else {
			encodeRowGeneric(out, x, lo, inv)
		}
	}
}

// decode makes numbers of the sums in rows [r0, r1) and columns [c0, c1) of c, and adds the bias.
func (p *product) decode(r0, r1, c0, c1 int) {
	q := p.coded
	bias := p.ep.Bias
	if bias != nil {
		bias = bias[c0:c1]
	}
	for i := r0; i < r1; i++ {
		if c := p.c.Row(i)[c0:c1]; q.grouped {
			decodeRow(c, p.scale[c0:c1], p.shift[c0:c1], bias, q.step[i], q.lo[i])
		} else {
			decodeRowGeneric(c, p.scale[c0:c1], p.shift[c0:c1], bias, q.step[i], q.lo[i])
		}
	}
}

// spreadGeneric finds the least and the largest element, and adds up each times zero, which is NaN unless all are finite.
func spreadGeneric(x []float32) (lo, hi, zero float32) {
	lo, hi = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
		zero += 0 * v
	}
	return lo, hi, zero
}

// encodeRowGeneric rounds (x − lo)·inv to nearest integers, ties to even.
func encodeRowGeneric(dst, x []float32, lo, inv float32) {
	const magic = 3 << 22 // float32 from here on are integers
	for i, v := range x {
		v = (v - lo) * inv
		dst[i] = v + magic - magic
	}
}

// decodeRowGeneric turns sums c into (step·scale)·c + lo·shift + bias, in place. bias may be nil.
func decodeRowGeneric(c, scale, shift, bias []float32, step, lo float32) {
	for j, v := range c {
		v = v*(step*scale[j]) + lo*shift[j]
		if bias != nil {
			v += bias[j]
		}
		c[j] = v
	}
}
