package fovea

import (
	"slices"

	"fovea/annotation"
)

// maxDrawnMasks bounds the pixels of all masks of an Annotation together.
const maxDrawnMasks = 1 << 29

// Annotation is the result as annotations of the picture, for drawing or for comparison with labels. Joints stand with
// the object of the same box. Masks are left out once they would take more than 512 MB.
func (r *Result) Annotation() *annotation.Picture {
	p := &annotation.Picture{W: r.Width, H: r.Height}
	if len(r.Classes) > 0 {
		p.Class = r.Classes[0].Label
	}
	left := maxDrawnMasks
	if r.Semantic != nil {
		p.Semantic = r.Semantic.labels(r.Width, r.Height)
		return p
	}
	for _, o := range r.Objects {
		a := annotation.Object{Label: o.Label, Score: o.Score, Box: o.Box}
		if o.Mask != nil {
			a.Area = o.Mask.Area()
			if left -= r.Width * r.Height; left >= 0 {
				a.Mask, _ = o.Mask.Bitmap() // masks of our own are well-formed
			}
		}
		p.Objects = append(p.Objects, a)
	}
	for _, s := range r.Spots {
		const reach = 4 // pixels, so that there is something to see
		b := annotation.Box{X0: s.X - reach, Y0: s.Y - reach, X1: s.X + reach, Y1: s.Y + reach}
		p.Objects = append(p.Objects, annotation.Object{Label: s.Label, Score: s.Score, Box: b.Clip(float64(r.Width), float64(r.Height))})
	}
	for _, who := range r.People {
		i := slices.IndexFunc(p.Objects, func(o annotation.Object) bool { return o.Label == person && o.Box == who.Box })
		if i < 0 {
			i = len(p.Objects)
			p.Objects = append(p.Objects, annotation.Object{Label: person, Score: who.Score, Box: who.Box})
		}
		p.Objects[i].Joints, p.Objects[i].Skeleton = who.Joints, who.Skeleton
	}
	for _, q := range r.Answers {
		p.Questions = append(p.Questions, annotation.Question{Text: q.Question, Answer: q.Answer, Score: q.Score})
	}
	if r.Caption != nil {
		p.Captions = []string{r.Caption.Text}
	}
	return p
}

// labels is the semantic map pixel by pixel: indices of Classes, annotation.Void elsewhere and beyond 255 classes.
func (s *Semantic) labels(w, h int) *annotation.LabelMap {
	m := &annotation.LabelMap{W: w, H: h, Pix: make([]uint8, w*h)}
	for i := range m.Pix {
		m.Pix[i] = annotation.Void
	}
	for k, r := range s.Map[:min(len(s.Map), annotation.Void)] {
		at, inside := 0, false
		for _, n := range r.Counts {
			if inside {
				for i := at; i < at+int(n); i++ {
					m.Pix[i%h*w+i/h] = uint8(k)
				}
			}
			at, inside = at+int(n), !inside
		}
	}
	return m
}
