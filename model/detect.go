package model

import (
	"math"
	"slices"
	"sort"

	"fovea/annotation"
	"fovea/internal/kernel"
	"fovea/nn"
	"fovea/task/place"
)

// maxObjects is how many objects an answer has when nothing else is asked for.
const maxObjects = 100

// Best chooses among objects as options ask: those of the query, if there is one, with at least the threshold's score, best
// first, without those that overlap a better one of their label by more than Overlap, if that is set, and at most Max. In
// objects of a query the label is spelled as there.
func (o DetectOptions) Best(found []Object) []Object {
	out := []Object{}
	sort.SliceStable(found, func(i, j int) bool { return found[i].Score > found[j].Score })
	limit := o.Max
	if limit <= 0 {
		limit = maxObjects
	}
next:
	for _, x := range found {
		if x.Score < o.Threshold || !x.Box.Finite() || x.Box.Empty() {
			continue
		}
		label, asked := o.asked(x.Label)
		if !asked {
			continue
		}
		x.Label = label
		for _, k := range out {
			if o.Overlap > 0 && k.Label == x.Label && k.Box.IoU(x.Box) > o.Overlap {
				continue next
			}
		}
		if out = append(out, x); len(out) == limit {
			break
		}
	}
	return out
}

// asked reports that things of a label are wanted, and spells it as the query does.
func (o DetectOptions) asked(label string) (string, bool) {
	if len(o.Query) == 0 {
		return label, true
	}
	i := slices.IndexFunc(o.Query, func(q string) bool { return IndexLabel([]string{label}, q) == 0 })
	if i < 0 {
		return "", false
	}
	return o.Query[i], true
}

// Detection is the View of networks that answer with a set of objects (DETR, Carion et al. 2020).
type Detection struct {
	Nothing
	found []Object
}

// DetectSet makes the view of logits [N, len(labels)+1], the last of which stands for no object, and boxes [N, 4]: centre
// x and y, width and height, in [0, 1] of a picture of w × h pixels. Boxes are clipped to the picture.
func DetectSet(logits, boxes []float32, labels []string, w, h int) *Detection {
	d, n := &Detection{}, len(labels)+1
	rows := len(logits) / n
	kernel.SoftmaxRows(logits, rows, n, n, 1)
	for i := range rows {
		p := logits[i*n : (i+1)*n-1]
		best := 0
		for j, v := range p {
			if v > p[best] {
				best = j
			}
		}
		d.found = append(d.found, Object{Label: labels[best], Score: float64(p[best]), Box: Corners(boxes[4*i:], float64(w), float64(h)).Clip(float64(w), float64(h))})
	}
	return d
}

// DetectEach makes the view of logits [N, len(labels)] and boxes as those of DetectSet, when each of the N may be objects of several
// labels, every one with a probability of its own: of all of them the most likely objects.
func DetectEach(logits, boxes []float32, labels []string, most, w, h int) *Detection {
	d, k := &Detection{}, len(labels)
	for _, i := range nn.Top(len(logits), most, func(i int) float32 { return logits[i] }) {
		d.found = append(d.found, Object{
			Label: labels[i%k], Score: Sigmoid(logits[i]), Box: Corners(boxes[i/k*4:], float64(w), float64(h)).Clip(float64(w), float64(h)),
		})
	}
	return d
}

// Objects are regions as objects.
func Objects(regions []place.Region) []Object {
	out := make([]Object, len(regions))
	for i, r := range regions {
		out[i] = Object{Label: r.Label, Score: r.Score, Box: r.Bounds()}
	}
	return out
}

// Sigmoid is the probability of a logit.
func Sigmoid(logit float32) float64 { return 1 / (1 + math.Exp(-float64(logit))) }

// Corners turns a box of centre x and y, width and height, in [0, 1], into pixels of a picture of w × h pixels.
func Corners(b []float32, w, h float64) annotation.Box {
	x, y, bw, bh := float64(b[0]), float64(b[1]), float64(b[2]), float64(b[3])
	return annotation.Box{X0: (x - bw/2) * w, Y0: (y - bh/2) * h, X1: (x + bw/2) * w, Y1: (y + bh/2) * h}
}

// Detect implements View.
func (d *Detection) Detect(o DetectOptions) []Object { return o.Best(slices.Clone(d.found)) }
