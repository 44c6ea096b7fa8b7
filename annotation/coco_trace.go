package annotation

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// Polygons traces the mask's outline: one polygon x0, y0, x1, y1, … in pixels for each part whose pixels hang together
// by their sides, corners on the corners of pixels, clockwise on the screen. PolygonRLE of the result is the mask again.
//
//	· · · · ·        A hole is joined to the outline around it by a cut of no width, as COCO's polygons know no holes:
//	· # # # ·        the outline goes down the cut, around the hole the other way, and up again.
//	· # · # ·
//	· # # # ·        (1,1) (2,1) (2,3) (3,3) (3,2) (2,2) (2,1) (4,1) (4,4) (1,4)
//	· · · · ·
//
// The outline is followed along the cracks between pixels (Rosenfeld & Kak 1982, ch. 11.2).
func (b *Bitmap) Polygons() [][]float64 {
	t := tracer{Bitmap: b, seen: make([]int32, b.W*b.H)}
	for y := range b.H {
		for x := range b.W {
			if t.in(x, y) && !t.in(x, y-1) && t.seen[y*b.W+x] == 0 {
				t.follow(x, y)
			}
		}
	}
	// Loops are found in raster order, so a hole's cut upwards ends on a loop that is already known.
	for i := range t.loops {
		if t.loops[i].hole {
			t.cut(i)
		}
	}
	for i := range t.loops {
		slices.SortFunc(t.loops[i].cuts, func(a, b cut) int { return cmp.Compare(a.at, b.at) })
	}
	var out [][]float64
	for i := range t.loops {
		if !t.loops[i].hole {
			out = append(out, corners(t.emit(nil, i, t.loops[i].from)))
		}
	}
	return out
}

// Polygons is that of the mask as a Bitmap. It takes memory for the part of the picture that the mask is in alone: a small thing in a
// picture of 64 megapixels costs little. Runs that do not fill H·W pixels exactly are an error.
func (r RLE) Polygons() ([][]float64, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	box := r.Bounds()
	if box.Empty() {
		return nil, nil
	}
	x0, y0 := int(box.X0), int(box.Y0)
	part := NewBitmap(int(box.W()), int(box.H()))
	at := 0
	for k, c := range r.Counts {
		if k%2 == 1 {
			for i := at; i < at+int(c); i++ {
				part.Pix[(i%r.H-y0)*part.W+i/r.H-x0] = 1
			}
		}
		at += int(c)
	}
	out := part.Polygons()
	for _, p := range out {
		for i := range p {
			p[i] += [2]float64{box.X0, box.Y0}[i%2]
		}
	}
	return out, nil
}

type point struct{ x, y int32 }

// loop is a closed outline, points[from:to] of its tracer, with the mask on the right.
type loop struct {
	from, to int
	hole     bool
	cuts     []cut
}

// cut says that, at one point of a loop, the outline makes a detour to another loop and enters that at a point.
type cut struct{ at, loop, enter int }

type tracer struct {
	*Bitmap
	points []point
	loops  []loop
	seen   []int32 // for each pixel, 1 + the index of the point where the outline starts along its upper side, or 0
}

func (t *tracer) in(x, y int) bool {
	return x >= 0 && y >= 0 && x < t.W && y < t.H && t.Pix[y*t.W+x] != 0
}

// follow walks around the outline that starts along the upper side of pixel (x, y).
func (t *tracer) follow(x, y int) {
	l := loop{from: len(t.points)}
	area := 0
	for dx, dy := 1, 0; ; {
		if dx == 1 {
			if t.seen[y*t.W+x] != 0 {
				break // round
			}
			t.seen[y*t.W+x] = int32(len(t.points)) + 1
		}
		t.points = append(t.points, point{int32(x), int32(y)})
		x, y = x+dx, y+dy
		area += x*dy - y*dx
		// The pixels ahead, left and right of the walk: their corner (x, y) is the point just reached.
		left := t.in(x+(dx+dy-1)/2, y+(dy-dx-1)/2)
		right := t.in(x+(dx-dy-1)/2, y+(dy+dx-1)/2)
		switch {
		case !right:
			dx, dy = -dy, dx
		case left:
			dx, dy = dy, -dx
		}
	}
	l.to = len(t.points)
	l.hole = area < 0
	t.loops = append(t.loops, l)
}

// cut joins hole i to the loop above it: from a corner of its top side straight up through the mask.
func (t *tracer) cut(i int) {
	l := t.loops[i]
	enter, top := l.from, int32(math.MaxInt32)
	for k := l.from; k < l.to; k++ {
		next := k + 1
		if next == l.to {
			next = l.from
		}
		if p, q := t.points[k], t.points[next]; q.x < p.x && q.y < top {
			enter, top = next, q.y
		}
	}
	x, y := int(t.points[enter].x), int(t.points[enter].y)
	for t.in(x, y-1) {
		y--
	}
	at := int(t.seen[y*t.W+x]) - 1
	parent := sort.Search(len(t.loops), func(j int) bool { return t.loops[j].to > at })
	t.loops[parent].cuts = append(t.loops[parent].cuts, cut{at, i, enter})
}

// emit appends loop i, entered at point enter, with its detours.
func (t *tracer) emit(out []point, i, enter int) []point {
	l := t.loops[i]
	n := l.to - l.from
	for k := range n {
		at := l.from + (enter-l.from+k)%n
		out = append(out, t.points[at])
		c := sort.Search(len(l.cuts), func(j int) bool { return l.cuts[j].at >= at })
		for ; c < len(l.cuts) && l.cuts[c].at == at; c++ {
			out = t.emit(out, l.cuts[c].loop, l.cuts[c].enter)
			out = append(out, t.points[l.cuts[c].enter], t.points[at])
		}
	}
	return out
}

// corners drops the points in the middle of straight lines.
func corners(p []point) []float64 {
	var out []float64
	for i, b := range p {
		a, c := p[(i+len(p)-1)%len(p)], p[(i+1)%len(p)]
		ux, uy, vx, vy := b.x-a.x, b.y-a.y, c.x-b.x, c.y-b.y
		if ux*vy != uy*vx || ux*vx+uy*vy < 0 {
			out = append(out, float64(b.x), float64(b.y))
		}
	}
	return out
}
