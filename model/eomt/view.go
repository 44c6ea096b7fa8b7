package eomt

import (
	"fovea/annotation"
	"fovea/imageproc"
	"fovea/model"
)

// NewRunner implements model.Model. The network runs when it is asked something: how it looks at the picture depends on that.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewRunner(threads, func(w *model.Worker, img *imageproc.RGB) (model.View, error) {
		fitted, err := m.scaled(img, false)
		if err != nil {
			return nil, err
		}
		return &view{m: m, w: w, img: img, fitted: fitted}, nil
	})
}

type view struct {
	model.Nothing
	m           *Model
	w           *model.Worker
	img, fitted *imageproc.RGB // as it is, and as it lies in the square
	whole       *model.MaskSet // nil until it is asked for
}

// look runs the network on the square of a picture whose top left corner is at (x, y).
func (v *view) look(img *imageproc.RGB, x, y int) *model.MaskSet {
	in, m := model.Inputs{}, v.m
	in.Put("pixel_values", m.cut(img, x, y), 1, m.side, m.side, 3)
	v.w.Tape.Reset()
	out := m.Run(v.w.Tape, in)
	return model.NewMaskSet(m.Config.Labels, out["class_queries_logits"], out["masks_queries_logits"])
}

// see looks at the whole picture.
func (v *view) see() (*model.MaskSet, *model.MaskFrame) {
	if v.whole == nil {
		v.whole = v.look(v.fitted, 0, 0)
	}
	return v.whole, model.NewMaskFrame(v.whole.Side(), v.m.side, v.fitted.W, v.fitted.H, v.img.W, v.img.H)
}

// Detect implements model.View.
func (v *view) Detect(o model.DetectOptions) []model.Object {
	s, f := v.see()
	return s.Instances(f, o)
}

// Panoptic implements model.Segmenter.
func (v *view) Panoptic(o model.DetectOptions, stuff []string) []model.Object {
	s, f := v.see()
	return s.Panoptic(f, o, stuff)
}

// Semantic implements model.Segmenter.
func (v *view) Semantic(query []string) ([]string, []annotation.RLE, error) {
	img, err := v.m.scaled(v.img, true)
	if err != nil {
		return nil, nil, err
	}
	var seen []*model.MaskSet
	from := offsets(max(img.W, img.H), v.m.side)
	for _, at := range from {
		if img.H > img.W {
			seen = append(seen, v.look(img, 0, at))
		} else {
			seen = append(seen, v.look(img, at, 0))
		}
	}
	labels, pixels := model.NewMosaic(v.w.Tape.Work, seen, from, v.m.side, img.W, img.H).Labels(v.img.W, v.img.H, query)
	return labels, pixels, nil
}
