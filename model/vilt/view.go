package vilt

import (
	"math"

	"fovea/imageproc"
	"fovea/model"
)

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner { return &runner{model.NewWorker(threads), m} }

type runner struct {
	model.Worker
	m *Model
}

// Encode implements model.Runner: the picture is prepared; it is looked at with every question.
func (r *runner) Encode(img *imageproc.RGB) (model.View, error) {
	in, err := r.m.Process(model.Sample{Pictures: []*imageproc.RGB{img}})
	return &view{r: r, in: in}, err
}

// TextVector implements model.Runner.
func (r *runner) TextVector(string) []float32 { return nil }

type view struct {
	model.Nothing
	r  *runner
	in model.Inputs
}

// Ask implements model.View.
func (v *view) Ask(questions []string, step func(string)) []model.Answer {
	out := make([]model.Answer, len(questions))
	for i, q := range questions {
		in, _ := v.r.m.Process(model.Sample{Texts: []string{q}}) // texts never fail
		for name, x := range v.in {
			in[name] = x
		}
		v.r.Tape.Reset()
		logits := v.r.m.Run(v.r.Tape, in)["logits"].Data
		best := 0
		for j, l := range logits {
			if l > logits[best] {
				best = j
			}
		}
		out[i] = model.Answer{Question: q, Answer: v.r.m.Config.Labels[best], Score: 1 / (1 + math.Exp(-float64(logits[best])))}
		if i == 0 && step != nil {
			step(out[i].Answer)
		}
	}
	return out
}
