package augment

import (
	"math"

	"fovea/annotation"
)

// occlude tells a picture's annotations that something was put over it: hidden is 1 where it lies and changes no pixel
// outside a box. Masks lose what is hidden, boxes and areas follow them, joints become Occluded, label maps Void. Objects
// of which less than minVisible stays in sight are dropped; where there is no mask, the box stands for it and is cut when
// one of its sides is hidden from end to end. Crowds stay unless all of their mask is hidden.
func occlude(p *annotation.Picture, hidden *annotation.Bitmap, in annotation.Box, minVisible float64) {
	kept := p.Objects[:0]
	for _, o := range p.Objects {
		if o.Box.Intersect(in).Empty() || occludeObject(&o, hidden, in, minVisible) {
			kept = append(kept, o)
		}
	}
	clear(p.Objects[len(kept):])
	p.Objects = kept
	if p.Semantic != nil {
		for i, v := range hidden.Pix {
			if v != 0 {
				p.Semantic.Pix[i] = annotation.Void
			}
		}
	}
}

// occludeObject is occlude for one object, which owns its mask and joints; false when it is dropped.
func occludeObject(o *annotation.Object, hidden *annotation.Bitmap, in annotation.Box, minVisible float64) bool {
	for i := range o.Joints {
		j := &o.Joints[i]
		if j.V == annotation.Visible && within(in, j.X, j.Y) && hidden.Pix[int(j.Y)*hidden.W+int(j.X)] != 0 {
			j.V = annotation.Occluded
		}
	}
	if o.Mask != nil {
		lost := 0
		rows(o.Box.Intersect(in), hidden, func(from, to int) {
			m := o.Mask.Pix[from:to]
			for i, v := range hidden.Pix[from:to] {
				lost += int(v & m[i])
				m[i] &^= v
			}
		})
		if lost == 0 {
			return true
		}
		left := o.Mask.Area()
		if left == 0 || !o.Crowd && float64(left) < minVisible*float64(left+lost) {
			return false
		}
		o.Box, o.Area = o.Mask.Bounds(), float64(left)
		return true
	}
	area, covered := 0, 0
	rows(o.Box, hidden, func(from, to int) {
		area += to - from
		for _, v := range hidden.Pix[from:to] {
			covered += int(v)
		}
	})
	if o.Crowd || covered == 0 {
		return true
	}
	if float64(area-covered) < minVisible*float64(area) {
		return false
	}
	was := o.Box.Area()
	o.Box = trim(o.Box, hidden)
	o.Area *= o.Box.Area() / was
	return !o.Box.Empty()
}

// rows calls f with the range of indices of every row of pixels that a box touches.
func rows(b annotation.Box, m *annotation.Bitmap, f func(from, to int)) {
	b = b.Clip(float64(m.W), float64(m.H))
	if b.Empty() {
		return
	}
	x0, x1 := int(b.X0), min(int(math.Ceil(b.X1)), m.W)
	for y := int(b.Y0); y < min(int(math.Ceil(b.Y1)), m.H); y++ {
		f(y*m.W+x0, y*m.W+x1)
	}
}

// trim cuts rows and columns off a box that are hidden from end to end.
func trim(b annotation.Box, hidden *annotation.Bitmap) annotation.Box {
	full := func(b annotation.Box) bool {
		all, any := true, false
		rows(b, hidden, func(from, to int) {
			for _, v := range hidden.Pix[from:to] {
				all, any = all && v != 0, true
			}
		})
		return all && any
	}
	for b.Y0 < b.Y1 && full(annotation.Box{X0: b.X0, Y0: b.Y0, X1: b.X1, Y1: min(math.Floor(b.Y0)+1, b.Y1)}) {
		b.Y0 = math.Floor(b.Y0) + 1
	}
	for b.Y0 < b.Y1 && full(annotation.Box{X0: b.X0, Y0: max(math.Ceil(b.Y1)-1, b.Y0), X1: b.X1, Y1: b.Y1}) {
		b.Y1 = math.Ceil(b.Y1) - 1
	}
	for b.X0 < b.X1 && full(annotation.Box{X0: b.X0, Y0: b.Y0, X1: min(math.Floor(b.X0)+1, b.X1), Y1: b.Y1}) {
		b.X0 = math.Floor(b.X0) + 1
	}
	for b.X0 < b.X1 && full(annotation.Box{X0: max(math.Ceil(b.X1)-1, b.X0), Y0: b.Y0, X1: b.X1, Y1: b.Y1}) {
		b.X1 = math.Ceil(b.X1) - 1
	}
	return b
}
