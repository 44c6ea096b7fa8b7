package kernel

import "fmt"

// Patches is the matrix of what a K×K kernel sees of pictures: a place of the kernel a row, in the order picture, row, column, and the
// K·K·C samples under it, rows, columns and channels of the kernel from outer to inner; samples outside the picture are zero ("im2col",
// Chellapilla, Puri and Simard 2006). It is K·K/S² times as large as the pictures and is never laid out: products write the part that they
// are about to read in the form in which they read it.
type Patches struct {
	Data       []float32 // pictures [B, H, W, C]
	B, H, W, C int
	OH, OW     int // places in a picture, downwards and across
	K, S, Pad  int // kernel, stride, zeros before the first row and column
}

// Rows is the number of places.
func (p *Patches) Rows() int { return p.B * p.OH * p.OW }

// Cols is the number of samples under the kernel.
func (p *Patches) Cols() int { return p.K * p.K * p.C }

// GemmPatches is Gemm with patches as its left-hand side: a convolution, when b holds kernels as columns.
func GemmPatches(w *Work, c Mat, a Patches, b Mat, ep Epilogue) {
	b.check("GemmPatches: b")
	m := a.mat("GemmPatches")
	if m.Cols != b.Rows || c.Cols != b.Cols {
		panicSizes("GemmPatches", c, m, b.Rows, b.Cols)
	}
	j := &w.job
	j.b, j.packed, j.weights = b, nil, weights{}
	j.patches, j.patchesLeft = a, true
	w.multiply("GemmPatches", c, m, b.Cols, ep)
	j.patches, j.patchesLeft = Patches{}, false
}

// GemmByPatches is Gemm with patches as its right-hand side: the gradient of a convolution's kernels, when a holds gradients of the results as columns.
func GemmByPatches(w *Work, c, a Mat, b Patches, ep Epilogue) {
	m := b.mat("GemmByPatches")
	if a.Cols != m.Rows || c.Cols != m.Cols {
		panicSizes("GemmByPatches", c, a, m.Rows, m.Cols)
	}
	j := &w.job
	j.b, j.packed, j.weights = Mat{}, nil, weights{}
	j.patches, j.patchesRight = b, true
	w.multiply("GemmByPatches", c, a, m.Cols, ep)
	j.patches, j.patchesRight = Patches{}, false
}

// mat has the size of the matrix, and strides of zero, as it lies nowhere.
func (p *Patches) mat(fn string) Mat {
	if min(p.B, p.H, p.W, p.C, p.OH, p.OW, p.Pad) < 0 || min(p.K, p.S) < 1 || len(p.Data) < p.B*p.H*p.W*p.C {
		panic(fmt.Sprintf("kernel: %s: %d elements cannot be %d pictures of %d×%d×%d with a kernel of %d, stride %d, padding %d",
			fn, len(p.Data), p.B, p.H, p.W, p.C, p.K, p.S, p.Pad))
	}
	return Mat{Data: p.Data, Rows: p.Rows(), Cols: p.Cols()}
}

// rounded rounds the pictures to bfloat16.
func (p *Patches) rounded(w *Work, buf *[]float32) {
	p.Data = w.rounded(M(p.Data, p.B*p.H*p.W, p.C), buf).Data
}

// inside is the range of positions i < n for which 0 ≤ i·s+at < size.
func inside(n, s, at, size int) (from, to int) {
	from = min(max(ceilDiv(-at, s), 0), n)
	return from, max(min(ceilDiv(size-at, s), n), from)
}

// rows writes columns [k0, k1) of rows [i0, i1), ld elements apart.
func (p *Patches) rows(dst []float32, ld, i0, i1, k0, k1 int) {
	line := p.K * p.C
	for i := i0; i < i1; i++ {
		row := dst[(i-i0)*ld:][:k1-k0]
		ox, oy, b := i%p.OW, i/p.OW%p.OH, i/p.OW/p.OH
		x, y := ox*p.S-p.Pad, oy*p.S-p.Pad
		lo, hi := inside(p.K, 1, x, p.W)
		for ky := k0 / line; ky*line < k1; ky++ {
			from, to := max(k0-ky*line, 0), min(k1-ky*line, line)
			out := row[ky*line+from-k0 : ky*line+to-k0]
			f, t := max(from, lo*p.C), min(to, hi*p.C)
			if y+ky < 0 || y+ky >= p.H || f >= t {
				clear(out)
				continue
			}
			clear(out[:f-from])
			copy(out[f-from:t-from], p.Data[((b*p.H+y+ky)*p.W+x)*p.C+f:])
			clear(out[t-from:])
		}
	}
}

