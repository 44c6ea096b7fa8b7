package model

import (
	"math"
	"slices"
	"sort"
	"strings"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/internal/kernel"
)

// Nothing is the View of a model that can do nothing. Views embed it and add what theirs can.
type Nothing struct{}

// Classify, Detect, Pose, Ask, Caption and Vector implement View, without an answer.
func (Nothing) Classify([]string) []Class                          { return nil }
func (Nothing) Detect(DetectOptions) []Object                      { return nil }
func (Nothing) Pose([]annotation.Box) [][]annotation.Joint         { return nil }
func (Nothing) Ask(questions []string, step func(string)) []Answer { return nil }
func (Nothing) Caption(step func(string)) Caption                  { return Caption{} }
func (Nothing) Vector() []float32                                  { return nil }

// runner is the Runner of networks that place no texts.
type runner struct {
	Worker
	look func(w *Worker, img *imageproc.RGB) (View, error)
}

// NewRunner makes the Runner of a network that places no texts: look makes the view of a picture, which goes on working with w.
func NewRunner(threads int, look func(w *Worker, img *imageproc.RGB) (View, error)) Runner {
	return &runner{NewWorker(threads), look}
}

// NewLooker makes the Runner of a network all of whose answers about a picture follow from one pass over it: see makes the view
// from the pass's outputs, which last until the next one.
func NewLooker(net Network, threads int, see func(out Outputs, img *imageproc.RGB) View) Runner {
	return NewRunner(threads, func(w *Worker, img *imageproc.RGB) (View, error) {
		out, err := w.Run(net, Sample{Pictures: []*imageproc.RGB{img}})
		if err != nil {
			return nil, err
		}
		return see(out, img), nil
	})
}

// Encode implements Runner.
func (r *runner) Encode(img *imageproc.RGB) (View, error) { return r.look(&r.Worker, img) }

// TextVector implements Runner.
func (r *runner) TextVector(string) []float32 { return nil }

// Recognition is the View of networks that know a fixed list of classes, or make a vector of a picture.
type Recognition struct {
	Nothing
	labels []string
	logits []float32
	vector []float32
}

// Recognise makes the view of the outputs logits [1, len(labels)] and vector [1, E], as far as there are such.
func Recognise(out Outputs, labels []string) *Recognition {
	r := &Recognition{labels: labels}
	if out["logits"] != nil {
		r.logits = out.Copy("logits")
	}
	if out["vector"] != nil {
		r.vector = Unit(out.Copy("vector"))
	}
	return r
}

// Classify weighs the classes that are asked for, or all of them. A name that is not the name of a class, or one of the
// several that a class has ("tabby, tabby cat"), is left out.
func (r *Recognition) Classify(labels []string) []Class {
	names, logits := r.labels, r.logits
	if len(labels) > 0 {
		names, logits = nil, nil
		for _, l := range labels {
			if i := IndexLabel(r.labels, l); i >= 0 {
				names, logits = append(names, l), append(logits, r.logits[i])
			}
		}
	}
	return Weigh(names, logits)
}

// Vector implements View.
func (r *Recognition) Vector() []float32 { return r.vector }

// Weigh turns logits of names into probabilities that sum to 1, best first.
func Weigh(names []string, logits []float32) []Class {
	p := slices.Clone(logits)
	if len(p) > 0 {
		kernel.SoftmaxRows(p, 1, len(p), len(p), 1)
	}
	out := make([]Class, len(names))
	for i, n := range names {
		out[i] = Class{Label: n, Score: float64(p[i])}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Score > out[j].Score })
	return out
}

// IndexLabel finds a name among labels that may hold several names each, separated by commas; case does not matter. It
// returns −1 for a name that is not there.
func IndexLabel(labels []string, name string) int {
	name = strings.TrimSpace(name)
	if i := slices.IndexFunc(labels, func(l string) bool { return strings.EqualFold(l, name) }); i >= 0 {
		return i
	}
	return slices.IndexFunc(labels, func(l string) bool {
		for one := range strings.SplitSeq(l, ",") {
			if strings.EqualFold(strings.TrimSpace(one), name) {
				return true
			}
		}
		return false
	})
}

// Unit scales a vector to length 1, in place.
func Unit(v []float32) []float32 {
	if s := math.Sqrt(float64(kernel.SumSq(v))); s > 0 {
		kernel.Scale(v, float32(1/s))
	}
	return v
}
