package kernel

import "fovea/internal/memory"

// Packed is the right-hand side of a product in the layout of the micro-kernels, for weights that many products share. It
// is a copy and is read-only, so goroutines may share it. The layout belongs to the implementation that made it.
type Packed struct {
	k, n  int
	shape tileShape
	bf16  bool      // factors are bfloat16, see PackBF16
	data  []float32 // panels [⌈n/nr⌉][⌈k/group⌉, padded][nr], the last one padded
	half  []uint16  // or the same in bfloat16, to be widened when used
	bytes []int8    // or as bytes, to be widened, too
	// Of bytes, see PackInt8: what a column is multiplied by, and the sum of the column multiplied by it.
	scale, shift []float32
}

// Pack copies b [K, N], of any strides.
func Pack(b Mat) *Packed {
	b.check("Pack")
	shape := gemmShape()
	nr := shape.nr
	panels := ceilDiv(b.Cols, nr)
	p := &Packed{k: b.Rows, n: b.Cols, shape: shape, data: memory.Make[float32](panels * b.Rows * nr)}
	for j := range panels {
		size := b.Rows * nr
		packPanel(p.data[j*size:(j+1)*size], b, 0, b.Rows, j*nr, min((j+1)*nr, b.Cols), nr)
	}
	return p
}

// lay lays out all of w.
func (p *Packed) lay(w *weights) {
	units, nr := ceilDiv(p.k, p.shape.group), p.shape.nr
	rows := p.shape.padded(units)
	p.data = memory.Make[float32](ceilDiv(p.n, nr) * rows * nr)
	var scratch []float32
	for j := 0; j < p.n && units > 0; j += nr {
		w.panel(p.data[j*rows:][:units*nr], &p.shape, p.k, 0, units, j, min(j+nr, p.n), &scratch)
	}
}

// Fits reports whether the implementation in use is the one that p was made for.
func (p *Packed) Fits() bool {
	if s, ok := bf16Shape(); ok && p.bf16 {
		return p.shape == s
	}
	if s, ok := int8Shape(); ok && p.scale != nil {
		return p.shape == s
	}
	return p.shape == gemmShape()
}

// Divides reports whether a part of p may begin at row k0 and column n0 (GemmPart). Bytes, whose sums belong to whole columns, and
// factors that are widened when they are used have no parts.
func (p *Packed) Divides(k0, n0 int) bool {
	return p.data != nil && p.scale == nil && n0%p.shape.nr == 0 && k0%p.shape.group == 0 && p.shape.padded(k0/p.shape.group) == k0/p.shape.group
}

// Rows returns K.
func (p *Packed) Rows() int { return p.k }

// Cols returns N.
func (p *Packed) Cols() int { return p.n }

// packPanel copies rows [r0, r0+k) and columns [c0, c1) of m to dst [k][width]. What lies beyond c1 is filled with
// numbers that no one uses, so that they need not be zero.
func packPanel(dst []float32, m Mat, r0, k, c0, c1, width int) {
	if k == 0 {
		return
	}
	n := c1 - c0
	src := m.Data[r0*m.RS+c0*m.CS:]
	switch {
	case m.CS == 1:
		packRows(dst, src, k, m.RS, n, width)
	case m.RS == 1:
		packCols(dst, src, k, m.CS, n, width)
	default:
		for i := range k {
			row := dst[i*width : (i+1)*width]
			for j := range row {
				row[j] = src[i*m.RS+min(j, n-1)*m.CS]
			}
		}
	}
}

// packRowsGeneric sets dst[i*width+j] = src[i*ld+j] for i < k and j < n ≤ width; the rest of a row is zero.
func packRowsGeneric(dst, src []float32, k, ld, n, width int) {
	for i := range k {
		clear(dst[i*width+copy(dst[i*width:i*width+n], src[i*ld:]) : (i+1)*width])
	}
}

// packColsGeneric sets dst[i*width+j] = src[j*ld+i] for i < k and j < n ≤ width; the rest repeats column n−1.
func packColsGeneric(dst, src []float32, k, ld, n, width int) {
	for j := range width {
		col := src[min(j, n-1)*ld:]
		for i, v := range col[:k] {
			dst[i*width+j] = v
		}
	}
}
