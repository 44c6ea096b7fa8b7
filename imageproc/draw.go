package imageproc

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"fovea/annotation"
)

// DrawOptions say how results are drawn; the zero value is a good default.
type DrawOptions struct {
	// MinSide: a picture whose longer side is shorter is enlarged by a whole factor first, because a label needs room;
	// 0 means 480, negative means never. The result is then larger than the picture.
	MinSide int
	// Labels fix the colours: the label at i has Color(i). Labels that are not in it get colours by their names, which are the
	// same in every picture.
	Labels []string
	// Classes name the indices of Picture.Semantic.
	Classes []string
	// NoLabels leaves out the names at boxes, NoPanel the text below the picture.
	NoLabels, NoPanel bool
}

// Draw returns a copy of the picture with what is known about it drawn on it: tinted masks with outlines, boxes with labels
// and scores (labels of data sets have no score and show none), skeletons, and below the picture a panel with the class, the questions
// with their answers, and the captions. Line widths and letters scale with the picture. p's coordinates are pixels of
// img; objects with a box that is not finite are left out.
func Draw(img *RGB, p annotation.Picture, o DrawOptions) *RGB {
	if img.W < 1 || img.H < 1 {
		return img.Clone()
	}
	d := newDrawing(img, &p, o)
	if p.Semantic != nil && p.Semantic.W > 0 && p.Semantic.H > 0 {
		d.semantic(p.Semantic)
	}
	// Large objects first, so that small ones stay visible.
	objects := slices.Clone(p.Objects)
	slices.SortStableFunc(objects, func(a, b annotation.Object) int { return cmp.Compare(b.Box.Area(), a.Box.Area()) })
	for _, b := range objects {
		if b.Mask != nil && b.Mask.W > 0 && b.Mask.H > 0 {
			d.mask(d.fitted(b.Mask), d.k, d.colors[b.Label], d.stroke)
		}
	}
	for i := range objects {
		d.box(&objects[i])
	}
	for i := range objects {
		d.joints(&objects[i])
	}
	if !o.NoLabels {
		d.labels(objects)
	}
	if o.NoPanel {
		return d.RGB
	}
	return d.withPanel(&p)
}

// drawing is a picture being drawn on.
type drawing struct {
	canvas
	k      int     // canvas pixels for a picture pixel
	stroke float64 // width of lines, pixels
	letter float64 // height of letters, pixels
	colors map[string]rgb
	opt    DrawOptions
	names  []string // of semantic classes
}

func newDrawing(img *RGB, p *annotation.Picture, o DrawOptions) *drawing {
	if o.MinSide == 0 {
		o.MinSide = 480
	}
	d := &drawing{k: 1, opt: o}
	long := max(img.W, img.H)
	if long < o.MinSide {
		d.k = (o.MinSide + long - 1) / long
	}
	d.canvas = canvas{Resize(img, img.W*d.k, img.H*d.k, Bicubic)}
	side := float64(long * d.k)
	d.stroke, d.letter = max(side/330, 1.5), max(side/42, 11)
	labels := []string{p.Class}
	for _, b := range p.Objects {
		labels = append(labels, b.Label)
	}
	if p.Semantic != nil {
		for i := range 256 {
			name := fmt.Sprintf("class %d", i)
			if i < len(o.Classes) {
				name = o.Classes[i]
			}
			d.names = append(d.names, name)
		}
	}
	d.colors = labelColors(labels, o.Labels)
	return d
}

// fitted is a mask with the size of the picture: a mask of another size is stretched over it.
func (d *drawing) fitted(b *annotation.Bitmap) *annotation.Bitmap {
	w, h := d.W/d.k, d.H/d.k
	if b.W == w && b.H == h {
		return b
	}
	return &annotation.Bitmap{W: w, H: h, Pix: ResizePixels(b.Pix, b.W, b.H, 1, whole(b.W, b.H), w, h, Nearest)}
}

func (d *drawing) point(x, y float64) (float64, float64) { return x * float64(d.k), y * float64(d.k) }

// boxOf is the object's box on the canvas; false when there is nothing to draw.
func (d *drawing) boxOf(o *annotation.Object) (annotation.Box, bool) {
	if !o.Box.Finite() || o.Box.Empty() {
		return annotation.Box{}, false
	}
	b := o.Box
	k := float64(d.k)
	b = annotation.Box{X0: b.X0 * k, Y0: b.Y0 * k, X1: b.X1 * k, Y1: b.Y1 * k}.Clip(float64(d.W), float64(d.H))
	return b, !b.Empty()
}

func (d *drawing) box(o *annotation.Object) {
	b, ok := d.boxOf(o)
	if !ok {
		return
	}
	w := d.stroke
	if o.Mask != nil || len(o.Joints) > 0 { // the box is the lesser part of the answer
		w = max(w*.6, 1)
	}
	h := w / 2 // the line lies inside, so that a box along the picture's edge shows
	x0, y0, x1, y1 := b.X0+h, b.Y0+h, max(b.X1-h, b.X0+h), max(b.Y1-h, b.Y0+h)
	d.frame(x0, y0, x1, y1, w+max(2, w/2), rgb{}, .35) // a shadow, for boxes of the picture's own colour
	d.frame(x0, y0, x1, y1, w, d.colors[o.Label], 1)
}

func (d *drawing) joints(o *annotation.Object) {
	if len(o.Joints) == 0 {
		return
	}
	s := d.stroke * 1.2
	if b, ok := d.boxOf(o); ok { // small people get thin bones
		s = min(max(math.Hypot(b.W(), b.H())/70, 1), d.stroke*2)
	}
	d.skeleton(o, s, d.point)
}

func (d *drawing) semantic(l *annotation.LabelMap) {
	colors := make([]rgb, annotation.Void)
	for i := range colors {
		colors[i] = Color(i)
	}
	if l.W*d.k == d.W && l.H*d.k == d.H {
		d.canvas.semantic(l, colors, d.k)
		return
	}
	// A map of another size is stretched over the picture.
	pix := ResizePixels(l.Pix, l.W, l.H, 1, whole(l.W, l.H), d.W, d.H, Nearest)
	d.canvas.semantic(&annotation.LabelMap{W: d.W, H: d.H, Pix: pix}, colors, 1)
}

// percent writes a probability.
func percent(p float64) string {
	switch {
	case !(p > 0):
		return ""
	case p < .01:
		return "<1%"
	}
	return fmt.Sprintf("%.0f%%", min(math.Floor(p*100+.5), 100))
}

func labelText(o *annotation.Object) string {
	return strings.TrimSpace(o.Label + " " + percent(o.Score))
}
