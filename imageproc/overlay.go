package imageproc

import (
	"math"

	"fovea/annotation"
)

// mask tints the inside of a mask and draws a line along its edge. The mask has one pixel for k × k of the canvas.
func (m canvas) mask(b *annotation.Bitmap, k int, c rgb, width float64) {
	bounds := b.Bounds()
	if bounds.Empty() {
		return
	}
	// A window around the mask, with room for the line on all sides.
	pad := (int(width)+3)/k + 1
	x0, y0 := max(int(bounds.X0)-pad, 0), max(int(bounds.Y0)-pad, 0)
	x1, y1 := min(int(bounds.X1)+pad, b.W), min(int(bounds.Y1)+pad, b.H)
	soft := make([]uint8, 0, (x1-x0)*(y1-y0))
	for y := y0; y < y1; y++ {
		for _, v := range b.Pix[y*b.W+x0 : y*b.W+x1] {
			soft = append(soft, 255*min(v, 1))
		}
	}
	w, h := k*(x1-x0), k*(y1-y0)
	soft = ResizePixels(soft, x1-x0, y1-y0, 1, whole(x1-x0, y1-y0), w, h, Bilinear)
	dist := edgeDistance(soft, w, h)
	dark := rgb{c[0] / 3, c[1] / 3, c[2] / 3}
	for i, a := range soft {
		x, y := k*x0+i%w, k*y0+i/w
		if a > 0 {
			m.over(x, y, c, .42*float64(a)/255)
		}
		d := float64(dist[i])
		if a := min(width/2+1.5-d, 1); a > 0 { // a dark hair line keeps the edge visible on its own colour
			m.over(x, y, dark, .35*a)
		}
		if a := min(width/2+.5-d, 1); a > 0 {
			m.over(x, y, c, a)
		}
	}
}

// edgeDistance gives, for each of w × h samples, about how many pixels its centre is from the edge of what is above 127:
// a chamfer transform (Borgefors 1986) from the samples on both sides of the edge, which are half a pixel away. The picture's own
// edge is none: a mask that leaves the picture has no line there.
func edgeDistance(p []uint8, w, h int) []float32 {
	d := make([]float32, w*h)
	for y := range h {
		for x := range w {
			i := y*w + x
			in := p[i] > 127
			differs := x > 0 && in != (p[i-1] > 127) || x+1 < w && in != (p[i+1] > 127) ||
				y > 0 && in != (p[i-w] > 127) || y+1 < h && in != (p[i+w] > 127)
			d[i] = math.MaxFloat32
			if differs {
				d[i] = .5
			}
		}
	}
	const straight, diagonal = 1, 1.3507
	relax := func(x, y, dx, dy int, cost float32) {
		if nx, ny := x+dx, y+dy; nx >= 0 && ny >= 0 && nx < w && ny < h {
			d[y*w+x] = min(d[y*w+x], d[ny*w+nx]+cost)
		}
	}
	for y := range h {
		for x := range w {
			relax(x, y, -1, 0, straight)
			relax(x, y, 0, -1, straight)
			relax(x, y, -1, -1, diagonal)
			relax(x, y, 1, -1, diagonal)
		}
	}
	for y := h - 1; y >= 0; y-- {
		for x := w - 1; x >= 0; x-- {
			relax(x, y, 1, 0, straight)
			relax(x, y, 0, 1, straight)
			relax(x, y, 1, 1, diagonal)
			relax(x, y, -1, 1, diagonal)
		}
	}
	return d
}

// semantic tints each pixel with its class's colour, k canvas pixels for one of the map, and darkens the borders.
func (m canvas) semantic(l *annotation.LabelMap, colors []rgb, k int) {
	at := func(x, y int) int { return int(l.Pix[min(y/k, l.H-1)*l.W+min(x/k, l.W-1)]) }
	for y := range m.H {
		for x := range m.W {
			v := at(x, y)
			if v != annotation.Void && v < len(colors) {
				m.over(x, y, colors[v], .5)
			}
			if x+1 < m.W && at(x+1, y) != v || y+1 < m.H && at(x, y+1) != v {
				m.over(x, y, rgb{}, .5)
			}
		}
	}
}

// The sides of a body, so that a left arm is told from a right one at a glance.
var (
	leftInk   = rgb{255, 159, 28}
	rightInk  = rgb{46, 196, 255}
	middleInk = rgb{120, 230, 100}
)

// skeleton draws an object's bones and joints; point maps a joint to the canvas. Joints that are labelled but hidden are
// rings, absent ones are left out.
func (m canvas) skeleton(o *annotation.Object, stroke float64, point func(x, y float64) (float64, float64)) {
	s := o.Skeleton
	if s == nil {
		return
	}
	shown := func(i int) bool {
		return i >= 0 && i < len(o.Joints) && o.Joints[i].V != annotation.Absent && finite(o.Joints[i].X, o.Joints[i].Y)
	}
	for pass := range 2 { // all shadows lie below all bones
		for _, b := range s.Bones {
			if !shown(b[0]) || !shown(b[1]) {
				continue
			}
			x0, y0 := point(o.Joints[b[0]].X, o.Joints[b[0]].Y)
			x1, y1 := point(o.Joints[b[1]].X, o.Joints[b[1]].Y)
			if pass == 0 {
				m.line(x0, y0, x1, y1, stroke+2, rgb{}, .35)
			} else {
				m.line(x0, y0, x1, y1, stroke, sideInk(s, b[0], b[1]), 1)
			}
		}
	}
	for i, j := range o.Joints {
		if !shown(i) {
			continue
		}
		x, y := point(j.X, j.Y)
		ink := sideInk(s, i, i)
		if j.V == annotation.Occluded {
			m.ring(x, y, stroke*.9, stroke*.5+1.5, rgb{}, .5)
			m.ring(x, y, stroke*.9, stroke*.5, ink, 1)
			continue
		}
		m.line(x, y, x, y, stroke*2.2+2, rgb{}, .6)
		m.line(x, y, x, y, stroke*2.2, ink, 1)
	}
}

// sideInk is the colour of the bone between two joints, or of a joint: a joint that has a mirrored partner belongs to the
// side that its name says.
func sideInk(s *annotation.Skeleton, a, b int) rgb {
	left, right := sideOf(s, a), sideOf(s, b)
	switch {
	case left < 0 && right <= 0 || left == 0 && right < 0:
		return leftInk
	case left > 0 && right >= 0 || left == 0 && right > 0:
		return rightInk
	}
	return middleInk
}

// sideOf is -1 for left, 1 for right and 0 for the middle.
func sideOf(s *annotation.Skeleton, i int) int {
	if i >= len(s.Joints) {
		return 0
	}
	switch name := s.Joints[i]; {
	case containsAny(name, "left"):
		return -1
	case containsAny(name, "right"):
		return 1
	}
	return 0
}

func finite(v ...float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
