package model

import (
	"cmp"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/internal/kernel"
)

// MaskSet is what a network says that answers with a set of masks, each with a probability of every label and of no object
// (MaskFormer, Cheng et al. 2021).
type MaskSet struct {
	labels        Labels
	queries, side int
	probs         []float32 // [Q, L+1], the last for no object
	masks         []float32 // [Q, side, side] logits, column by column
}

// NewMaskSet copies the logits of names [1, Q, len(labels)+1] and of masks [1, Q, side, side].
func NewMaskSet(labels Labels, names, masks *autograd.Value) *MaskSet {
	s := &MaskSet{labels, masks.Shape[1], masks.Shape[2], append([]float32(nil), names.Data...), make([]float32, len(masks.Data))}
	kernel.SoftmaxRows(s.probs, s.queries, len(labels)+1, len(labels)+1, 1)
	for q := range s.queries {
		n := s.side * s.side
		Columns(s.mask(q), masks.Data[q*n:(q+1)*n], s.side)
	}
	return s
}

// Side is how many cells masks have down and across.
func (s *MaskSet) Side() int { return s.side }

// mask is that of a query.
func (s *MaskSet) mask(q int) []float32 {
	n := s.side * s.side
	return s.masks[q*n : (q+1)*n]
}

// best is the likeliest of the first n labels of a query.
func (s *MaskSet) best(q, n int) (label int, p float32) {
	row := s.probs[q*(len(s.labels)+1):]
	for i, v := range row[:n] {
		if v > row[label] {
			label = i
		}
	}
	return label, row[label]
}

// Instances are the objects, as the reference's instance segmentation finds them: the score of a query is the probability of its label,
// times the mean probability of the pixels that it marks as its own. Where objects of enough score overlap, the pixels are the
// later query's.
func (s *MaskSet) Instances(f *MaskFrame, o DetectOptions) []Object {
	var found []Object
	var masks []annotation.RLE
	for q := s.queries - 1; q >= 0; q-- {
		label, p := s.best(q, len(s.labels))
		if float64(p) < o.Threshold {
			continue
		}
		mask, mean := f.Mask(s.mask(q))
		score := float64(p * mean)
		if mask.Area() == 0 || score < o.Threshold {
			continue
		}
		found = append(found, Object{Label: s.labels[label], Score: score, Box: mask.Bounds()})
		masks = append(masks, mask)
	}
	Share(masks)
	for i := range found {
		attach(&found[i], masks[i], o.Masks)
	}
	return o.Best(found)
}

// attach gives an object its pixels and the box around them. An object that has lost them all keeps the box that it had.
func attach(x *Object, mask annotation.RLE, keep bool) {
	if mask.Area() > 0 {
		x.Box = mask.Bounds()
	}
	if keep {
		x.Mask = &mask
	}
}

// Panoptic divides the picture among objects, see Segmenter.
func (s *MaskSet) Panoptic(f *MaskFrame, o DetectOptions, stuff []string) []Object {
	whole := map[int]int{} // labels that are stuff: their only object
	for _, name := range stuff {
		if i := IndexLabel(s.labels, name); i >= 0 {
			whole[i] = -1
		}
	}
	var found []Object
	var masks []annotation.RLE
	for _, x := range s.contend(f, o.Threshold, cmp.Or(o.Overlap, .3)) {
		if at, ok := whole[x.label]; ok && at >= 0 {
			masks[at] = Join(masks[at], x.mask)
			continue
		} else if ok {
			whole[x.label] = len(found)
		}
		found = append(found, Object{Label: s.labels[x.label], Score: float64(x.score)})
		masks = append(masks, x.mask)
	}
	for i := range found {
		attach(&found[i], masks[i], o.Masks)
	}
	o.Overlap = 0 // it does not mean boxes here
	return o.Best(found)
}

// contender is a query that contends for pixels.
type contender struct {
	label     int
	score     float32 // probability of the label
	mask      annotation.RLE
	read      *maskReader
	probs     []float32
	strokes   Strokes
	won, mine int // pixels at which it beats all others, and that it marks
}

// contend gives every pixel to the query of more than the least score whose label times mask is the most probable there, if it marks
// the pixel. Queries to which too small a share of what they mark is left have nothing.
func (s *MaskSet) contend(f *MaskFrame, least, share float64) (out []*contender) {
	var all []*contender
	for q := range s.queries {
		if label, p := s.best(q, len(s.labels)+1); label < len(s.labels) && float64(p) > least {
			all = append(all, &contender{label: label, score: p, read: f.reader(s.mask(q)), probs: make([]float32, f.h)})
		}
	}
	if len(all) == 0 {
		return nil
	}
	for x := range f.w {
		for _, c := range all {
			kernel.Sigmoid(c.probs, c.read.column(x))
		}
		for y := range f.h {
			best, top := all[0], float32(-1)
			for _, c := range all {
				if c.probs[y] >= .5 {
					c.mine++
				}
				if p := c.score * c.probs[y]; p > top {
					best, top = c, p
				}
			}
			if best.won++; best.probs[y] >= .5 {
				best.strokes.Add(x*f.h + y)
			}
		}
	}
	for _, c := range all {
		if c.mask = c.strokes.Mask(f.w, f.h); c.mask.Area() > 0 && float64(float32(c.won)/float32(c.mine)) > share {
			out = append(out, c)
		}
	}
	return out
}
