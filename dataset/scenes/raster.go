package scenes

import "math"

// vec is a point or a direction, x to the right, y down.
type vec struct{ x, y float64 }

func (a vec) add(b vec) vec        { return vec{a.x + b.x, a.y + b.y} }
func (a vec) sub(b vec) vec        { return vec{a.x - b.x, a.y - b.y} }
func (a vec) mul(k float64) vec    { return vec{a.x * k, a.y * k} }
func (a vec) dot(b vec) float64    { return a.x*b.x + a.y*b.y }
func (a vec) len() float64         { return math.Hypot(a.x, a.y) }
func lerp(a, b vec, t float64) vec { return vec{a.x + (b.x-a.x)*t, a.y + (b.y-a.y)*t} }

// polar is the direction at angle t, radians, clockwise on the screen.
func polar(t float64) vec { s, c := math.Sincos(t); return vec{c, s} }

// raster turns polygons into coverage: the exact share of each pixel's square that lies inside. Every edge adds the
// signed area to its right to the cells that it crosses and a running sum along the row integrates them, the algorithm
// of font-rs (Levien 2016) and of FreeType's smooth rasteriser. The winding number is clamped to [0, 1], so polygons of
// one orientation unite and one of the other orientation cuts a hole.
type raster struct {
	w, h   int
	stride int       // w + 2: an edge may write one cell past its own
	acc    []float32 // h·stride, zero between fills
	y0, y1 int       // rows touched since the last fill
}

func (r *raster) resize(w, h int) {
	r.w, r.h, r.stride = w, h, w+2
	if n := h * r.stride; cap(r.acc) < n {
		r.acc = make([]float32, n)
	} else {
		r.acc = r.acc[:n]
	}
	r.y0, r.y1 = h, 0
}

// polygon adds a closed polygon, oriented so that it adds to the coverage, or cuts from it when hole is set.
func (r *raster) polygon(p []vec, hole bool) {
	area := 0.0
	for i, a := range p {
		b := p[(i+1)%len(p)]
		area += a.x*b.y - a.y*b.x
	}
	forward := (area > 0) != hole
	for i, a := range p {
		b := p[(i+1)%len(p)]
		if forward {
			r.edge(b, a)
		} else {
			r.edge(a, b)
		}
	}
}

// edge adds the signed area right of the segment from a to b.
func (r *raster) edge(a, b vec) {
	if a.y == b.y {
		return
	}
	dir := float32(1)
	if a.y > b.y {
		a, b, dir = b, a, -1
	}
	slope := (b.x - a.x) / (b.y - a.y)
	x := a.x
	if a.y < 0 {
		x -= a.y * slope
	}
	first, last := max(int(math.Floor(a.y)), 0), min(int(math.Ceil(b.y)), r.h)
	if first >= last {
		return
	}
	r.y0, r.y1 = min(r.y0, first), max(r.y1, last)
	w := float64(r.w)
	for y := first; y < last; y++ {
		dy := min(float64(y+1), b.y) - max(float64(y), a.y)
		next := x + slope*dy
		r.cells(y*r.stride, clamp(min(x, next), 0, w), clamp(max(x, next), 0, w), float32(dy)*dir)
		x = next
	}
}

// cells spreads an edge that falls by d within one row and runs from x0 to x1 ≥ x0.
func (r *raster) cells(row int, x0, x1 float64, d float32) {
	i0, i1 := int(x0), int(math.Ceil(x1))
	if i1 <= i0+1 {
		m := float32((x0+x1)/2) - float32(i0)
		r.acc[row+i0] += d - d*m
		r.acc[row+i0+1] += d * m
		return
	}
	s := float32(1 / (x1 - x0))
	f0, f1 := float32(x0)-float32(i0), float32(x1)-float32(i1)+1
	head, tail := .5*s*(1-f0)*(1-f0), .5*s*f1*f1
	r.acc[row+i0] += d * head
	if i1 == i0+2 {
		r.acc[row+i0+1] += d * (1 - head - tail)
	} else {
		second := s * (1.5 - f0)
		r.acc[row+i0+1] += d * (second - head)
		for i := i0 + 2; i < i1-1; i++ {
			r.acc[row+i] += d * s
		}
		r.acc[row+i1-1] += d * (1 - second - float32(i1-i0-3)*s - tail)
	}
	r.acc[row+i1] += d * tail
}

func clamp(v, lo, hi float64) float64 { return min(max(v, lo), hi) }