// panel writes columns [c0, c1) of k rows from r0 on, as packPanel does.
func (p *Patches) panel(dst []float32, r0, k, c0, c1, width int) {
	for c := c0; c < c1; {
		tap := c / p.C
		n := min(c1, (tap+1)*p.C) - c
		p.tap(dst, r0, k, tap, c-tap*p.C, n, c-c0, width, n == c1-c0)
		c += n
	}
}

// tap writes n channels from ch on under one element of the kernel, for k rows from r0 on, to columns [at, at+n) of rows of width
// elements; whole says that nothing else is to be written there.
func (p *Patches) tap(dst []float32, r0, k, tap, ch, n, at, width int, whole bool) {
	ky, x := tap/p.K-p.Pad, tap%p.K-p.Pad
	from, to := inside(p.OW, p.S, x, p.W)
	for i := r0; i < r0+k; {
		ox, oy, b := i%p.OW, i/p.OW%p.OH, i/p.OW/p.OH
		places := min(p.OW-ox, r0+k-i)
		y := oy*p.S + ky
		f, t := max(from, ox), min(to, ox+places) // columns of places that see the picture
		if y < 0 || y >= p.H || f >= t {
			f, t = ox, ox
		}
		out := dst[(i-r0)*width:]
		if whole {
			clear(out[:(f-ox)*width])
			if f < t {
				packRows(out[(f-ox)*width:], p.Data[((b*p.H+y)*p.W+f*p.S+x)*p.C+ch:], t-f, p.S*p.C, n, width)
			}
			clear(out[(t-ox)*width : places*width])
		} else {
			for o := ox; o < ox+places; o++ {
				to := out[(o-ox)*width+at:][:n]
				if o < f || o >= t {
					clear(to)
				} else {
					copy(to, p.Data[((b*p.H+y)*p.W+o*p.S+x)*p.C+ch:])
				}
			}
		}
		i += places
	}
}

// patchRows is the part of lhs that is for patches.
func (p *product) patchRows(buf *packBuf, data []float32, rs, i0, i1, pc, k int) {
	if p.shape.group == 1 {
		p.patches.rows(data, rs, i0, i1, pc, pc+k)
		return
	}
	n := min(2*k, p.k-2*pc)
	t := grow(&buf.pairs, (i1-i0)*n)
	p.patches.rows(t, n, i0, i1, 2*pc, 2*pc+n)
	pairElements(data, t, i1-i0, n, n, rs)
}

// patchPanels is the part of rhs that is for patches.
func (p *product) patchPanels(buf *packBuf, pc, k, jc, je int) rhsPanels {
	nr := p.shape.nr
	size := p.padded(k) * nr
	data := grow(&buf.b, ceilDiv(je-jc, nr)*size)
	for j := range ceilDiv(je-jc, nr) {
		clear(data[j*size+k*nr : (j+1)*size])
	}
	for r := 0; r < k; r += packRun {
		units := min(packRun, k-r)
		for j, c := 0, jc; c < je; j, c = j+1, c+nr {
			to, end := data[j*size+r*nr:j*size+(r+units)*nr], min(c+nr, je)
			if p.shape.group == 1 {
				p.patches.panel(to, pc+r, units, c, end, nr)
				continue
			}
			n := min(2*units, p.k-2*(pc+r))
			t := grow(&buf.pairs, n*nr)
			p.patches.panel(t, 2*(pc+r), n, c, end, nr)
			pairRows(to, t, n, nr, end-c, nr)
		}
	}
	return rhsPanels{data: data, panel: size, row: nr}
}
