package fovea

import (
	"context"
	"slices"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/model/unified"
	"fovea/nn"
	"fovea/task"
)

// native lets the program's own model answer as a model.Model.
type native struct {
	*unified.Model
	name string
}

// newNative takes a model over for answering: its weights may not change any more.
func newNative(m *unified.Model, name string) native {
	nn.Fix(m.Params())
	nn.Pack(m.Stack)
	return native{m, name}
}

// Card says what the model is.
func (n native) Card() model.Card {
	c := n.Config
	card := model.Card{
		Name: n.name, Family: c.Architecture, Tasks: Everything | task.SetOf(task.Ask, task.Match), Size: c.Size,
		Labels: c.Labels, Classes: c.Classes, Pixels: c.Pixels, OpenVocabulary: true, Skeleton: annotation.COCO17, Embed: c.Embed,
	}
	if len(c.Joints) != len(annotation.COCO17.Joints) {
		card.Tasks, card.Skeleton = card.Tasks&^task.SetOf(task.Pose), nil
	}
	for _, p := range n.Params() {
		card.Parameters += p.Shape.Size()
	}
	return card
}

// NewRunner makes a runner with names of its own: what one request asks for is no concern of the requests beside it.
func (n native) NewRunner(threads int) model.Runner {
	r := &nativeRunner{weights: n.Model}
	if threads > 1 {
		r.pool = kernel.NewPool(threads)
	}
	r.work = kernel.NewWork(r.pool)
	r.reset()
	return r
}

// nativeRunner is a unified.Runner over the shared weights and its own list of names.
type nativeRunner struct {
	weights *unified.Model
	model   *unified.Model // the same weights, other names
	run     *unified.Runner
	pool    *kernel.Pool
	work    *kernel.Work
}

// RoundBF16 implements model.Rounder.
func (r *nativeRunner) RoundBF16() { r.work.RoundBF16() }

// maxNames bounds the names that a runner remembers from the requests that it has served. Every prompt embeds all of them.
const maxNames = 1 << 10

// reset forgets the names that requests have brought.
func (r *nativeRunner) reset() {
	m := *r.weights
	m.Names = task.NewNames(m.Vocab)
	m.Names.AddAll(r.weights.Names.List[1:])
	r.model, r.run = &m, unified.NewRunner(&m, r.work)
}

// wanted are the names that a request asks for, none of them twice, and how it spells them: names ignore case and
// underscores.
type wanted struct {
	ids     []int32 // nil for none
	spelled map[int32]string
}

func (r *nativeRunner) wanted(words []string) wanted {
	w := wanted{spelled: map[int32]string{}}
	for _, s := range words {
		id := r.model.Names.Add(s)
		if _, twice := w.spelled[id]; !twice {
			w.ids, w.spelled[id] = append(w.ids, id), s
		}
	}
	return w
}

// label is a name as the request spells it.
func (r *nativeRunner) label(w wanted, id int32) string {
	if s, ok := w.spelled[id]; ok {
		return s
	}
	return r.model.Names.List[id]
}

func (r *nativeRunner) Close() { r.pool.Close() }

func (r *nativeRunner) TextVector(text string) []float32 { return r.run.TextVector(text) }

