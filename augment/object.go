package augment

import (
	"math"
	"slices"

	"fovea/annotation"
)

// object moves one object; false when it is dropped.
func (t Transform) object(o *annotation.Object, from Affine, w, h int) (annotation.Object, bool) {
	q := *o
	q.Mask, q.Joints = nil, nil
	mask := o.Mask
	if mask != nil && (mask.W != w || mask.H != h || len(mask.Pix) < w*h) {
		mask = nil
	}
	box := o.Box
	if mask != nil && (!box.Finite() || box.Empty()) {
		box = mask.Bounds()
	}
	box = box.Clip(float64(w), float64(h))
	if !box.Finite() || box.Empty() {
		return q, false
	}
	whole := t.ellipse(box)
	q.Box = whole.Intersect(t.frame())
	if q.Box.Empty() {
		return q, false
	}
	share := q.Box.Area() / whole.Area()
	if !o.Crowd && (share < t.MinVisible || q.Box.W() < t.MinSize || q.Box.H() < t.MinSize) {
		return q, false
	}
	q.Area = o.Area * math.Abs(t.Det()) * share
	if mask != nil && !t.mask(&q, mask, box, from) {
		return q, false
	}
	q.Joints = t.joints(o)
	return q, true
}

// mask gives q the part of the mask that is in view, with its bounds and area; false when nothing is. A mask that is
// empty from the start says nothing about the object and is dropped.
func (t Transform) mask(q *annotation.Object, mask *annotation.Bitmap, box annotation.Box, from Affine) bool {
	m := annotation.NewBitmap(t.Side, t.Side)
	// Masks may stick out of a rounded box a little.
	wide := annotation.Box{X0: box.X0 - 2, Y0: box.Y0 - 2, X1: box.X1 + 2, Y1: box.Y1 + 2}
	in := t.bounds(wide).Intersect(t.frame())
	t.nearest(m.Pix, mask.Pix, from, mask.W, mask.H, in)
	b := bitmapBounds(m, in)
	if b.Empty() {
		return mask.Bounds().Empty()
	}
	if !q.Crowd && (b.W() < t.MinSize || b.H() < t.MinSize) {
		return false
	}
	q.Mask, q.Box, q.Area = m, b, float64(m.Area())
	return true
}

// bitmapBounds is m.Bounds, looking only at part of the mask.
func bitmapBounds(m *annotation.Bitmap, in annotation.Box) annotation.Box {
	x0, y0, x1, y1 := m.W, m.H, 0, 0
	lo, hi := int(in.X0), min(int(math.Ceil(in.X1)), m.W)
	for y := int(in.Y0); y < min(int(math.Ceil(in.Y1)), m.H); y++ {
		row := m.Pix[y*m.W : (y+1)*m.W]
		a := lo
		for a < hi && row[a] == 0 {
			a++
		}
		if a == hi {
			continue
		}
		b := hi
		for row[b-1] == 0 {
			b--
		}
		x0, x1, y0, y1 = min(x0, a), max(x1, b), min(y0, y), y+1
	}
	return annotation.Box{X0: float64(x0), Y0: float64(y0), X1: float64(x1), Y1: float64(y1)}
}

// joints moves the joints; mirrored ones take each other's places.
func (t Transform) joints(o *annotation.Object) []annotation.Joint {
	if o.Joints == nil {
		return nil
	}
	flip := t.Mirrored && flips(o)
	out := make([]annotation.Joint, len(o.Joints))
	in := t.frame()
	for i, j := range o.Joints {
		at := i
		if flip {
			at = o.Skeleton.Flip[i]
		}
		x, y := t.Apply(j.X, j.Y)
		if j.V == annotation.Absent || !within(in, x, y) {
			continue
		}
		out[at] = annotation.Joint{X: x, Y: y, V: j.V, Score: j.Score}
	}
	return out
}

func within(b annotation.Box, x, y float64) bool {
	return x >= b.X0 && y >= b.Y0 && x < b.X1 && y < b.Y1
}

// flips reports that the skeleton tells which joint each becomes in a mirror.
func flips(o *annotation.Object) bool {
	if o.Skeleton == nil || len(o.Skeleton.Flip) != len(o.Joints) {
		return false
	}
	return !slices.ContainsFunc(o.Skeleton.Flip, func(i int) bool { return i < 0 || i >= len(o.Joints) })
}

// nearest copies, for every pixel of the square that lies in a box, the source pixel under its centre, if there is one.
func (t Transform) nearest(dst, src []uint8, from Affine, w, h int, in annotation.Box) {
	if in.Empty() {
		return
	}
	lo, hi := int(in.X0), min(int(math.Ceil(in.X1)), t.Side)
	for y := int(in.Y0); y < min(int(math.Ceil(in.Y1)), t.Side); y++ {
		k := from.row(y)
		x0, x1 := k.span(lo, hi, w, h)
		u, v := k.u+int64(x0)*k.du, k.v+int64(x0)*k.dv
		row := dst[y*t.Side+x0 : y*t.Side+x1]
		for x := range row {
			row[x] = src[int(v>>32)*w+int(u>>32)]
			u += k.du
			v += k.dv
		}
	}
}
