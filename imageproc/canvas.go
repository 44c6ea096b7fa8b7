package imageproc

import "math"

// rgb is a colour: red, green, blue.
type rgb = [3]uint8

// canvas draws antialiased shapes on a picture. Coordinates are pixels and may lie outside; alpha is 0 … 1.
type canvas struct{ *RGB }

// over blends a colour onto one pixel inside the picture.
func (m canvas) over(x, y int, c rgb, alpha float64) {
	p := m.Pix[3*(y*m.W+x):][:3]
	a := int32(alpha*256 + .5)
	for i := range p {
		p[i] = uint8((int32(p[i])*(256-a) + int32(c[i])*a + 128) >> 8)
	}
}

// rows and cols clip an interval of coordinates to whole pixels of the picture.
func (m canvas) rows(y0, y1 float64) (int, int) { return clipSpan(y0, y1, m.H) }
func (m canvas) cols(x0, x1 float64) (int, int) { return clipSpan(x0, x1, m.W) }

func clipSpan(a, b float64, n int) (int, int) {
	lo, hi := math.Floor(max(a, 0)), math.Ceil(min(b, float64(n)))
	if !(lo < hi) { // NaN too
		return 0, 0
	}
	return int(lo), int(hi)
}

// line draws a segment with round ends; a segment of length 0 is a disc of that width.
func (m canvas) line(x0, y0, x1, y1, width float64, c rgb, alpha float64) {
	r := width / 2
	dx, dy := x1-x0, y1-y0
	length2 := dx*dx + dy*dy
	top, bottom := m.rows(min(y0, y1)-r-1, max(y0, y1)+r+1)
	for y := top; y < bottom; y++ {
		py := float64(y) + .5
		// Only the part of the segment that this row can see.
		t0, t1 := 0.0, 1.0
		if dy != 0 {
			a, b := (py-r-1-y0)/dy, (py+r+1-y0)/dy
			t0, t1 = max(min(a, b), 0), min(max(a, b), 1)
		}
		left, right := m.cols(x0+min(t0*dx, t1*dx)-r-1, x0+max(t0*dx, t1*dx)+r+1)
		for x := left; x < right; x++ {
			px := float64(x) + .5
			t := 0.0
			if length2 > 0 {
				t = min(max(((px-x0)*dx+(py-y0)*dy)/length2, 0), 1)
			}
			d := math.Hypot(px-x0-t*dx, py-y0-t*dy)
			if cover := min(r+.5-d, 1); cover > 0 {
				m.over(x, y, c, alpha*cover)
			}
		}
	}
}

// ring draws a circle line.
func (m canvas) ring(cx, cy, radius, width float64, c rgb, alpha float64) {
	r := radius + width/2
	top, bottom := m.rows(cy-r-1, cy+r+1)
	left, right := m.cols(cx-r-1, cx+r+1)
	for y := top; y < bottom; y++ {
		for x := left; x < right; x++ {
			d := math.Abs(math.Hypot(float64(x)+.5-cx, float64(y)+.5-cy) - radius)
			if cover := min(width/2+.5-d, 1); cover > 0 {
				m.over(x, y, c, alpha*cover)
			}
		}
	}
}

// frame draws the outline of a rectangle; the middle of the line is the rectangle's edge.
func (m canvas) frame(x0, y0, x1, y1, width float64, c rgb, alpha float64) {
	h := width / 2
	ox0, oy0, ox1, oy1 := x0-h, y0-h, x1+h, y1+h
	ix0, iy0, ix1, iy1 := x0+h, y0+h, x1-h, y1-h
	top, bottom := m.rows(oy0, oy1)
	left, right := m.cols(ox0, ox1)
	for y := top; y < bottom; y++ {
		outer, inner := overlap(y, oy0, oy1), overlap(y, iy0, iy1)
		for x := left; x < right; x++ {
			cover := outer*overlap(x, ox0, ox1) - inner*overlap(x, ix0, ix1)
			if cover > .002 {
				m.over(x, y, c, alpha*cover)
			} else if inner == 1 && float64(x) > ix0 {
				x = max(x, min(int(ix1), right)-1) // nothing until the right edge
			}
		}
	}
}

// overlap is how much of pixel i lies between a and b.
func overlap(i int, a, b float64) float64 {
	return max(min(float64(i+1), b)-max(float64(i), a), 0)
}

// panel fills a rectangle with rounded corners.
func (m canvas) panel(x0, y0, x1, y1, radius float64, c rgb, alpha float64) {
	top, bottom := m.rows(y0, y1)
	left, right := m.cols(x0, x1)
	cx, cy, hw, hh := (x0+x1)/2, (y0+y1)/2, (x1-x0)/2-radius, (y1-y0)/2-radius
	for y := top; y < bottom; y++ {
		for x := left; x < right; x++ {
			qx, qy := math.Abs(float64(x)+.5-cx)-hw, math.Abs(float64(y)+.5-cy)-hh
			d := math.Hypot(max(qx, 0), max(qy, 0)) + min(max(qx, qy), 0) - radius
			if cover := min(max(.5-d, 0), 1); cover > 0 {
				m.over(x, y, c, alpha*cover)
			}
		}
	}
}