func (r *nativeRunner) Encode(img *imageproc.RGB) (model.View, error) {
	views, err := r.EncodeBatch([]*imageproc.RGB{img})
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

// nativeView is an encoded picture and how it lies in the model's square.
type nativeView struct {
	*nativeRunner
	pic  *unified.Picture
	g    imageproc.Geometry
	img  *imageproc.RGB
	zoom int // Pose looks again at people who are small in img, of the first so many
}

func (v *nativeView) Classify(labels []string) []Class {
	w, out := v.wanted(labels), []Class{}
	for _, c := range v.run.Classify(v.pic, w.ids) {
		out = append(out, Class{Label: v.label(w, c.Name), Score: c.Score})
	}
	return out
}

func (v *nativeView) Detect(o model.DetectOptions) []Object {
	w := v.wanted(o.Query)
	limit := o.Max
	if limit == 0 {
		limit = DefaultMax
	}
	found := v.run.Detect(v.pic, unified.DetectOptions{Names: v.candidates(w), Threshold: o.Threshold, NMS: o.Overlap, Max: MaxObjects})
	found = slices.DeleteFunc(found, func(d unified.Detection) bool { // a mask that is not sure makes the score less than it was
		return d.Score < o.Threshold || w.ids != nil && !slices.Contains(w.ids, d.Name)
	})
	found = found[:min(len(found), limit)]
	out, kept := []Object{}, found[:0]
	for _, d := range found {
		box := v.toSource(d.Box)
		if box.Empty() || !box.Finite() { // it lies in the margin around the picture
			continue
		}
		kept = append(kept, d)
		out = append(out, Object{Label: v.label(w, d.Name), Score: d.Score, Box: box})
	}
	if o.Masks {
		side, f := v.model.Config.FeatureSide(), v.frame()
		for i, logits := range v.run.Masks(v.pic, kept) {
			m := model.MaskRLE(logits, side, f, v.g.SrcW, v.g.SrcH, out[i].Box)
			out[i].Mask = &m
		}
	}
	return out
}

// candidates are the names that a patch chooses from: what is wanted and, as its rivals, the model's own labels, so that a
// cat is not reported as the nearest thing to a dog. A label that shares a word with something wanted is no rival: a red
// circle is a circle.
func (v *nativeView) candidates(w wanted) []int32 {
	if w.ids == nil {
		return nil
	}
	names, used := slices.Clone(w.ids), map[int32]bool{}
	for _, id := range w.ids {
		for _, word := range v.model.Names.Words[id] {
			used[word] = true
		}
	}
	for _, id := range v.model.DefaultLabels() {
		if !slices.ContainsFunc(v.model.Names.Words[id], func(word int32) bool { return used[word] }) {
			names = append(names, id)
		}
	}
	return names
}

func (v *nativeView) Pose(boxes []annotation.Box) [][]annotation.Joint {
	n := min(len(boxes), v.zoom)
	out := v.run.PosesIn(v.pic, v.g, v.img, boxes[:n])
	return append(out, v.run.PosesIn(v.pic, v.g, nil, boxes[n:])...)
}

// Zoom implements model.Zoomer.
func (v *nativeView) Zoom(most int) { v.zoom = most }

func (v *nativeView) Ask(questions []string, step func(string)) []Answer {
	out := []Answer{}
	for i, a := range v.run.AskStep(v.pic, questions, step) {
		out = append(out, Answer{Question: questions[i], Answer: a.Answer, Score: a.Score})
	}
	return out
}

// Search implements model.Searcher.
func (v *nativeView) Search(ctx context.Context, beams int) { v.run.Search(ctx, beams) }

func (v *nativeView) Caption(step func(string)) Caption {
	text, score := v.run.Caption(v.pic, step)
	return Caption{Text: text, Score: score}
}

func (v *nativeView) Vector() []float32 { return v.run.ImageVector(v.pic) }

// toSource takes a box from the model's frame, [0, 1], to pixels of the picture.
func (v *nativeView) toSource(b annotation.Box) annotation.Box {
	s := float64(v.model.Config.Size)
	return v.g.BoxToSource(annotation.Box{X0: b.X0 * s, Y0: b.Y0 * s, X1: b.X1 * s, Y1: b.Y1 * s})
}

// frame is the way back.
func (v *nativeView) frame() model.Frame {
	s := float64(v.model.Config.Size)
	x0, y0 := v.g.ToModel(0, 0)
	x1, y1 := v.g.ToModel(1, 1)
	return model.Frame{X: model.Axis{Scale: (x1 - x0) / s, Shift: x0 / s}, Y: model.Axis{Scale: (y1 - y0) / s, Shift: y0 / s}}
}
