package unified

import (
	"context"
	"math"
	"sort"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/ops"
	"fovea/task"
)

// Runner answers questions about pictures with a model. It owns the memory of the passes, so it serves one goroutine;
// runners of the same model may work side by side.
type Runner struct {
	m  *Model
	t  *autograd.Tape
	sc Scratch

	ctx   context.Context // of texts, see Search
	beams int
}

// NewRunner makes a runner whose kernels use the given scratch and threads.
func NewRunner(m *Model, w *kernel.Work) *Runner {
	return &Runner{m: m, t: autograd.NewTape(w, 0, false), ctx: context.Background()}
}

// Picture is a picture that has been encoded: every task can be asked of it. It holds the keys and values of all layers.
type Picture struct {
	Encoded
	features []float32 // stride-4 features, [F, F, C]; computed when masks or joints are asked for
	mirror   *Picture  // its mirror image, which has a say in where joints are; nil: none (EncodeMirrored)
}

// Encode runs one square picture (S × S) through the model.
func (r *Runner) Encode(img *imageproc.RGB) *Picture {
	return r.EncodeBatch([]*imageproc.RGB{img})[0]
}

// tokens brings the picture's final tokens onto the tape.
func (r *Runner) tokens(p *Picture) *Value {
	return r.t.Input(p.Tokens, len(p.Tokens)/r.m.Config.Width, r.m.Config.Width)
}

func (r *Runner) featuresOf(p *Picture) *Value {
	c, f := r.m.Config, r.m.Config.FeatureSide()
	if p.features == nil {
		v := r.m.features(r.tokens(p), r.t.Input(p.S4, 1, f, f, c.Detail()))
		p.features = append([]float32(nil), v.Data...)
	}
	return r.t.Input(p.features, 1, f, f, c.Features)
}

// Detection is one object in the model frame.
type Detection struct {
	Name  int32
	Score float64
	Box   annotation.Box // [0, 1]
	patch int32          // the image token that answered
}

// DetectOptions says what counts as an object.
type DetectOptions struct {
	Names     []int32 // labels to look for; nil: the model's own
	Threshold float64 // least score
	NMS       float64 // IoU above which the lower-scored of two boxes of one label is dropped; 0 means 0.6
	Max       int     // at most so many; 0 means 100
}

// Detect reads every image token's answer to "what is centred in my patch?", makes one of what is found several times, and sharpens
// boxes and scores by the objects' masks. The best come first.
func (r *Runner) Detect(p *Picture, o DetectOptions) []Detection {
	m, t := r.m, r.t
	t.Reset()
	if o.Names == nil {
		o.Names = m.DefaultLabels()
	}
	words := [][]int32{m.Names.Words[task.Nothing]}
	for _, id := range o.Names {
		words = append(words, m.Names.Words[id])
	}
	tokens := r.tokens(p)
	logits := tableLogits(m.Readout.Class, tokens, m.names(t, words))
	v := logits.Shape.Last()
	kernel.SoftmaxRows(logits.Data, logits.Shape.Rows(), v, v, 1)
	var found []Detection
	for i := range logits.Shape.Rows() {
		for j, name := range o.Names {
			if s := float64(logits.Data[i*v+1+j]); s >= o.Threshold && s > 0 {
				found = append(found, Detection{Name: name, Score: s, patch: int32(i)})
			}
		}
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].Score > found[j].Score })
	limit := o.Max
	if limit <= 0 {
		limit = 100
	}
	found = found[:min(len(found), 4*limit)]
	r.boxes(tokens, found)
	all := found
	found = suppress(all, o.NMS, limit)
	vote(found, all)
	r.sharpen(p, found)
	sort.SliceStable(found, func(i, j int) bool { return found[i].Score > found[j].Score })
	return found
}

// boxes fills in the boxes that the detections' tokens answer with.
func (r *Runner) boxes(tokens *Value, found []Detection) {
	if len(found) == 0 {
		return
	}
	refs := make([]ops.Ref, len(found))
	for i, d := range found {
		refs[i].Row = d.patch
	}
	bl := tableLogits(r.m.Readout.Box, ops.Gather(r.t, refs, tokens), r.m.coords(r.t))
	for i := range found {
		c := [4]float64{}
		for j := range c {
			c[j] = r.m.coordinate(bl, 4*i+j)
		}
		found[i].Box = annotation.Box{X0: min(c[1], c[3]), Y0: min(c[0], c[2]), X1: max(c[1], c[3]), Y1: max(c[0], c[2])}
	}
}

