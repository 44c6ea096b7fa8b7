package clipseg

import (
	"math"
	"slices"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/imageproc"
	"fovea/model"
	"fovea/ops"
)

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewRunner(threads, func(w *model.Worker, img *imageproc.RGB) (model.View, error) {
		in, err := m.Process(model.Sample{Pictures: []*imageproc.RGB{img}})
		if err != nil {
			return nil, err
		}
		w.Tape.Reset()
		v := &view{m: m, work: w, w: img.W, h: img.H}
		for _, s := range m.see(model.Outputs{}, in.Value(w.Tape, "pixel_values")) {
			v.seen = append(v.seen, slices.Clone(s.Data))
		}
		return v, nil
	})
}

// view is what CLIP has seen of a picture, [T, D] each.
type view struct {
	model.Nothing
	m    *Model
	work *model.Worker
	w, h int
	seen [][]float32
}

// together is how many queries are decoded in one pass.
const together = 8

// Detect implements model.View: an object for each query that is about some pixels, its mask all of them. The score is their
// mean probability.
func (v *view) Detect(o model.DetectOptions) []model.Object {
	var found []model.Object
	for from := 0; from < len(o.Query); from += together {
		queries := o.Query[from:min(from+together, len(o.Query))]
		logits := v.decode(queries)
		n := len(logits) / len(queries)
		for i, q := range queries {
			if x, ok := v.object(logits[i*n : (i+1)*n]); ok {
				x.Label = q
				found = append(found, x)
			}
		}
	}
	found = o.Best(found)
	for i := range found {
		if !o.Masks {
			found[i].Mask = nil
		}
	}
	return found
}

// decode gives the maps of queries, [S, S] each.
func (v *view) decode(queries []string) []float32 {
	m, t := v.m, v.work.Tape
	in, _ := m.Process(model.Sample{Texts: queries}) // texts never fail
	t.Reset()
	condition := m.read(t, model.Outputs{}, in, in.Texts())
	seen := make([]*autograd.Value, len(v.seen))
	for i, s := range v.seen {
		d := m.Config.Vision.Width
		rows := make([]ops.Ref, len(queries)*len(s)/d)
		for j := range rows {
			rows[j].Row = int32(j % (len(s) / d))
		}
		seen[i] = ops.Gather(t, rows, t.Input(s, len(s)/d, d))
	}
	return m.Decoder.Forward(seen, condition, nil).Data
}

// object is what lies inside a map of logits, if anything does.
func (v *view) object(logits []float32) (model.Object, bool) {
	sum, n := 0., 0
	for _, l := range logits {
		if l > 0 {
			sum += model.Sigmoid(l)
			n++
		}
	}
	if n == 0 {
		return model.Object{}, false
	}
	side := int(math.Round(math.Sqrt(float64(len(logits)))))
	f := model.Frame{X: model.Axis{Scale: 1 / float64(v.w)}, Y: model.Axis{Scale: 1 / float64(v.h)}}
	mask := model.MaskRLE(logits, side, f, v.w, v.h, annotation.Box{X1: float64(v.w), Y1: float64(v.h)})
	return model.Object{Score: sum / float64(n), Box: mask.Bounds(), Mask: &mask}, mask.Area() > 0
}
