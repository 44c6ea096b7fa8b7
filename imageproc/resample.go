package imageproc

import (
	"math"
	"sync"

	"fovea/annotation"
	"fovea/internal/pixel"
)

// newWeights computes the taps that map the source interval [from, to) to out samples (Pillow, precompute_coeffs).
func newWeights(in int, from, to float64, out int, f Filter) pixel.Taps {
	fn, support := f.kernel()
	scale := (to - from) / float64(out)
	stretch := max(scale, 1)
	support *= stretch
	inv := 1 / stretch
	w := pixel.Taps{Start: make([]int, out), Count: make([]int, out), Size: int(math.Ceil(support))*2 + 1}
	w.K = make([]int32, out*w.Size)
	v := make([]float64, w.Size)
	for i := range out {
		center := from + float64((float64(i)+.5)*scale)
		lo := max(int(center-support+.5), 0)
		n := min(int(center+support+.5), in) - lo
		sum := 0.0
		for j := range n {
			v[j] = fn(float64((float64(j+lo) - center + .5) * inv))
			sum += v[j]
		}
		w.Start[i], w.Count[i] = lo, n
		for j := range n {
			q := v[j]
			if sum != 0 {
				q /= sum
			}
			w.K[i*w.Size+j] = int32(math.Copysign(.5, q) + float64(q*(1<<pixel.Precision)))
		}
	}
	return w
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
		out := make([]uint8, c*ow*h)
		acrossPass(out, pix, w, h, c, &wx)
		return out
	case !across:
		out := make([]uint8, c*w*oh)
		downPass(out, pix, c*w, &wy)
		return out
	}
	out := make([]uint8, c*ow*oh)
	if shrink > 0 && shrink > 2*(box.W()-float64(ow)) {
		mid := borrow(c * w * oh)
		defer passes.Put(mid)
		downPass(*mid, pix, c*w, &wy)
		acrossPass(out, *mid, w, oh, c, &wx)
		return out
	}
	// Filter only the rows that the second pass reads.
	y0, y1 := wy.Start[0], wy.Start[oh-1]+wy.Count[oh-1]
	for i := range wy.Start {
		wy.Start[i] -= y0
	}
	mid := borrow(c * ow * (y1 - y0))
	defer passes.Put(mid)
	acrossPass(*mid, pix[c*w*y0:], w, y1-y0, c, &wx)
	downPass(out, *mid, c*ow, &wy)
	return out
}

// passes holds memory of pictures between passes, which is as large as the result and larger.
var passes = sync.Pool{New: func() any { return new([]uint8) }}

// borrow takes n bytes of any value from passes.
func borrow(n int) *[]uint8 {
	p := passes.Get().(*[]uint8)
	if cap(*p) < n {
		*p = make([]uint8, n)
	}
	*p = (*p)[:n]
	return p
}

// acrossPass filters the first h rows of pictures that are w pixels of c samples wide, so many rows at a time that they fill a
// vector of bytes.
func acrossPass(out, pix []uint8, w, h, c int, t *pixel.Taps) {
	n, on := c*w, c*len(t.Start)
	scratch := borrow(pixel.Rows * (n + on))
	defer passes.Put(scratch)
	in, mixed := (*scratch)[:pixel.Rows*n], (*scratch)[pixel.Rows*n:]
	if h < pixel.Rows { // too few: the missing ones count as black
		src, dst := make([]uint8, pixel.Rows*n), make([]uint8, pixel.Rows*on)
		copy(src, pix[:h*n])
		acrossRows(dst, src, in, mixed, t, c)
		copy(out, dst)
		return
	}
	for y := 0; y < h; y += pixel.Rows {
		at := min(y, h-pixel.Rows) // the last ones overlap those before
		acrossRows(out[at*on:], pix[at*n:], in, mixed, t, c)
	}
}

func acrossRows(dst, src, in, mixed []uint8, t *pixel.Taps, c int) {
	n, on := len(in)/pixel.Rows, len(mixed)/pixel.Rows
	pixel.Interleave(in, src, n, n)
	pixel.Across(mixed, in, t, c)
	pixel.Separate(dst, mixed, on, on)
}

// downPass filters the columns of rows that are n samples long.
func downPass(out, pix []uint8, n int, t *pixel.Taps) {
	for y := range t.Start {
		p, k := t.Of(y)
		pixel.Down(out[y*n:(y+1)*n], pix[p*n:], k)
	}
}
