package pixel

import "fmt"

// Precision is the number of fraction bits of a weight of resampling: 8-bit samples and a factor for negative lobes leave 22
// of 32 (Pillow, Resample.c).
const Precision = 32 - 8 - 2

const half = 1 << (Precision - 1)

// Rows is the number of picture rows that Across filters at once.
const Rows = 16

// Taps are the weights of one direction: output i is the sum over j < Count[i] of K[i·Size+j] · in[Start[i]+j].
type Taps struct {
	Start, Count []int
	Size         int
	K            []int32
}

// Of gives the first source sample and the weights of output i.
func (t *Taps) Of(i int) (int, []int32) {
	return t.Start[i], t.K[i*t.Size:][:t.Count[i]]
}

// Interleave writes n bytes of each of Rows rows, stride apart, sample by sample: dst[Rows·i+r] = src[r·stride+i].
func Interleave(dst, src []uint8, stride, n int) {
	if len(dst) != Rows*n || len(src) < (Rows-1)*stride+n {
		panic(fmt.Sprintf("pixel: interleave %d bytes of rows %d apart, of %d, into %d", n, stride, len(src), len(dst)))
	}
	interleave(dst, src, stride, n)
}

func interleaveGeneric(dst, src []uint8, stride, n int) {
	for r := range Rows {
		for i, v := range src[r*stride:][:n] {
			dst[Rows*i+r] = v
		}
	}
}

// Separate is the reverse of Interleave: dst[r·stride+i] = src[Rows·i+r] for i < n.
func Separate(dst, src []uint8, stride, n int) {
	if len(src) != Rows*n || len(dst) < (Rows-1)*stride+n {
		panic(fmt.Sprintf("pixel: separate %d bytes into rows of %d, %d apart, of %d", len(src), n, stride, len(dst)))
	}
	separate(dst, src, stride, n)
}

func separateGeneric(dst, src []uint8, stride, n int) {
	for r := range Rows {
		for i := range dst[r*stride:][:n] {
			dst[r*stride+i] = src[Rows*i+r]
		}
	}
}

// Across filters along interleaved rows of c samples a pixel, c being 1, 3 or 4: dst gets c·Rows bytes for every output of t.
// Sums wrap at 32 bits; those of weights that add up to 1 do not reach that.
func Across(dst, src []uint8, t *Taps, c int) {
	n := len(t.Start)
	if len(t.Count) != n || len(t.K) != n*t.Size || len(dst) != n*c*Rows || c != 1 && c != 3 && c != 4 {
		panic(fmt.Sprintf("pixel: filter to %d pixels of %d samples in %d bytes", n, c, len(dst)))
	}
	for i, s := range t.Start {
		if s < 0 || t.Count[i] < 0 || t.Count[i] > t.Size || (s+t.Count[i])*c*Rows > len(src) {
			panic(fmt.Sprintf("pixel: output %d needs samples %d + %d of %d", i, s, t.Count[i], len(src)/c/Rows))
		}
	}
	across(dst, src, t, c)
}

func acrossGeneric(dst, src []uint8, t *Taps, c int) {
	for x := range t.Start {
		p, k := t.Of(x)
		for i := range c * Rows {
			v := int32(half)
			for j, q := range k {
				v += int32(src[(p+j)*c*Rows+i]) * q
			}
			dst[x*c*Rows+i] = clamp8(v >> Precision)
		}
	}
}

// Down filters columns: dst is the sum of the rows of len(dst) bytes that follow each other in src, one a weight.
func Down(dst, src []uint8, k []int32) {
	if len(src) < len(dst)*len(k) {
		panic(fmt.Sprintf("pixel: filter %d rows of %d bytes, of %d", len(k), len(dst), len(src)))
	}
	down(dst, src, k)
}

func downGeneric(dst, src []uint8, k []int32) {
	n := len(dst)
	var acc [256]int32
	for x := 0; x < n; x += len(acc) { // a piece at a time, so that sums need no memory of their own
		d := dst[x:min(x+len(acc), n)]
		a := acc[:len(d)]
		for i := range a {
			a[i] = half
		}
		for j, q := range k {
			for i, v := range src[j*n+x:][:len(d)] {
				a[i] += int32(v) * q
			}
		}
		for i, v := range a {
			d[i] = clamp8(v >> Precision)
		}
	}
}
