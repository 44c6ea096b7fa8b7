package eomt

import (
	"fovea/annotation"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
)

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner { return &runner{model.NewWorker(threads), m} }

type runner struct {
	model.Worker
	m *Model
}

// Encode implements model.Runner. The network runs when it is asked something: how it looks at the picture depends on that.
func (r *runner) Encode(img *imageproc.RGB) (model.View, error) {
	fitted, err := r.m.scaled(img, false)
	if err != nil {
		return nil, err
	}
	return &view{r: r, img: img, fitted: fitted}, nil
}

// TextVector implements model.Runner.
func (r *runner) TextVector(string) []float32 { return nil }

// seen is what the network says about one square.
type seen struct {
	queries, labels, side int
	probs                 []float32 // [Q, L+1], the last for no object
	masks                 []float32 // [Q, side, side] logits, column by column
}

// look runs the network on the square of a picture whose top left corner is at (x, y).
func (r *runner) look(img *imageproc.RGB, x, y int) *seen {
	in, m := model.Inputs{}, r.m
	in.Put("pixel_values", m.cut(img, x, y), 1, m.side, m.side, 3)
	r.Tape.Reset()
	out := m.Run(r.Tape, in)
	masks := out["masks_queries_logits"]
	s := &seen{m.Config.Queries, len(m.Config.Labels), masks.Shape[2], out.Copy("class_queries_logits"), make([]float32, len(masks.Data))}
	kernel.SoftmaxRows(s.probs, s.queries, s.labels+1, s.labels+1, 1)
	n := s.side * s.side
	for i, v := range masks.Data {
		q, y, x := i/n, i%n/s.side, i%s.side
		s.masks[q*n+x*s.side+y] = v
	}
	return s
}

// best is the likeliest of the first n labels of a query.
func (s *seen) best(q, n int) (label int, p float32) {
	row := s.probs[q*(s.labels+1):]
	for i, v := range row[:n] {
		if v > row[label] {
			label = i
		}
	}
	return label, row[label]
}

type view struct {
	model.Nothing
	r           *runner
	img, fitted *imageproc.RGB // as it is, and as it lies in the square
	whole       *seen          // nil until it is asked for
}

// see looks at the whole picture.
func (v *view) see() (*seen, *frame) {
	if v.whole == nil {
		v.whole = v.r.look(v.fitted, 0, 0)
	}
	side := v.r.m.side
	return v.whole, &frame{
		v.img.W, v.img.H,
		axis{taps(v.whole.side, side)[:v.fitted.W], taps(v.fitted.W, v.img.W)},
		axis{taps(v.whole.side, side)[:v.fitted.H], taps(v.fitted.H, v.img.H)},
	}
}

// Detect implements model.View with the reference's instance segmentation: the score of a query is the probability of its
// label, times the mean probability of the pixels that it marks as its own. Where objects of enough score overlap, the pixels
// are the later query's.
func (v *view) Detect(o model.DetectOptions) []model.Object {
	s, f := v.see()
	var found []model.Object
	var masks []annotation.RLE
	for q := s.queries - 1; q >= 0; q-- {
		label, p := s.best(q, s.labels)
		if float64(p) < o.Threshold {
			continue
		}
		mask, mean := s.instance(q, f)
		score := float64(p * mean)
		if mask.Area() == 0 || score < o.Threshold {
			continue
		}
		found = append(found, model.Object{Label: v.r.m.Config.Labels[label], Score: score, Box: mask.Bounds()})
		masks = append(masks, mask)
	}
	model.Share(masks)
	for i := range found {
		attach(&found[i], masks[i], o.Masks)
	}
	return o.Best(found)
}

// attach gives an object its pixels and the box around them. An object that has lost them all keeps the box that it had.
func attach(x *model.Object, mask annotation.RLE, keep bool) {
	if mask.Area() > 0 {
		x.Box = mask.Bounds()
	}
	if keep {
		x.Mask = &mask
	}
}

// Panoptic implements model.Segmenter.
func (v *view) Panoptic(o model.DetectOptions, stuff []string) []model.Object {
	s, f := v.see()
	least := o.Overlap
	if least == 0 {
		least = .3
	}
	labels := v.r.m.Config.Labels
	whole := map[int]int{} // labels that are stuff: their only object
	for _, name := range stuff {
		if i := model.IndexLabel(labels, name); i >= 0 {
			whole[i] = -1
		}
	}
	var found []model.Object
	var masks []annotation.RLE
	for _, x := range s.panoptic(f, o.Threshold, least) {
		if at, ok := whole[x.label]; ok && at >= 0 {
			masks[at] = model.Join(masks[at], x.mask)
			continue
		} else if ok {
			whole[x.label] = len(found)
		}
		found = append(found, model.Object{Label: labels[x.label], Score: float64(x.score)})
		masks = append(masks, x.mask)
	}
	for i := range found {
		attach(&found[i], masks[i], o.Masks)
	}
	o.Overlap = 0 // it does not mean boxes here
	return o.Best(found)
}

// Semantic implements model.Segmenter.
func (v *view) Semantic(query []string) ([]string, []annotation.RLE, error) {
	m := v.r.m
	img, err := m.scaled(v.img, true)
	if err != nil {
		return nil, nil, err
	}
	tall := img.H > img.W
	var seen []*seen
	from := offsets(max(img.W, img.H), m.side)
	for _, at := range from {
		if tall {
			seen = append(seen, v.r.look(img, 0, at))
		} else {
			seen = append(seen, v.r.look(img, at, 0))
		}
	}
	a := newMosaic(v.r.Tape.Work, seen, from, tall, m.side, img.W, img.H)
	labels, pixels := a.labels(v.img.W, v.img.H)
	var names []string
	kept := pixels[:0]
	for i, l := range labels {
		name := m.Config.Labels[l]
		if len(query) > 0 {
			at := indexOf(query, name)
			if at < 0 {
				continue
			}
			name = query[at]
		}
		names, kept = append(names, name), append(kept, pixels[i])
	}
	return names, kept, nil
}

// indexOf finds the word of a query that names a label, −1 when none does.
func indexOf(query []string, label string) int {
	for i, q := range query {
		if model.IndexLabel([]string{label}, q) == 0 {
			return i
		}
	}
	return -1
}
