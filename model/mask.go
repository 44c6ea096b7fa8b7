package model

import (
	"math"
	"sort"

	"fovea/annotation"
)

// Frame leads from pixels of a picture to coordinates in [0, 1] of a model's input, axis by axis:
// model x = X.Scale·x + X.Shift. Letterboxing, squashing and cropping are all of this form.
type Frame struct{ X, Y Axis }

// Axis is one axis of a Frame.
type Axis struct{ Scale, Shift float64 }

// To takes a coordinate of the picture to the model's input.
func (a Axis) To(x float64) float64 { return a.Scale*x + a.Shift }

// MaskRLE turns mask logits over a side × side map of the model's input, positive inside, into a mask of w × h pixels:
// logits are interpolated bilinearly at the pixels' centres, as ×4 upsampling would, and the mask is cut to the pixels
// that box touches (pixels of the picture). It works column by column, with a few steps for each cell of the map, and needs no memory but
// the run lengths.
func MaskRLE(logits []float32, side int, f Frame, w, h int, box annotation.Box) annotation.RLE {
	x0, x1 := pixels(box.X0, box.X1, w)
	y0, y1 := pixels(box.Y0, box.Y1, h)
	rows := make([]tap, y1-y0)
	var cells []int // rows at which others begin to lie between the same two cells of the map
	for y := range rows {
		if rows[y] = f.Y.tap(y0+y, side); y == 0 || rows[y].i != rows[y-1].i {
			cells = append(cells, y)
		}
	}
	cells = append(cells, len(rows))
	run := runs{}
	column := make([]float32, side) // logits along the column of pixels, at the map's rows
	for x := x0; x < x1; x++ {
		t := f.X.tap(x, side)
		for j := range column {
			line := logits[j*side : (j+1)*side]
			column[j] = line[t.i] + t.w*(line[t.j]-line[t.i])
		}
		run.to(x*h + y0)
		inside := func(y int) bool {
			t := rows[y]
			return column[t.i]+t.w*(column[t.j]-column[t.i]) > 0
		}
		for k, from := range cells[:len(cells)-1] {
			// Between two cells the logits only rise or only fall, also as they are rounded: there is one turn at most.
			to, first := cells[k+1], inside(from)
			turn := to - from
			if inside(to-1) != first {
				turn = sort.Search(turn, func(n int) bool { return inside(from+n) != first })
			}
			run.pixels(first, turn)
			run.pixels(!first, to-from-turn)
		}
	}
	run.to(w * h)
	return annotation.RLE{H: h, W: w, Counts: append(run.counts, uint32(run.n))}
}

// pixels is the range of pixels that [a, b) touches, within [0, n).
func pixels(a, b float64, n int) (int, int) {
	i := int(math.Floor(min(max(a, 0), float64(n))))
	j := int(math.Ceil(min(max(b, 0), float64(n))))
	return max(i, 0), max(i, j, 0)
}

// tap says between which cells of the map a pixel lies: (1−w)·cell i + w·cell j.
type tap struct {
	i, j int
	w    float32
}

// tap is where the centre of a pixel falls; beyond the outermost cells' centres their values go on.
func (a Axis) tap(pixel, side int) tap {
	at := a.To(float64(pixel)+.5)*float64(side) - .5
	at = min(max(at, 0), float64(side-1))
	i := int(at)
	return tap{i, min(i+1, side-1), float32(at - float64(i))}
}

// runs collects alternating run lengths, of 0s first.
type runs struct {
	counts []uint32
	n      int // length of the run at hand
	at     int // pixels so far
	inside bool
}

// to fills up with 0s to pixel number at.
func (r *runs) to(at int) {
	if n := at - r.at; n > 0 {
		r.turn(false)
		r.n, r.at = r.n+n, at
	}
}

// pixels adds n pixels.
func (r *runs) pixels(inside bool, n int) {
	if n > 0 {
		r.turn(inside)
		r.n, r.at = r.n+n, r.at+n
	}
}

func (r *runs) turn(inside bool) {
	if inside != r.inside {
		r.counts = append(r.counts, uint32(r.n))
		r.n, r.inside = 0, inside
	}
}
