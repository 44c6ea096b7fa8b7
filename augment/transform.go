package augment

import (
	"math"
	"slices"

	"fovea/annotation"
	"fovea/imageproc"
)

// Transform lays a picture and its annotations into a square.
type Transform struct {
	Affine              // pixels of the source to pixels of the square
	Mirrored   bool     // the map mirrors, so left and right swap in joints and texts
	Side       int      // of the square, pixels
	Fill       [3]uint8 // the colour around the picture
	MinVisible float64  // share of a box that must stay in view, [0, 1]
	MinSize    float64  // least width and height of a box, pixels of the square
	KeepAll    bool     // everything that texts may be about is in view, so texts are kept
}

// Image draws the picture: a new Side × Side picture, antialiased where it gets smaller (averages of whole blocks of
// pixels, then bilinear interpolation). A nil or empty picture gives the plain fill colour.
func (t Transform) Image(img *imageproc.RGB) *imageproc.RGB {
	s := pool.Get().(*scratch)
	defer pool.Put(s)
	return t.image(img, s)
}

// image leaves in s.spans what each row of the result shows of the picture.
func (t Transform) image(img *imageproc.RGB, s *scratch) *imageproc.RGB {
	out := imageproc.NewRGB(t.Side, t.Side)
	t.draw(out, img, s)
	return out
}

func (t Transform) draw(out, img *imageproc.RGB, s *scratch) {
	spans := s.rows(t.Side)
	if img == nil || img.W <= 0 || img.H <= 0 {
		clear(spans)
		paint(out.Pix, t.Fill)
		return
	}
	from := t.Inverse()
	s.level.build(img, from, t.Side)
	s.level.draw(out, from, img.W, img.H, t.Fill, spans)
}

// Picture moves the annotations of a picture of w × h pixels. The result shares no memory that can change with p, except
// answers and captions that stay as they are.
//
// Boxes are cut to the square. An object is dropped when less than MinVisible of its box is in view, when what remains is
// smaller than MinSize, when its mask shows no pixel, or when it has neither a box nor a mask; crowds are dropped only when
// nothing of them remains. Masks take the nearest source pixel, and a mask's bounds become the object's box. The box of a
// rotated object without a mask is that of the ellipse inscribed in its box, which fits most things better than the box of
// the turned corners (Kalra et al. 2021). Joints outside the square become Absent. Pixels of Semantic outside the picture
// become Void. Masks and label maps that are not of the picture's size are dropped. Unless KeepAll is set, questions and
// captions are dropped.
func (t Transform) Picture(p *annotation.Picture, w, h int) annotation.Picture {
	q := annotation.Picture{W: t.Side, H: t.Side, Class: p.Class}
	from := t.Inverse()
	if len(p.Objects) > 0 && w > 0 && h > 0 {
		q.Objects = make([]annotation.Object, 0, len(p.Objects))
		for i := range p.Objects {
			if o, ok := t.object(&p.Objects[i], from, w, h); ok {
				q.Objects = append(q.Objects, o)
			}
		}
	}
	if t.KeepAll {
		t.texts(&q, p)
	}
	if m := p.Semantic; m != nil && m.W == w && m.H == h && len(m.Pix) >= w*h && w > 0 && h > 0 {
		q.Semantic = &annotation.LabelMap{W: t.Side, H: t.Side, Pix: make([]uint8, t.Side*t.Side)}
		t.nearest(q.Semantic.Pix, m.Pix, from, w, h, annotation.Box{X1: float64(t.Side), Y1: float64(t.Side)}, annotation.Void)
	}
	return q
}

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
	s := float64(t.Side)
	whole := t.ellipse(box)
	q.Box = whole.Clip(s, s)
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
	s := float64(t.Side)
	// Masks may stick out of a rounded box a little.
	wide := annotation.Box{X0: box.X0 - 2, Y0: box.Y0 - 2, X1: box.X1 + 2, Y1: box.Y1 + 2}
	in := t.bounds(wide).Clip(s, s)
	t.nearest(m.Pix, mask.Pix, from, mask.W, mask.H, in, 0)
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
	s := float64(t.Side)
	for i, j := range o.Joints {
		at := i
		if flip {
			at = o.Skeleton.Flip[i]
		}
		x, y := t.Apply(j.X, j.Y)
		if j.V == annotation.Absent || !(x >= 0 && y >= 0 && x < s && y < s) {
			continue
		}
		out[at] = annotation.Joint{X: x, Y: y, V: j.V, Score: j.Score}
	}
	return out
}

// flips reports that the skeleton tells which joint each becomes in a mirror.
func flips(o *annotation.Object) bool {
	if o.Skeleton == nil || len(o.Skeleton.Flip) != len(o.Joints) {
		return false
	}
	return !slices.ContainsFunc(o.Skeleton.Flip, func(i int) bool { return i < 0 || i >= len(o.Joints) })
}

// texts copies questions and captions, swapping left and right if the picture was mirrored.
func (t Transform) texts(q, p *annotation.Picture) {
	q.Questions = slices.Clone(p.Questions)
	s := float64(t.Side)
	for i := range q.Questions {
		u := &q.Questions[i]
		var ms []annotation.Mention
		for _, m := range u.Mentions {
			if m.X, m.Y = t.Apply(m.X, m.Y); m.X >= 0 && m.Y >= 0 && m.X < s && m.Y < s {
				ms = append(ms, m)
			}
		}
		u.Mentions = ms
		if t.Mirrored {
			u.Text, _ = mirrorText(u.Text)
			u.Answers = mirrorTexts(u.Answers)
		}
	}
	q.Captions = p.Captions
	if t.Mirrored {
		q.Captions = mirrorTexts(p.Captions)
	}
}

// ellipse is the bounds of the ellipse inscribed in a box after the map; without rotation, the box itself.
func (a Affine) ellipse(b annotation.Box) annotation.Box {
	x, y := a.Apply(b.Center())
	hx, hy := math.Hypot(a.XX*b.W(), a.XY*b.H())/2, math.Hypot(a.YX*b.W(), a.YY*b.H())/2
	return annotation.Box{X0: x - hx, Y0: y - hy, X1: x + hx, Y1: y + hy}
}

// bounds is the bounds of a box's corners after the map.
func (a Affine) bounds(b annotation.Box) annotation.Box {
	x, y := a.Apply(b.X0, b.Y0)
	x0, x1 := extent(a.XX*b.W(), a.XY*b.H(), x)
	y0, y1 := extent(a.YX*b.W(), a.YY*b.H(), y)
	return annotation.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}
}

// nearest copies, for every pixel of the square that lies in a box, the source pixel under its centre; pixels of the box
// outside the source get void.
func (t Transform) nearest(dst, src []uint8, from Affine, w, h int, in annotation.Box, void uint8) {
	lo, hi := int(in.X0), min(int(math.Ceil(in.X1)), t.Side)
	for y := int(in.Y0); y < min(int(math.Ceil(in.Y1)), t.Side); y++ {
		k := from.row(y)
		x0, x1 := k.span(lo, hi, w, h)
		row := dst[y*t.Side : (y+1)*t.Side]
		if void != 0 {
			for x := lo; x < x0; x++ {
				row[x] = void
			}
			for x := x1; x < hi; x++ {
				row[x] = void
			}
		}
		u, v := k.u+int64(x0)*k.du, k.v+int64(x0)*k.dv
		for x := x0; x < x1; x++ {
			row[x] = src[int(v>>32)*w+int(u>>32)]
			u += k.du
			v += k.dv
		}
	}
}
