package kernel

import (
	"encoding/binary"
	"math"
)

// int4Units is how many pairs of integers of 16 bits a group of 4-bit weights makes.
const int4Units = quantGroup / 2

// Int4Words says how rows of 4-bit weights are integers of 16 bits: the scale of each group is rounded to an integer, of which the
// largest of a row is as large as sums of 32 bits allow, so that the row's weights are integers of one step. With K of 1,536 the largest scale is
// 685, and rounding changes a weight by at most a 1,370th of the row's largest one.
type Int4Words struct {
	of                   *Int4
	step, inverse, shift []float32 // of each row: what one counts, one over it, and the sum of the row
}

// Words prepares q for GemmInt4, once, with w's pool. It is nil where MulInt4 is the better way for many rows, too: with VNNI, and without
// AVX2.
func (q *Int4) Words(w *Work) *Int4Words {
	if !q.HasWords() {
		return nil
	}
	n := ceilDiv(q.N, int4Rows) * int4Rows
	rows := make([]float32, 3*n)
	f := &Int4Words{q, rows[:n:n], rows[n : 2*n : 2*n], rows[2*n:]}
	w.fork(q.K, q.N, f)
	return f
}

// HasWords reports whether Words gives any.
func (q *Int4) HasWords() bool {
	s, ok := int8Shape()
	return ok && s.words && s.nr == int4Rows && q.K > 0 && q.K%quantGroup == 0 && largestScale(q.K) >= 16
}

// GemmInt4 is GemmInt8 by 4-bit weights: as MulInt4, for many rows.
func GemmInt4(w *Work, c, a Mat, f *Int4Words, ep Epilogue) {
	q := f.of
	if c.Cols != q.N || a.Cols != q.K {
		panicSizes("GemmInt4", c, a, q.K, q.N)
	}
	w.job.b, w.job.packed, w.job.weights = Mat{}, nil, weights{int4: f}
	w.job.scale, w.job.shift = f.step[:q.N], f.shift[:q.N]
	w.multiply("GemmInt4", c, a, q.N, ep)
}

// largestScale is the integer that the largest scale of a row of k weights becomes: with products of 255 by 8 times it, sums stay below
// 2³¹, and the weights themselves below 2¹⁵.
func largestScale(k int) int { return min(math.MaxInt16/8, math.MaxInt32/(255*8*max(k, 1))) }

// part implements splitter: it finds the step and the sum of rows [from, to).
func (f *Int4Words) part(from, to int) {
	q := f.of
	for i := from; i < to; i++ {
		var most float32
		for g := range q.K / quantGroup {
			most = max(most, abs(q.scale(i, g)))
		}
		step := most / float32(largestScale(q.K))
		inverse := 1 / step
		switch {
		case !(step <= math.MaxFloat32): // weights that are not finite
			step, inverse = float32(math.NaN()), 0
		case !(inverse <= math.MaxFloat32):
			step, inverse = 0, 0
		}
		sum := 0
		for g := range q.K / quantGroup {
			_, weights := q.group(i, g)
			levels := uint32(0) // four sums of eight halves of bytes
			for c := range quantGroup / 8 {
				b := binary.LittleEndian.Uint32(weights[c*4*int4Rows:])
				levels += b&0x0f0f0f0f + b>>4&0x0f0f0f0f
			}
			if inverse > 0 {
				levels = levels&0x00ff00ff + levels>>8&0x00ff00ff
				sum += int(math.RoundToEven(float64(q.scale(i, g)*inverse))) * (int(levels&0xffff+levels>>16) - 8*quantGroup)
			}
		}
		f.step[i], f.inverse[i], f.shift[i] = step, inverse, step*float32(sum)
	}
}

// scale is that of a group of row i.
func (q *Int4) scale(i, group int) float32 {
	s, _ := q.group(i, group)
	return Float16(binary.LittleEndian.Uint16(s))
}

// lay lays out groups [from, from+n) of the panel of rows that starts at row i.
func (f *Int4Words) lay(dst []float32, i, from, n int) {
	at := (i/int4Rows*ceilDiv(f.of.K, quantBlock)*2 + from) * int4Bytes
	wordsInt4(dst, f.of.data[at:at+n*int4Bytes], f.inverse[i:i+int4Rows], n)
}
