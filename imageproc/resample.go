package imageproc

import (
	"math"

	"fovea/annotation"
)

// precision is the number of fraction bits of a weight: 8-bit samples and a factor for negative lobes leave 22 of 32.
const precision = 32 - 8 - 2

// weights are the taps of one direction: output i is the sum of k[i·size+j] · in[start[i]+j] for j < count[i].
type weights struct {
	start, count []int
	size         int
	k            []int32
}

// newWeights computes the taps that map the source interval [from, to) to out samples (Pillow, precompute_coeffs).
func newWeights(in int, from, to float64, out int, f Filter) weights {
	fn, support := f.kernel()
	scale := (to - from) / float64(out)
	stretch := max(scale, 1)
	support *= stretch
	inv := 1 / stretch
	w := weights{make([]int, out), make([]int, out), int(math.Ceil(support))*2 + 1, nil}
	w.k = make([]int32, out*w.size)
	v := make([]float64, w.size)
	for i := range out {
		center := from + float64((float64(i)+.5)*scale)
		lo := max(int(center-support+.5), 0)
		n := min(int(center+support+.5), in) - lo
		sum := 0.0
		for j := range n {
			v[j] = fn(float64((float64(j+lo) - center + .5) * inv))
			sum += v[j]
		}
		w.start[i], w.count[i] = lo, n
		for j := range n {
			q := v[j]
			if sum != 0 {
				q /= sum
			}
			w.k[i*w.size+j] = int32(math.Copysign(.5, q) + float64(q*(1<<precision)))
		}
	}
	return w
}

// taps are the first source sample and the weights of output i.
func (w *weights) taps(i int) (int, []int32) {
	return w.start[i], w.k[i*w.size:][:w.count[i]]
}

// resample filters along the rows and down the columns; a direction that does not change is left out. Rows come first,
// unless the height shrinks by more than twice as many pixels as the width does: so Pillow chooses from version 13 on
// (pull request 9549; older versions always began with the rows). The exact rule was inferred from results of Pillow
// 13.0.0. The order shows in the last bit only, because each pass rounds.
func resample(pix []uint8, w, h, c int, box annotation.Box, ow, oh int, f Filter) []uint8 {
	across := ow != w || box.X0 != 0 || box.X1 != float64(w)
	down := oh != h || box.Y0 != 0 || box.Y1 != float64(h)
	shrink := box.H() - float64(oh)
	wx, wy := newWeights(w, box.X0, box.X1, ow, f), newWeights(h, box.Y0, box.Y1, oh, f)
	switch {
	case !across && !down:
		return append([]uint8(nil), pix...)
	case !down:
		return acrossPass(pix, w, h, c, &wx)
	case !across:
		return downPass(pix, c*w, &wy)
	case shrink > 0 && shrink > 2*(box.W()-float64(ow)):
		return acrossPass(downPass(pix, c*w, &wy), w, oh, c, &wx)
	}
	// Filter only the rows that the second pass reads.
	y0, y1 := wy.start[0], wy.start[oh-1]+wy.count[oh-1]
	for i := range wy.start {
		wy.start[i] -= y0
	}
	return downPass(acrossPass(pix[c*w*y0:], w, y1-y0, c, &wx), c*ow, &wy)
}

// acrossPass filters the first h rows of pictures that are w pixels of c samples wide, two rows at a time.
func acrossPass(pix []uint8, w, h, c int, k *weights) []uint8 {
	ow := len(k.start)
	out := make([]uint8, c*ow*h)
	pair := make([]uint64, c*w)
	for y := 0; y < h; y += 2 {
		y1 := min(y+1, h-1) // an odd last row goes with itself
		interleave(pair, pix[c*y*w:][:c*w], pix[c*y1*w:][:c*w])
		o0, o1 := out[c*y*ow:][:c*ow], out[c*y1*ow:][:c*ow]
		if c == 3 {
			acrossRGB(o0, o1, pair, k)
		} else {
			acrossAny(o0, o1, pair, k, c)
		}
	}
	return out
}

// downPass filters the columns of rows that are n samples long.
func downPass(pix []uint8, n int, k *weights) []uint8 {
	out := make([]uint8, n*len(k.start))
	acc := make([]int32, n)
	for y := range k.start {
		downRow(out[y*n:(y+1)*n], pix, acc, k, y)
	}
	return out
}

const half = 1 << (precision - 1)

func clip8(v int32) uint8 { return clamp8(v >> precision) }

// Two rows share each multiplication: the samples of one lie in the lower half of a word and those of the other in the
// upper half. The sums of either half stay within 32 bits, signed; a negative lower sum borrows one from the upper, which split
// gives back.
const half2 = half | half<<32

func interleave(pair []uint64, a, b []uint8) {
	b = b[:len(a)]
	pair = pair[:len(a)]
	for i, v := range a {
		pair[i] = uint64(v) | uint64(b[i])<<32
	}
}

func split(v uint64) (lo, hi uint8) {
	l := int32(v)
	return clip8(l), clip8(int32((v - uint64(int64(l))) >> 32))
}

func acrossRGB(o0, o1 []uint8, pair []uint64, w *weights) {
	for x := range w.start {
		p, k := w.taps(x)
		r, g, b := uint64(half2), uint64(half2), uint64(half2)
		s := pair[3*p:][:3*len(k)]
		for _, q := range k {
			if len(s) < 3 { // never: it lets the compiler drop the checks below
				break
			}
			m := uint64(int64(q))
			r += s[0] * m
			g += s[1] * m
			b += s[2] * m
			s = s[3:]
		}
		d0, d1 := o0[3*x:3*x+3:3*x+3], o1[3*x:3*x+3:3*x+3]
		d0[0], d1[0] = split(r)
		d0[1], d1[1] = split(g)
		d0[2], d1[2] = split(b)
	}
}

func acrossAny(o0, o1 []uint8, pair []uint64, w *weights, c int) {
	for x := range w.start {
		p, k := w.taps(x)
		for i := range c {
			v := uint64(half2)
			for j, q := range k {
				v += pair[(p+j)*c+i] * uint64(int64(q))
			}
			o0[x*c+i], o1[x*c+i] = split(v)
		}
	}
}

// downRow makes one output row; acc is scratch of the same length.
func downRow(o, pix []uint8, acc []int32, w *weights, y int) {
	n := len(o)
	acc = acc[:n]
	for i := range acc {
		acc[i] = half
	}
	p, k := w.taps(y)
	j := 0
	for ; j+4 <= len(k); j += 4 { // four rows at a time: the accumulators are read and written less often
		k0, k1, k2, k3 := k[j], k[j+1], k[j+2], k[j+3]
		a, b := pix[(p+j)*n:][:n], pix[(p+j+1)*n:][:n]
		c, d := pix[(p+j+2)*n:][:n], pix[(p+j+3)*n:][:n]
		for i := range acc {
			acc[i] += int32(a[i])*k0 + int32(b[i])*k1 + int32(c[i])*k2 + int32(d[i])*k3
		}
	}
	for ; j < len(k); j++ {
		q, a := k[j], pix[(p+j)*n:][:n]
		for i := range acc {
			acc[i] += int32(a[i]) * q
		}
	}
	for i, v := range acc {
		o[i] = clip8(v)
	}
}
