package annotation

import (
	"fmt"
	"math"
	"slices"
)

// Outlines are drawn on a grid five times finer than the pixels.
const (
	upsample = 5
	// maxCoordinate keeps the fine grid within 32 bits, as in C.
	maxCoordinate = 4e8
	// maxCrossings bounds the work on one mask: outlines that cross columns of pixels more often are refused.
	maxCrossings = 1 << 24
)

// PolygonRLE fills polygons in a picture of h × w pixels and returns their union. A polygon is x0, y0, x1, y1, … in
// pixels and closes itself. Parts outside the picture are cut off; a polygon of one or two corners covers nothing. No
// polygons make an empty mask. Polygons without corners, of an odd number of coordinates or with a coordinate that is not
// finite or beyond 4e8, and pictures above MaxMaskPixels are errors.
//
// The result equals pycocotools' bit for bit (maskApi.c, rleFrPoly): corners are rounded to a grid five times as fine,
// edges walk over it, and a column of pixels changes value where an edge crosses the column's middle. Instead of walking
// every grid point, each edge's crossings are computed by the same expressions in the same arithmetic.
func PolygonRLE(h, w int, polygons ...[]float64) (RLE, error) {
	if err := checkSize(h, w); err != nil {
		return RLE{}, err
	}
	union := RLE{H: h, W: w, Counts: []uint32{uint32(h * w)}}
	budget := maxCrossings
	for i, xy := range polygons {
		r, err := fill(h, w, xy, &budget)
		if err != nil {
			return RLE{}, fmt.Errorf("annotation: polygon %d: %w", i, err)
		}
		if i == 0 {
			union = r
		} else if union, err = union.Union(r); err != nil {
			return RLE{}, err
		}
	}
	return union, nil
}

func fill(h, w int, xy []float64, budget *int) (RLE, error) {
	if len(xy) == 0 || len(xy)%2 != 0 {
		return RLE{}, fmt.Errorf("%d coordinates, want an even number, x and y of each corner", len(xy))
	}
	n := len(xy) / 2
	grid := make([][2]int, n+1)
	for j, v := range xy {
		if !(math.Abs(v) <= maxCoordinate) {
			return RLE{}, fmt.Errorf("coordinate %d is %g, want a number within ±%g", j, v, float64(maxCoordinate))
		}
		grid[j/2][j%2] = int(float64(upsample*v) + .5) // rounds towards zero, as C does
	}
	grid[n] = grid[0]
	c := crossings{h: h, w: w, budget: budget, limit: 1 << 16}
	for j := range n {
		if !c.edge(grid[j], grid[j+1]) {
			return RLE{}, fmt.Errorf("outline crosses more than %d columns", maxCrossings)
		}
	}
	return c.rle(), nil
}

// crossings collects the pixels, numbered down the columns, at which a mask changes value.
type crossings struct {
	h, w   int
	at     []uint32
	limit  int // pairs in at cancel when it grows beyond
	budget *int
}

// edge adds the crossings of an edge between two points of the fine grid; false when there are too many.
//
// Column k changes where the edge steps between the grid columns 5k+2 and 5k+3; the upper of the two points counts.
func (c *crossings) edge(p, q [2]int) bool {
	dx, dy := abs(q[0]-p[0]), abs(q[1]-p[1])
	if dx >= dy && p[0] > q[0] || dx < dy && p[1] > q[1] {
		p, q = q, p
	}
	xs, xe, ys, ye := p[0], q[0], p[1], q[1]
	first, last := ceilDiv(min(xs, xe)-2, upsample), ceilDiv(max(xs, xe)-2, upsample)-1
	first, last = max(first, 0), min(last, c.w-1)
	if first > last {
		return true
	}
	if *c.budget -= last - first + 1; *c.budget < 0 {
		return false
	}
	if dx >= dy {
		s := float64(ye-ys) / float64(dx)
		v := func(t int) int { return int(float64(ys) + float64(s*float64(t)) + .5) }
		for k := first; k <= last; k++ {
			t := upsample*k + 3 - xs
			c.add(k, min(v(t-1), v(t)))
		}
		return true
	}
	s := float64(xe-xs) / float64(dy)
	u := func(t int) int { return int(float64(xs) + float64(s*float64(t)) + .5) }
	for k := first; k <= last; k++ {
		// the first step at which the grid column has passed from one side of the middle to the other
		passed := func(t int) bool { return (u(t) >= upsample*k+3) == (s > 0) }
		t := min(max(int((float64(upsample*k)+2.5-float64(xs))/s), 1), dy)
		for t > 1 && passed(t-1) {
			t--
		}
		for t < dy && !passed(t) {
			t++
		}
		c.add(k, ys+t-1)
	}
	return true
}

// add notes that column k changes value below grid row v.
func (c *crossings) add(k, v int) {
	y := (float64(v)+.5)/upsample - .5
	y = math.Ceil(min(max(y, 0), float64(c.h)))
	c.at = append(c.at, uint32(k*c.h+int(y)))
	if len(c.at) > c.limit {
		c.cancel()
		c.limit = max(c.limit, 2*len(c.at))
	}
}

// cancel sorts the crossings and drops pairs of equal ones: changing twice is not changing.
func (c *crossings) cancel() {
	slices.Sort(c.at)
	out := c.at[:0]
	for _, v := range c.at {
		if n := len(out); n > 0 && out[n-1] == v {
			out = out[:n-1]
		} else {
			out = append(out, v)
		}
	}
	c.at = out
}

func (c *crossings) rle() RLE {
	c.cancel()
	r := RLE{H: c.h, W: c.w, Counts: make([]uint32, 0, len(c.at)+1)}
	var from uint32
	for _, v := range c.at {
		r.Counts = append(r.Counts, v-from)
		from = v
	}
	if end := uint32(c.h * c.w); from < end || len(r.Counts) == 0 {
		r.Counts = append(r.Counts, end-from)
	}
	return r
}

func abs(v int) int { return max(v, -v) }

// ceilDiv is ⌈a/b⌉ for b > 0.
func ceilDiv(a, b int) int {
	q := a / b
	if a%b > 0 {
		q++
	}
	return q
}