// coordinate is the answer of one row of coordinate logits: the expectation over the bins around the best one, finer
// than a bin.
func (m *Model) coordinate(logits *Value, row int) float64 {
	const window = 4
	v := logits.Shape.Last()
	x := logits.Data[row*v : (row+1)*v]
	best := 0
	for i, l := range x {
		if l > x[best] {
			best = i
		}
	}
	sum, at := 0.0, 0.0
	for i := max(best-window, 0); i <= min(best+window, v-1); i++ {
		p := math.Exp(float64(x[i] - x[best]))
		sum, at = sum+p, at+p*float64(m.centers[i])
	}
	return at / sum
}

// suppress keeps the best of detections of one label that overlap (greedy non-maximum suppression); found is sorted.
func suppress(found []Detection, iou float64, limit int) []Detection {
	if iou <= 0 {
		iou = .6
	}
	var kept []Detection
next:
	for _, d := range found {
		for _, k := range kept {
			if k.Name == d.Name && k.Box.IoU(d.Box) > iou {
				continue next
			}
		}
		if kept = append(kept, d); len(kept) == limit {
			break
		}
	}
	return kept
}

// voteIoU is the least overlap of boxes that vote.
const voteIoU = .6

// vote moves each box that is kept to the mean of all boxes of its label that lie about where it does, weighted by their scores:
// several patches answer for an object, and their errors differ (box voting, Gidaris and Komodakis 2015).
func vote(kept, all []Detection) {
	for i := range kept {
		var sum annotation.Box
		weight := 0.
		for _, d := range all {
			if d.Name == kept[i].Name && d.Box.IoU(kept[i].Box) > voteIoU {
				b, w := d.Box, d.Score
				sum = annotation.Box{X0: sum.X0 + w*b.X0, Y0: sum.Y0 + w*b.Y0, X1: sum.X1 + w*b.X1, Y1: sum.Y1 + w*b.Y1}
				weight += w
			}
		}
		if weight > 0 {
			kept[i].Box = annotation.Box{X0: sum.X0 / weight, Y0: sum.Y0 / weight, X1: sum.X1 / weight, Y1: sum.Y1 / weight}
		}
	}
}

// Masks gives each detection's mask as logits over the feature map, [F·F] each: positive inside.
func (r *Runner) Masks(p *Picture, found []Detection) [][]float32 {
	if len(found) == 0 {
		return nil
	}
	r.t.Reset()
	refs, image := make([]ops.Ref, len(found)), make([]int32, len(found))
	for i, d := range found {
		refs[i].Row = d.patch
	}
	e := r.m.Readout.Mask.Forward(ops.Gather(r.t, refs, r.tokens(p)))
	return rows(ops.Retrieve(e, r.featuresOf(p), image))
}

func rows(v *Value) [][]float32 {
	n, d := v.Shape.Rows(), v.Shape.Last()
	out := make([][]float32, n)
	for i := range out {
		out[i] = append([]float32(nil), v.Data[i*d:(i+1)*d]...)
	}
	return out
}

// peak is the place of a heat map's maximum, refined by the expectation over its neighbourhood, in [0, 1], and the mass
// found there. heat is logits over f × f cells.
func peak(heat []float32, f int) (x, y, p float64) {
	best := 0
	for i, v := range heat {
		if v > heat[best] {
			best = i
		}
	}
	bx, by := best%f, best/f
	total := 0.0
	for _, v := range heat {
		total += math.Exp(float64(v - heat[best]))
	}
	var sum, sx, sy float64
	for j := max(by-2, 0); j <= min(by+2, f-1); j++ {
		for i := max(bx-2, 0); i <= min(bx+2, f-1); i++ {
			e := math.Exp(float64(heat[j*f+i] - heat[best]))
			sum += e
			sx += e * (float64(i) + .5)
			sy += e * (float64(j) + .5)
		}
	}
	return sx / sum / float64(f), sy / sum / float64(f), sum / total
}

// DefaultLabels are the names that detection looks for when nothing else is asked.
func (m *Model) DefaultLabels() []int32 { return m.Names.AddAll(m.Config.Labels) }

// DefaultClasses are the names that recognition chooses from when nothing else is asked.
func (m *Model) DefaultClasses() []int32 { return m.Names.AddAll(m.Config.Classes) }

// JointNames are the names of a person's joints.
func (m *Model) JointNames() []int32 { return m.Names.AddAll(m.Config.Joints) }
