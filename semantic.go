package fovea

import (
	"fmt"
	"math"
	"slices"

	"fovea/annotation"
	"fovea/model"
	"fovea/task"
)

// division says what is wrong with the way in which a request divides a picture.
func (r *Request) division(card *model.Card) error {
	if r.Semantic && r.Panoptic {
		return badInput("request.panoptic", fmt.Errorf("fovea: a picture is divided by label, semantic, or among objects, panoptic, but not both"))
	}
	if r.pointed() {
		if err := r.places(); err != nil {
			return err
		}
	}
	if len(r.Stuff) > 0 && !r.Panoptic {
		return badInput("request.stuff", fmt.Errorf("fovea: what is stuff matters only when a picture is divided among objects, panoptic"))
	}
	if err := checkTexts("request.stuff", r.Stuff); err != nil {
		return err
	}
	for _, word := range r.Stuff {
		if !card.OpenVocabulary && model.IndexLabel(card.Labels, word) < 0 {
			return badInput("request.stuff", fmt.Errorf("fovea: the model %q knows a fixed list of %d names, and %q is none of them", card.Name, len(card.Labels), word))
		}
	}
	return nil
}

// pointed reports that things to be outlined are shown, not named.
func (r *Request) pointed() bool {
	return r.Tasks.Has(task.Segment) && !r.Tasks.Has(task.Pose) && len(r.Points)+len(r.Boxes) > 0
}

// maxPoints bounds the points of a request.
const maxPoints = 100

// places says what is wrong with the places that a request shows.
func (r *Request) places() error {
	bad := func(format string, args ...any) error {
		return badInput("request.points", fmt.Errorf("fovea: "+format, args...))
	}
	switch {
	case r.Semantic || r.Panoptic || len(r.Query) > 0:
		return bad("things are shown by points and boxes, or looked for by name, or the picture is divided; not several of these")
	case len(r.Points) > 0 && len(r.Boxes) > 1:
		return bad("points are of one thing, and there are %d boxes", len(r.Boxes))
	case len(r.Points) > maxPoints:
		return bad("%d points, at most %d are taken", len(r.Points), maxPoints)
	}
	for _, p := range r.Points {
		if math.IsNaN(p.X+p.Y) || math.IsInf(p.X, 0) || math.IsInf(p.Y, 0) {
			return bad("the point %g,%g is not finite", p.X, p.Y)
		}
	}
	return nil
}

// segment finds objects and their masks, or divides the picture as the request says: models that can do so by themselves do
// it their way, the masks of others are laid over each other, the best on top.
func (r *Result) segment(v model.View, q *Request) error {
	s, divides := divider(v)
	switch {
	case q.pointed():
		p, ok := v.(model.Pointed)
		if !ok {
			return badInput("request.points", fmt.Errorf("fovea: the model %q cannot be shown where a thing is, by a point or a box; SAM can", r.Model))
		}
		r.Objects = p.Point(q.Points, q.Boxes)
	case q.Semantic && divides:
		labels, pixels, err := s.Semantic(q.Query)
		if err != nil {
			return badInput("image.shape", fmt.Errorf("fovea: %w", err))
		}
		r.Semantic = &Semantic{Classes: append([]string{}, labels...), Map: pixels}
		if q.Tasks.Has(task.Detect) {
			r.Objects = v.Detect(q.detect(false))
		}
	case q.Semantic:
		r.Objects = v.Detect(q.detect(true))
		r.Semantic = semantic(r.Objects)
	case q.Panoptic && divides:
		r.Objects = s.Panoptic(q.detect(true), q.Stuff)
	case q.Panoptic:
		r.Objects = panoptic(v.Detect(q.detect(true)), q.Stuff)
	default:
		r.Objects = v.Detect(q.detect(true))
	}
	return nil
}

// shared are the masks of objects, best first, cut down so that where several overlap, the best has the pixels.
func shared(objects []Object) []annotation.RLE {
	masks := make([]annotation.RLE, len(objects))
	for i, o := range objects {
		masks[i] = *o.Mask
	}
	model.Share(masks)
	return masks
}

// semantic labels pixels with the classes of the objects that cover them, best first.
func semantic(objects []Object) *Semantic {
	s, masks := &Semantic{Classes: []string{}, Map: []annotation.RLE{}}, shared(objects)
	for i, o := range objects {
		if k := slices.Index(s.Classes, o.Label); k >= 0 {
			s.Map[k] = model.Join(s.Map[k], masks[i])
			continue
		}
		s.Classes, s.Map = append(s.Classes, o.Label), append(s.Map, masks[i])
	}
	return s
}

// panoptic divides a picture among objects, best first: each has what those before it leave, and all objects of a label that
// is stuff are one.
func panoptic(objects []Object, stuff []string) []Object {
	out, only := []Object{}, map[string]int{}
	for i, m := range shared(objects) {
		if m.Area() == 0 {
			continue
		}
		o := objects[i]
		if model.IndexLabel(stuff, o.Label) >= 0 {
			if k, ok := only[o.Label]; ok {
				m = model.Join(*out[k].Mask, m)
				out[k].Mask, out[k].Box = &m, m.Bounds()
				continue
			}
			only[o.Label] = len(out)
		}
		o.Mask, o.Box = &m, m.Bounds()
		out = append(out, o)
	}
	return out
}
