package annotation

import (
	"cmp"
	"math"
	"slices"
	"sort"
)

// Polygons traces the outline of a mask: one polygon x0, y0, x1, y1, … in pixels for each part whose pixels hang together
// by their sides, corners on the corners of pixels, clockwise on the screen. PolygonRLE of the result is the mask again.
//
//	· · · · ·        A hole is joined to the outline around it by a cut of no width, as COCO's polygons know no holes:
//	· # # # ·        the outline goes down the cut, around the hole the other way, and up again.
//	· # · # ·
//	· # # # ·        (1,1) (2,1) (2,3) (3,3) (3,2) (2,2) (2,1) (4,1) (4,4) (1,4)
//	· · · · ·
//
// The outline is followed along the cracks between pixels (Rosenfeld & Kak 1982, ch. 11.2).
//
// It takes memory and time for the outline alone, not for the pixels. Runs that do not fill H·W pixels exactly are an error.
func (r RLE) Polygons() ([][]float64, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	t := newTracer(r)
	order := make([]int, len(t.spans))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(t.spans[a].y0, t.spans[b].y0) }) // those of a row are in order
	for _, i := range order {
		if t.spans[i].seen == 0 {
			t.follow(int(t.spans[i].x), int(t.spans[i].y0))
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

// span is pixels (x, y0) … (x, y1−1) of a mask, with none above or below.
type span struct {
	x, y0, y1 int32
	seen      int32 // 1 + the index of the point where the outline starts along its upper side, or 0
}

// tracer holds a mask as spans, column by column and downwards: those of column x are spans[first[x]:first[x+1]].
type tracer struct {
	spans  []span
	first  []int32
	points []point
	loops  []loop
}

func newTracer(r RLE) *tracer {
	t := &tracer{first: make([]int32, r.W+1)}
	at := 0
	for i, c := range r.Counts {
		end := at + int(c)
		for i%2 == 1 && at < end {
			x, y := at/r.H, at%r.H
			n := min(end-at, r.H-y)
			if k := len(t.spans) - 1; k >= 0 && int(t.spans[k].x) == x && int(t.spans[k].y1) == y { // after a run of no 0s
				t.spans[k].y1 += int32(n)
			} else {
				t.spans = append(t.spans, span{x: int32(x), y0: int32(y), y1: int32(y + n)})
			}
			t.first[x+1] = int32(len(t.spans))
			at += n
		}
		at = end
	}
	for x := range r.W {
		t.first[x+1] = max(t.first[x+1], t.first[x]) // columns without any
	}
	return t
}

// at is the span that a pixel is in, nil outside the mask.
func (t *tracer) at(x, y int) *span {
	if x < 0 || x+1 >= len(t.first) {
		return nil
	}
	column := t.spans[t.first[x]:t.first[x+1]]
	i := sort.Search(len(column), func(i int) bool { return int(column[i].y1) > y })
	if i == len(column) || int(column[i].y0) > y {
		return nil
	}
	return &column[i]
}

func (t *tracer) in(x, y int) bool { return t.at(x, y) != nil }

// follow walks around the outline that starts along the upper side of pixel (x, y).
func (t *tracer) follow(x, y int) {
	l := loop{from: len(t.points)}
	area := 0
	for dx, dy := 1, 0; ; {
		if dx == 1 { // along an upper side
			s := t.at(x, y)
			if s.seen != 0 {
				break // round
			}
			s.seen = int32(len(t.points)) + 1
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
	// Above a hole's upper side there is mask.
	at := int(t.at(int(t.points[enter].x), int(t.points[enter].y)-1).seen) - 1
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
