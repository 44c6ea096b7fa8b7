package kernel

import "unsafe"

// weights are the rows of a right-hand side's transpose in fewer bits than float32, which are laid out for the micro-kernels as the
// product goes: beside large ones there shall be no second copy.
type weights struct {
	half  []uint16 // bfloat16
	bytes []int8
	int4  *Int4Words
}

// any reports whether there are weights.
func (w *weights) any() bool { return w.half != nil || w.bytes != nil || w.int4 != nil }

// panels lays out elements [pc, pc+k) of columns [jc, je), panel by panel.
func (w *weights) panels(p *product, buf *packBuf, pc, k, jc, je int) rhsPanels {
	size := p.padded(k) * p.shape.nr
	data := grow(&buf.b, ceilDiv(je-jc, p.shape.nr)*size)
	for j, c := 0, jc; c < je; j, c = j+1, c+p.shape.nr {
		to := data[j*size : (j+1)*size]
		w.panel(to[:k*p.shape.nr], &p.shape, p.k, pc, k, c, min(c+p.shape.nr, je), &buf.pairs)
		clear(to[k*p.shape.nr:])
	}
	return rhsPanels{data: data, panel: size, row: p.shape.nr}
}

// panel lays out columns [c0, c1), at most a panel of them, and elements [pc, pc+n) of a shape's group of rows of k numbers.
func (w *weights) panel(dst []float32, s *tileShape, k, pc, n, c0, c1 int, scratch *[]float32) {
	switch {
	case w.int4 != nil:
		w.int4.lay(dst, c0, pc/int4Units, n/int4Units)
		return
	case s.pairs() && k%2 == 0:
		packCols(dst, pairsOf(w.half)[c0*k/2+pc:], n, k/2, c1-c0, s.nr)
		return
	}
	rows := grow(scratch, packRun*s.nr)
	for r := 0; r < n; r += packRun {
		units := min(packRun, n-r)
		from := (pc + r) * s.group
		to := min(from+units*s.group, k)
		for c := c0; c < c1; c++ {
			row := rows[(c-c0)*packRun : (c-c0)*packRun+units]
			row[units-1] = 0 // the last group may lack some
			w.fill(row, s, c*k+from, c*k+to)
		}
		packCols(dst[r*s.nr:(r+units)*s.nr], rows, units, packRun, c1-c0, s.nr)
	}
}

// fill writes weights [from, to) as a shape's kernels read them.
func (w *weights) fill(dst []float32, s *tileShape, from, to int) {
	switch {
	case w.half != nil && s.group == 2:
		copy(unsafe.Slice((*uint16)(unsafe.Pointer(unsafe.SliceData(dst))), 2*len(dst)), w.half[from:to])
	case w.half != nil:
		fromBF16(dst[:to-from], w.half[from:to])
	case s.words:
		widenWords(dst, w.bytes[from:to])
	case s.group == 4:
		copy(unsafe.Slice((*int8)(unsafe.Pointer(unsafe.SliceData(dst))), 4*len(dst)), w.bytes[from:to])
	default:
		dequantInt8(dst[:to-from], w.bytes[from:to], 1)
	}
}

// pairsOf sees bfloat16 as pairs of neighbours, each one element of 32 bits, whatever it holds.
func pairsOf(half []uint16) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(half))), len(half)/2)
}
