package kernel

import (
	"fmt"
	"math"
	"unsafe"

	"fovea/internal/memory"
)

// quantGroup is how many neighbours share a scale, in x and in 4-bit weights; quantBlock is what rows of x are filled up to.
const (
	quantGroup = 32
	quantBlock = 64
)

// Pad is how many bytes past the end of Rows.Int8 must be there, which the kernels read but do not use.
const Pad = quantBlock

// Int4 is a matrix [N, K] of weights of 4 bits, in groups of 32 neighbours of a row with a scale in binary16 each: 4.5 bits a
// weight (as llama.cpp's Q4_0 has them). Panels of 16 rows are interleaved, so that weights stream.
type Int4 struct {
	N, K int
	data []byte // panels [⌈N/16⌉][⌈K/32⌉] of int4Bytes each, see _asm/gemvquant.go
}

const (
	int4Rows  = 16                        // of a panel
	int4Bytes = 2*int4Rows + 4*int4Rows*4 // of a panel and group
)

// NewInt4 makes a matrix of zeros.
func NewInt4(n, k int) *Int4 {
	return &Int4{n, k, memory.Make[byte](ceilDiv(n, int4Rows) * ceilDiv(k, quantBlock) * 2 * int4Bytes)}
}

// Bytes is the memory of the weights.
func (q *Int4) Bytes() int { return len(q.data) }

// group is where the scale of row i and its group starts, and where its weights do.
func (q *Int4) group(i, group int) (scale, weights []byte) {
	at := (i/int4Rows*ceilDiv(q.K, quantBlock)*2 + group) * int4Bytes
	p := q.data[at : at+int4Bytes]
	return p[2*(i%int4Rows):], p[2*int4Rows+4*(i%int4Rows):]
}

// SetRow rounds row i to 16 steps a group, −8 … 7 times a scale that takes the group's largest weight to −8.
func (q *Int4) SetRow(i int, w []float32) {
	same("SetRow", len(w), q.K)
	for g := 0; g*quantGroup < q.K; g++ {
		row := w[g*quantGroup : min((g+1)*quantGroup, q.K)]
		var most float32
		for _, v := range row {
			if abs(v) > abs(most) {
				most = v
			}
		}
		half := floatToHalf(most / -8)
		d := Float16(half)
		inverse := float32(0)
		if d != 0 {
			inverse = 1 / d
		}
		scale, weights := q.group(i, g)
		scale[0], scale[1] = byte(half), byte(half>>8)
		for j := range quantGroup {
			v := byte(8)
			if j < len(row) {
				v = byte(min(max(math.RoundToEven(float64(row[j]*inverse)), -8), 7) + 8)
			}
			// Of each eight, four bytes of the panel hold the first four in their lower halves, the others in their upper ones.
			at := &weights[j/8*4*int4Rows+j%4]
			if j%8 < 4 {
				*at = *at&0xf0 | v
			} else {
				*at = *at&0x0f | v<<4
			}
		}
	}
}

// Row writes row i as float32.
func (q *Int4) Row(dst []float32, i int) {
	same("Row", len(dst), q.K)
	for j := range dst {
		scale, weights := q.group(i, j/quantGroup)
		l := j % quantGroup
		b := weights[l/8*4*int4Rows+l%4]
		if l%8 >= 4 {
			b >>= 4
		}
		dst[j] = Float16(uint16(scale[0])|uint16(scale[1])<<8) * float32(int(b&15)-8)
	}
}

// MulInt8 computes y = x·wᵀ + bias for weights of 8 bits with a scale for each row: row i of w is scale[i]·w[i]. x is rounded
// to 8 bits, too, in groups of 32 neighbours with a scale each; sums are exact within a group. w must have a capacity of Pad
// more than its N·K bytes, none of which is −128. A row of x with a NaN or an infinity gives NaN.
func MulInt8(w *Work, y, x Mat, q []int8, scale, bias []float32) {
	f := &w.quant
	f.setInt8(y, x, q, scale)
	f.run(w, y, x, bias, x.Cols, y.Cols)
}

func (f *quantized) setInt8(y, x Mat, q []int8, scale []float32) {
	if n, k := y.Cols, x.Cols; len(q) != n*k || cap(q) < n*k+Pad || len(scale) != n {
		panic(fmt.Sprintf("kernel: MulInt8: %d weights and %d scales for %d×%d, capacity %d", len(q), len(scale), n, k, cap(q)))
	}
	f.int8, f.scale = q[:cap(q)], scale
}

// MulInt4 is MulInt8 for weights of 4 bits.
func MulInt4(w *Work, y, x Mat, q *Int4, bias []float32) {
	f := &w.quant
	f.setInt4(y, x, q)
	f.run(w, y, x, bias, ceilDiv(q.K, 2), q.N)
}

func (f *quantized) setInt4(y, x Mat, q *Int4) {
	if y.Cols != q.N || x.Cols != q.K {
		panic(fmt.Sprintf("kernel: MulInt4: y %d×%d = x %d×%d · %d×%d", y.Rows, y.Cols, x.Rows, x.Cols, q.N, q.K))
	}
	f.int4 = q
}

