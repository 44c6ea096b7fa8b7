package dataset

import (
	"errors"
	"math"

	"fovea/annotation"
)

// linkObject puts an object to its picture.
func (c *cocoFile) linkObject(o *cocoObject) {
	what := "annotation " + o.id
	im := c.image(o.image, what)
	if im == nil {
		return
	}
	im.objects++
	cat := c.categories[o.category]
	if cat == nil {
		c.bad(UnknownCategory, "%s: category id %q", what, o.category)
		im.lost = true
		return
	}
	if im.record == nil {
		return
	}
	o.Label = cat.name
	if o.keypoints != nil {
		c.setJoints(o, cat, im, what)
	}
	if at, same := c.b.byID[o.id]; c.merge && same && at.r == im.record {
		if old := &at.r.objects[at.i]; o.Joints != nil && old.Joints == nil {
			old.Joints, old.Skeleton = o.Joints, o.Skeleton
			c.joints = true
		}
		return
	}
	if m := &o.mask; m.h != 0 && im.w != 0 && (m.w != im.w || m.h != im.h) {
		c.bad(BadMask, "%s: run lengths for %d × %d pixels, the picture has %d × %d", what, m.w, m.h, im.w, im.h)
		*m = outline{}
	}
	if !c.setBox(o, im, what) {
		return
	}
	c.masks = c.masks || !o.mask.empty() && !o.Crowd
	c.joints = c.joints || o.Joints != nil
	o.ID = idNumber(o.id)
	c.b.byID[o.id] = objectAt{im.record, len(im.record.objects)}
	im.record.objects = append(im.record.objects, o.object)
}

// rounding is how far a box or a joint may lie over the picture's edge without a fault, pixels.
const rounding = 1

// setBox checks the box, or takes it from the mask when there is none.
func (c *cocoFile) setBox(o *cocoObject, im *cocoImage, what string) bool {
	if o.noBox {
		box, err := o.outlineBounds(im)
		if err != nil {
			c.bad(BadEntry, "%s: no bbox, and no mask to take it from: %v", what, err)
			im.lost = true
			return false
		}
		o.Box = box
	}
	switch b := o.Box; {
	case !b.Finite():
		c.bad(NotANumber, "%s: box %v", what, b)
		im.lost = true
		return false
	case b.Empty():
		c.bad(BoxEmpty, "%s: box of %v × %v pixels", what, b.X1-b.X0, b.Y1-b.Y0)
		return false
	case im.w != 0:
		w, h := float64(im.w), float64(im.h)
		o.Box = b.Clip(w, h)
		if o.Box.Empty() {
			c.bad(BoxEmpty, "%s: box %v lies outside the picture of %d × %d", what, b, im.w, im.h)
			return false
		}
		if b.X0 < -rounding || b.Y0 < -rounding || b.X1 > w+rounding || b.Y1 > h+rounding {
			c.bad(BoxClipped, "%s: box %v in a picture of %d × %d", what, b, im.w, im.h)
		}
	}
	return true
}

func (o *cocoObject) outlineBounds(im *cocoImage) (annotation.Box, error) {
	if len(o.mask.polygons) > 0 {
		box := annotation.Box{X0: math.Inf(1), Y0: math.Inf(1), X1: math.Inf(-1), Y1: math.Inf(-1)}
		for _, p := range o.mask.polygons {
			for i := 0; i+1 < len(p); i += 2 {
				x, y := float64(p[i]), float64(p[i+1])
				box = annotation.Box{X0: min(box.X0, x), Y0: min(box.Y0, y), X1: max(box.X1, x), Y1: max(box.Y1, y)}
			}
		}
		return box, nil
	}
	if o.mask.empty() {
		return annotation.Box{}, errors.New("it has none")
	}
	w, h := o.mask.w, o.mask.h
	if h == 0 {
		w, h = im.w, im.h
	}
	r, err := o.mask.rle(w, h)
	return r.Bounds(), err
}

// setJoints reads x, y, v for each joint.
func (c *cocoFile) setJoints(o *cocoObject, cat *cocoCategory, im *cocoImage, what string) {
	s := cat.skeleton
	if s == nil && len(o.keypoints) == 3*len(annotation.COCO17.Joints) {
		s = annotation.COCO17
	}
	if s == nil || len(o.keypoints) != 3*len(s.Joints) {
		want := 0
		if s != nil {
			want = 3 * len(s.Joints)
		}
		c.bad(BadJoints, "%s: %d numbers in keypoints, category %q has %d", what, len(o.keypoints), cat.name, want)
		return
	}
	js := make([]annotation.Joint, len(s.Joints))
	known := 0
	for i := range js {
		x, y, v := o.keypoints[3*i], o.keypoints[3*i+1], o.keypoints[3*i+2]
		switch {
		case v == 0:
			continue
		case !annotation.Box{X0: x, Y0: y, X1: v}.Finite():
			c.bad(NotANumber, "%s: joint %q at %v, %v with visibility %v", what, s.Joints[i], x, y, v)
			continue
		case v < 0 || x < -rounding || y < -rounding || im.w != 0 && (x > float64(im.w)+rounding || y > float64(im.h)+rounding):
			c.bad(BadJoints, "%s: joint %q at %v, %v in a picture of %d × %d, visibility %v", what, s.Joints[i], x, y, im.w, im.h, v)
			continue
		}
		x, y = max(x, 0), max(y, 0)
		if im.w != 0 { // on the very edge
			x, y = min(x, math.Nextafter(float64(im.w), 0)), min(y, math.Nextafter(float64(im.h), 0))
		}
		js[i] = annotation.Joint{X: x, Y: y, V: annotation.Visible}
		if v < 2 {
			js[i].V = annotation.Occluded
		}
		known++
	}
	c.joints = true
	if known > 0 {
		o.Joints, o.Skeleton = c.b.joints(js, s)
	}
}
