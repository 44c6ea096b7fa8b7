package kernel

// RoundBF16 makes w round the operands of its products to bfloat16 and add up in float32, as mixed-precision training does
// (Micikevicius et al. 2018; Kalamkar et al. 2019). Processors with AVX512-BF16 multiply twice as many of them at a time and
// take denormal numbers for zero; elsewhere rounding costs a pass over each operand and buys no speed, only the same
// numbers. A right-hand side that Pack prepared stays float32, and so does what is multiplied by it.
func (w *Work) RoundBF16() { w.bf16 = true }

// FastBF16 reports whether products of bfloat16 are faster than those of float32 here.
func FastBF16() bool {
	_, ok := bf16Shape()
	return ok
}

// PackBF16 prepares the transpose of the bfloat16 matrix w [n, k] for GemmPacked, which then rounds the left-hand side to
// bfloat16 too.
func PackBF16(w []uint16, n, k int) *Packed {
	same("PackBF16", len(w), n*k)
	if s, ok := bf16Shape(); ok {
		p := &Packed{k: k, n: n, shape: s, bf16: true}
		p.lay(&weights{half: w})
		return p
	}
	s := gemmShape()
	p := &Packed{k: k, n: n, shape: s, bf16: true, half: make([]uint16, ceilDiv(n, s.nr)*k*s.nr)}
	for j := range n {
		at := j/s.nr*k*s.nr + j%s.nr
		for i, v := range w[j*k : (j+1)*k] {
			p.half[at+i*s.nr] = v
		}
	}
	return p
}

// GemmBF16 is Gemm by the transpose of the bfloat16 matrix b [N, K], with a rounded to bfloat16 too: for weights that are
// not worth a packed copy.
func GemmBF16(w *Work, c, a Mat, b []uint16, ep Epilogue) {
	n, k := c.Cols, a.Cols
	same("GemmBF16", len(b), n*k)
	w.job.b, w.job.packed, w.job.weights = Mat{}, nil, weights{half: b}
	w.multiply("GemmBF16", c, a, n, ep)
}

// GemmF16 is GemmBF16 by binary16, which is rounded to bfloat16. It reports false, and does nothing, on processors that multiply
// bfloat16 no faster than float32, where weights are better widened and stay what they are.
func GemmF16(w *Work, c, a Mat, b []uint16, ep Epilogue) bool {
	same("GemmF16", len(b), c.Cols*a.Cols)
	if !FastBF16() {
		return false
	}
	n, k := c.Cols, a.Cols
	was := w.bf16
	w.bf16 = true
	step := max(roundedFloats/max(k, 1), 1) // columns at a time
	for j := 0; j < n; j += step {
		end := min(j+step, n)
		part := ep
		if ep.Bias != nil {
			part.Bias = ep.Bias[j:end]
		}
		if ep.Residual.Data != nil {
			part.Residual = ep.Residual.Slice(0, c.Rows, j, end)
		}
		wide := grow(&w.wide, (end-j)*k)
		fromF16(wide, b[j*k:end*k])
		Gemm(w, c.Slice(0, c.Rows, j, end), a, M(wide, end-j, k).T(), part)
	}
	w.bf16 = was
	return true
}

// roundedFloats bounds the weights that GemmF16 widens at a time: 4 MiB, as the other side is rounded anew for each part.
const roundedFloats = 1 << 20

// widen returns rows [pc, pc+k) of so many panels from the first on as float32.
func (b *Packed) widen(buf *packBuf, pc, k, first, panels int) rhsPanels {
	size := k * b.shape.nr
	data := grow(&buf.b, panels*size)
	for j := range panels {
		at := ((first+j)*b.k + pc) * b.shape.nr
		if to := data[j*size : (j+1)*size]; b.half != nil {
			fromBF16(to, b.half[at:at+size])
		} else {
			dequantInt8(to, b.bytes[at:at+size], 1)
		}
	}
	return rhsPanels{data: data, panel: size, row: b.shape.nr}
}

// pairPanel is packPanel for k pairs of rows, from pair pc on, rounded to bfloat16. pairs is scratch.
func pairPanel(dst []float32, m Mat, pc, k, c0, c1, width int, pairs *[]float32) {
	r0, n := 2*pc, c1-c0
	rows := min(2*k, m.Rows-r0)
	src := m.Data[r0*m.RS+c0*m.CS:]
	switch {
	case m.CS == 1:
		pairRows(dst, src, rows, m.RS, n, width)
	case m.RS == 1:
		t := grow(pairs, n*k)
		pairElements(t, src, n, m.CS, rows, k)
		packCols(dst, t, k, k, n, width)
	default:
		t := grow(pairs, rows*n)
		for i := range rows {
			for j := range n {
				t[i*n+j] = src[i*m.RS+j*m.CS]
			}
		}
		pairRows(dst, t, rows, n, n, width)
	}
}

// rounded is a copy of m with every element rounded to bfloat16, adjacent along the same axis as m's.
func (w *Work) rounded(m Mat, buf *[]float32) Mat {
	if m.RS == 1 && m.CS != 1 {
		return w.rounded(m.T(), buf).T()
	}
	out := M(grow(buf, m.Rows*m.Cols), m.Rows, m.Cols)
	if len(out.Data) == 0 {
		return out
	}
	if len(w.halves) < m.Cols {
		w.halves = make([]uint16, m.Cols)
	}
	half := w.halves[:m.Cols]
	for i := range m.Rows {
		row := out.Data[i*m.Cols : (i+1)*m.Cols]
		if m.CS == 1 {
			toBF16(half, m.Data[i*m.RS:i*m.RS+m.Cols])
		} else {
			for j := range row {
				row[j] = m.Data[i*m.RS+j*m.CS]
			}
			toBF16(half, row)
		}
		fromBF16(row, half)
	}
	return out
}
