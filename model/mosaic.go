package model

import (
	"slices"

	"fovea/annotation"
	"fovea/internal/kernel"
)

// Mosaic puts together what was seen through windows onto a picture of w × h pixels: at every pixel the probabilities of the labels,
// each the sum over all queries of label times mask, averaged over the windows that see the pixel.
type Mosaic struct {
	work *kernel.Work
	seen []*MaskSet
	from []int // where the windows begin
	tall bool  // windows lie one below the other, otherwise side by side
	side int   // of a window
	w, h int

	up     []tap     // from masks to windows
	thin   []float32 // a column of a mask
	lines  []float32 // [Q, side], a column of all masks of a window
	sums   []float32 // [L, side], a column of all labels in a window
	counts []float32 // [h], windows that see a pixel of a column
}

// NewMosaic makes one of windows of side × side pixels that begin at from along the longer side of a picture of w × h pixels.
func NewMosaic(work *kernel.Work, seen []*MaskSet, from []int, side, w, h int) *Mosaic {
	s := seen[0]
	return &Mosaic{
		work, seen, from, h > w, side, w, h,
		taps(s.side, side), make([]float32, s.side), make([]float32, s.queries*side), make([]float32, len(s.labels)*side), make([]float32, h),
	}
}

// column writes the probabilities of column x, [L, h].
func (a *Mosaic) column(dst []float32, x int) {
	clear(dst)
	clear(a.counts)
	for i, s := range a.seen {
		at, y0 := x-a.from[i], 0
		if a.tall {
			at, y0 = x, a.from[i]
		}
		if at < 0 || at >= a.side {
			continue
		}
		t := a.up[at]
		for q := range s.queries {
			clear(a.thin)
			kernel.Axpy(1-t.w, s.mask(q)[t.i*s.side:][:s.side], a.thin)
			kernel.Axpy(t.w, s.mask(q)[t.j*s.side:][:s.side], a.thin)
			lerp(a.lines[q*a.side:(q+1)*a.side], a.thin, a.up)
		}
		kernel.Sigmoid(a.lines, a.lines)
		n := len(s.labels)
		probs := kernel.M(s.probs, s.queries, n+1).Slice(0, s.queries, 0, n)
		kernel.Gemm(a.work, kernel.M(a.sums, n, a.side), probs.T(), kernel.M(a.lines, s.queries, a.side), kernel.Epilogue{})
		for l := range n {
			kernel.AddTo(dst[l*a.h+y0:][:a.side], a.sums[l*a.side:(l+1)*a.side])
		}
		for y := range a.side {
			a.counts[y0+y]++
		}
	}
	for i := range dst {
		dst[i] /= max(a.counts[i%a.h], 1)
	}
}

// Labels gives every pixel of a picture of w × h pixels, to which the mosaic is resized, its most probable label, see Segmenter.
func (a *Mosaic) Labels(w, h int, query []string) (names []string, pixels []annotation.RLE) {
	labels := a.seen[0].labels
	n := len(labels)
	strokes := make([]Strokes, n)
	left, right := make([]float32, n*a.h), make([]float32, n*a.h) // columns of the mosaic around the one at hand
	at := [2]int{-1, -1}
	between, line, top, best := make([]float32, a.h), make([]float32, h), make([]float32, h), make([]int, h)
	rows := taps(a.h, h)
	for x, t := range taps(a.w, w) {
		if t.i == at[1] {
			left, right, at[0], at[1] = right, left, at[1], -1
		}
		if t.i != at[0] {
			a.column(left, t.i)
			at[0] = t.i
		}
		if t.j != at[1] {
			a.column(right, t.j)
			at[1] = t.j
		}
		for l := range n {
			copy(between, left[l*a.h:])
			kernel.Lerp(between, right[l*a.h:][:a.h], t.w)
			lerp(line, between, rows)
			for y, p := range line {
				if l == 0 || p > top[y] {
					top[y], best[y] = p, l
				}
			}
		}
		for y, l := range best {
			strokes[l].Add(x*h + y)
		}
	}
	var there []int
	masks := make([]annotation.RLE, n)
	for l := range masks {
		if masks[l] = strokes[l].Mask(w, h); masks[l].Area() > 0 {
			there = append(there, l)
		}
	}
	slices.SortStableFunc(there, func(i, j int) int { return int(masks[j].Area() - masks[i].Area()) })
	for _, l := range there {
		if name, asked := (DetectOptions{Query: query}).asked(labels[l]); asked {
			names, pixels = append(names, name), append(pixels, masks[l])
		}
	}
	return names, pixels
}
