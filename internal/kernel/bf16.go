package kernel

// RoundBF16 makes w round the operands of its products to bfloat16 and add up in float32, as processors with bf16
// instructions and mixed-precision training do (Micikevicius et al. 2018; Kalamkar et al. 2019). It costs a pass over each
// operand: without such instructions it buys no speed, only the same numbers.
func (w *Work) RoundBF16() { w.bf16 = true }

// rounded is a copy of m with every element rounded to bfloat16, adjacent along the same axis as m's.
func (w *Work) rounded(m Mat, buf *[]float32) Mat {
	if m.RS == 1 && m.CS != 1 {
		return w.rounded(m.T(), buf).T()
	}
	out := M(grow(buf, m.Rows*m.Cols), m.Rows, m.Cols)
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
