package unified

import (
	"math"

	"fovea/annotation"
	"fovea/imageproc"
)

// AnswerOptions says what to find in a picture and how sure to be.
type AnswerOptions struct {
	Detect DetectOptions
	Masks  bool
	Joints bool // of objects named Person
	// PoseThreshold is the least score of a person whose joints are asked for; 0 means Detect.Threshold.
	PoseThreshold float64
	// Source is the picture, for another look at people who are small in it (PosesIn); nil: one look is enough.
	Source *imageproc.RGB
}

// Person is the name of the objects that have joints.
const Person = "person"

// Objects finds the objects of an encoded picture and puts them into the frame of the source: boxes, masks and joints in
// pixels of the original picture, best first.
func (r *Runner) Objects(p *Picture, g imageproc.Geometry, o AnswerOptions) []annotation.Object {
	found := r.Detect(p, o.Detect)
	out := make([]annotation.Object, 0, len(found))
	kept := found[:0]
	for _, d := range found {
		box := r.toSource(d.Box, g)
		if box.Empty() { // it lies in the letterbox's margin
			continue
		}
		kept = append(kept, d)
		out = append(out, annotation.Object{Label: r.m.Names.List[d.Name], Score: d.Score, Box: box})
	}
	if o.Masks {
		for i, logits := range r.Masks(p, kept) {
			out[i].Mask = r.mask(logits, out[i].Box, g)
			out[i].Area = float64(out[i].Mask.Area())
		}
	}
	if o.Joints {
		var boxes []annotation.Box
		var who []int
		for i, d := range kept {
			if out[i].Label == Person && d.Score >= o.PoseThreshold {
				boxes, who = append(boxes, out[i].Box), append(who, i)
			}
		}
		for i, joints := range r.PosesIn(p, g, o.Source, boxes) {
			out[who[i]].Joints = joints
			out[who[i]].Skeleton = annotation.COCO17
		}
	}
	return out
}

// toSource takes a box from the model frame to pixels of the source.
func (r *Runner) toSource(b annotation.Box, g imageproc.Geometry) annotation.Box {
	s := float64(r.m.Config.Size)
	return g.BoxToSource(annotation.Box{X0: b.X0 * s, Y0: b.Y0 * s, X1: b.X1 * s, Y1: b.Y1 * s})
}

// maskInside is the logit above which a pixel is inside a mask: a probability of one third. The shipped model's masks of people that it
// was not trained on are too thin at one half.
var maskInside = float32(-math.Ln2)

// mask samples mask logits (F × F over the model's square) at every source pixel of the box, bilinearly: inside where
// they are above maskInside. What lies outside the box is outside the mask.
func (r *Runner) mask(logits []float32, box annotation.Box, g imageproc.Geometry) *annotation.Bitmap {
	f := r.m.Config.FeatureSide()
	scale := float64(f) / float64(r.m.Config.Size)
	out := annotation.NewBitmap(g.SrcW, g.SrcH)
	x0, x1 := max(int(box.X0), 0), min(int(box.X1+.999), g.SrcW)
	cols := make([]tap, max(x1-x0, 0))
	for x := range cols {
		mx, _ := g.ToModel(float64(x0+x)+.5, 0)
		cols[x] = tapAt(mx*scale, f)
	}
	for y := max(int(box.Y0), 0); y < min(int(box.Y1+.999), g.SrcH); y++ {
		_, my := g.ToModel(0, float64(y)+.5)
		row := tapAt(my*scale, f)
		a, b := logits[row.i*f:(row.i+1)*f], logits[row.j*f:(row.j+1)*f]
		line := out.Pix[y*out.W+x0:]
		for x, c := range cols {
			top := a[c.i] + c.w*(a[c.j]-a[c.i])
			low := b[c.i] + c.w*(b[c.j]-b[c.i])
			if top+row.w*(low-top) > maskInside {
				line[x] = 1
			}
		}
	}
	return out
}