// quantized is a product of quantised numbers under way.
type quantized struct {
	y, x    Mat
	bias    []float32
	int8    []int8
	scale   []float32
	int4    *Int4
	k, ldx  int    // of a quantised row: numbers, bytes
	rows    []int8 // of x
	quantum bool   // rows of x are being quantised
}

// run multiplies by n rows of so many bytes.
func (f *quantized) run(w *Work, y, x Mat, bias []float32, bytes, n int) {
	if f.prepare(y, x, bias, f) {
		f.quantum = true
		w.fork(4*x.Cols, x.Rows, f)
		f.quantum = false
		if f.int4 != nil {
			w.fork(bytes*int4Rows, ceilDiv(n, int4Rows), f)
		} else {
			w.fork(bytes, n, f)
		}
	}
	f.done()
}

// prepare readies a product, with rounded rows of x in owner's memory, and reports whether there is anything to do.
func (f *quantized) prepare(y, x Mat, bias []float32, owner *quantized) bool {
	y.check("MulInt: y")
	x.check("MulInt: x")
	if x.Rows != y.Rows || y.CS != 1 || x.CS != 1 || bias != nil && len(bias) != y.Cols {
		panic(fmt.Sprintf("kernel: MulInt: y %d×%d, x %d×%d, bias of %d", y.Rows, y.Cols, x.Rows, x.Cols, len(bias)))
	}
	if y.Rows == 0 || y.Cols == 0 {
		return false
	}
	f.y, f.x, f.bias = y, x, bias
	f.k = ceilDiv(x.Cols, quantBlock) * quantBlock
	f.ldx = (2*f.k + f.k/8 + quantBlock) &^ (quantBlock - 1)
	if len(owner.rows) < x.Rows*f.ldx {
		owner.rows = memory.Make[int8](x.Rows * f.ldx)
	}
	f.rows = owner.rows
	return true
}

// done forgets what is the caller's.
func (f *quantized) done() {
	f.y, f.x, f.bias, f.int8, f.scale, f.int4 = Mat{}, Mat{}, nil, nil, nil, nil
}

// part implements splitter.
func (f *quantized) part(from, to int) {
	switch {
	case f.quantum:
		f.quantizeRows(from, to)
	case f.k == 0:
		f.empty(from, to)
	case f.int4 != nil:
		f.panels(from, to)
	default:
		f.weights(from, to)
	}
}

// quantizeRows makes bytes of rows of x.
func (f *quantized) quantizeRows(from, to int) {
	for i := from; i < to; i++ {
		dst, x := f.rows[i*f.ldx:(i+1)*f.ldx], f.x.Row(i)
		if len(x) < f.k {
			quantizeGeneric(dst, x, f.k)
		} else {
			quantize(dst, x)
		}
	}
}

// empty is the product over no k.
func (f *quantized) empty(from, to int) {
	if f.int4 != nil {
		from, to = from*int4Rows, min(to*int4Rows, f.y.Cols)
	}
	for i := range f.y.Rows {
		clear(f.y.Row(i)[from:to])
	}
	f.add(from, to)
}

// weights multiplies by rows [from, to) of 8 bits.
func (f *quantized) weights(from, to int) {
	in := f.x.Cols
	block := max(fewBlock/in, 1)
	if f.y.Rows <= fewPass {
		block = to - from
	}
	for ; from < to; from += block {
		end := min(from+block, to)
		for i := 0; i < f.y.Rows; i += fewPass {
			gemvInt8(min(fewPass, f.y.Rows-i), f.y.Data[i*f.y.RS+from:], f.rows[i*f.ldx:], f.int8[from*in:], f.scale[from:], end-from, f.k, in, f.y.RS, f.ldx)
		}
		f.add(from, end)
	}
}

// panels multiplies by panels [from, to) of 4 bits.
func (f *quantized) panels(from, to int) {
	size := f.k / quantGroup * int4Bytes
	block := max(fewBlock/size, 1)
	if f.y.Rows <= fewPass {
		block = to - from
	}
	for ; from < to; from += block {
		end := min(from+block, to)
		whole := min(end, f.y.Cols/int4Rows) // of these all 16 rows are there
		for i := 0; i < f.y.Rows; i += fewPass {
			m, x := min(fewPass, f.y.Rows-i), f.rows[i*f.ldx:]
			if whole > from {
				gemvInt4(m, f.y.Data[i*f.y.RS+from*int4Rows:], x, f.int4.data[from*size:], whole-from, f.k, f.y.RS, f.ldx)
			}
			if whole < end {
				var last [fewPass * int4Rows]float32
				gemvInt4(m, last[:], x, f.int4.data[whole*size:], 1, f.k, int4Rows, f.ldx)
				for j := range m {
					copy(f.y.Row(i + j)[whole*int4Rows:], last[j*int4Rows:(j+1)*int4Rows])
				}
			}
		}
		f.add(from*int4Rows, min(end*int4Rows, f.y.Cols))
	}
}

