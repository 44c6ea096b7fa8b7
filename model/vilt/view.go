package vilt

import (
	"fovea/imageproc"
	"fovea/model"
)

// NewRunner implements model.Model: a picture is prepared, and looked at with every question.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewRunner(threads, func(w *model.Worker, img *imageproc.RGB) (model.View, error) {
		in, err := m.Process(model.Sample{Pictures: []*imageproc.RGB{img}})
		return &view{m: m, w: w, in: in}, err
	})
}

type view struct {
	model.Nothing
	m  *Model
	w  *model.Worker
	in model.Inputs
}

// Ask implements model.View.
func (v *view) Ask(questions []string, step func(string)) []model.Answer {
	out := make([]model.Answer, len(questions))
	for i, q := range questions {
		in, _ := v.m.Process(model.Sample{Texts: []string{q}}) // texts never fail
		for name, x := range v.in {
			in[name] = x
		}
		v.w.Tape.Reset()
		logits := v.m.Run(v.w.Tape, in)["logits"].Data
		best := 0
		for j, l := range logits {
			if l > logits[best] {
				best = j
			}
		}
		out[i] = model.Answer{Question: q, Answer: v.m.Config.Labels[best], Score: model.Sigmoid(logits[best])}
		if i == 0 && step != nil {
			step(out[i].Answer)
		}
	}
	return out
}