// add adds the bias to columns [from, to).
func (f *quantized) add(from, to int) {
	if f.bias == nil {
		return
	}
	for i := range f.y.Rows {
		addTo(f.y.Row(i)[from:to], f.bias[from:to])
	}
}

// The parts of a quantised row of k numbers behind the numbers themselves.
func lanesOf(row []int8, k int) []float32 {
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(row[k:2*k]))), k/4)
}

func minusOf(row []int8, k int) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(row[2*k:2*k+k/8]))), k/quantGroup)
}

func sumOf(row []int8, k int) *float32 {
	return (*float32)(unsafe.Pointer(unsafe.SliceData(row[2*k+k/8 : 2*k+k/8+4])))
}

// quantizeGeneric writes a row of x, filled up with zeros to k numbers, as _asm/gemvquant.go says.
func quantizeGeneric(dst []int8, x []float32, k int) {
	lanes, minus, total := lanesOf(dst, k), minusOf(dst, k), float32(0)
	for g := range k / quantGroup {
		row := x[min(g*quantGroup, len(x)):min((g+1)*quantGroup, len(x))]
		bits := math.Float32bits(1e-30)
		for _, v := range row {
			bits = max(bits, math.Float32bits(v)&math.MaxInt32) // of a NaN the largest
		}
		most := math.Float32frombits(bits)
		scale, inverse, sum := most/127, 127/most, int32(0)
		for j := range quantGroup {
			v := int8(0)
			if j < len(row) && inverse > 0 {
				v = int8(math.RoundToEven(float64(row[j] * inverse)))
			}
			dst[g*quantGroup+j] = v
			sum += int32(v)
		}
		for j := range quantGroup / 4 {
			lanes[g*quantGroup/4+j] = scale
		}
		minus[g] = -8 * sum
		total += scale * float32(sum)
	}
	*sumOf(dst, k) = 128 * total
}

// RoundInt8 rounds x to 255 steps, −127 … 127 times the scale that it returns, which takes the largest to ±127.
func RoundInt8(dst []int8, x []float32) (scale float32) {
	same("RoundInt8", len(dst), len(x))
	most := maxAbs(x)
	if inverse := 127 / most; inverse > 0 && inverse <= math.MaxFloat32 {
		roundInt8(dst, x, inverse)
		return most / 127
	}
	clear(dst) // all zero, or too near to it, or infinite
	return 0
}

func roundInt8Generic(dst []int8, x []float32, inverse float32) {
	for i, v := range x {
		dst[i] = int8(math.RoundToEven(float64(v * inverse)))
	}
}

func gemvInt8Generic(m int, y []float32, x []int8, w []int8, scale []float32, n, k, ldw, ldy, ldx int) {
	for j := range m {
		row := x[j*ldx:]
		lanes := lanesOf(row, k)
		for i := range n {
			s := float32(0)
			for g := 0; g < k; g += quantGroup {
				a, b, dot := row[g:g+quantGroup], w[i*ldw+g:i*ldw+g+quantGroup], int32(0)
				for l := range a {
					dot += int32(a[l]) * int32(b[l])
				}
				s += lanes[g/4] * float32(dot)
			}
			y[j*ldy+i] = s * scale[i]
		}
	}
}

func gemvInt4Generic(m int, y []float32, x []int8, w []byte, n, k, ldy, ldx int) {
	q := Int4{N: n * int4Rows, K: k, data: w}
	for j := range m {
		row := x[j*ldx:]
		lanes := lanesOf(row, k)
		for i := range q.N {
			s := float32(0)
			for g := range k / quantGroup {
				scale, weights := q.group(i, g)
				dot := int32(0)
				for l, a := range row[g*quantGroup : (g+1)*quantGroup] {
					b := weights[l/8*4*int4Rows+l%4]
					if l%8 >= 4 {
						b >>= 4
					}
					dot += int32(a) * (int32(b&15) - 8)
				}
				s += lanes[g*quantGroup/4] * Float16(uint16(scale[0])|uint16(scale[1])<<8) * float32(dot)
			}
			y[j*ldy+i] = s
		}
	}
}

// floatToHalf rounds to IEEE 754 binary16, to nearest with ties to even; what is too large becomes infinite.
func floatToHalf(f float32) uint16 {
	b := math.Float32bits(f)
	sign, size := uint16(b>>16)&0x8000, b&math.MaxInt32
	switch {
	case size > 0x7f800000:
		return sign | 0x7e00
	case size >= 0x47800000: // 65536 and more
		return sign | 0x7c00
	case size < 0x38800000: // below 2⁻¹⁴: adding ½ leaves steps of 2⁻²⁴
		return sign | uint16(math.Float32bits(math.Float32frombits(size)+.5)-math.Float32bits(.5))
	}
	return sign | uint16((size+0xfff+size>>13&1-0x38000000)>>13)
}
