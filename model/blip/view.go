package blip

import (
	"math"
	"strings"

	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
)

// maxAnswer is the longest answer in pieces, the first included: what the reference generates when nothing else is asked for.
const maxAnswer = 20

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner { return &runner{model.NewWorker(threads), m} }

type runner struct {
	model.Worker
	m *Model
}

// Encode implements model.Runner.
func (r *runner) Encode(img *imageproc.RGB) (model.View, error) {
	out, err := r.Run(r.m, model.Sample{Pictures: []*imageproc.RGB{img}})
	if err != nil {
		return nil, err
	}
	return &view{r: r, seen: out.Copy("image_embeds")}, nil
}

// TextVector implements model.Runner.
func (r *runner) TextVector(string) []float32 { return nil }

// view is a picture's tokens [T, D].
type view struct {
	model.Nothing
	r    *runner
	seen []float32
}

// Ask implements model.View.
func (v *view) Ask(questions []string, step func(string)) []model.Answer {
	out := make([]model.Answer, len(questions))
	for i, q := range questions {
		if i > 0 {
			step = nil
		}
		text, p := v.answer(q, step)
		out[i] = model.Answer{Question: q, Answer: text, Score: p}
	}
	return out
}

// answer takes the likeliest piece at each place until the answer ends. The score is the probability of all of them.
func (v *view) answer(question string, step func(string)) (string, float64) {
	m, t := v.r.m, v.r.Tape
	in, _ := m.Process(model.Sample{Texts: []string{question}}) // texts never fail
	ids := in.Texts()
	t.Reset()
	d := m.Config.Vision.Width
	seen := t.Input(v.seen, len(v.seen)/d, d)
	q := m.Question.Forward(t, &nn.Pass{}, ids, seen, []int{seen.Shape[0]}, false)
	mark := append([]float32(nil), q.Data...)
	said, sum := []int32{m.Config.Text.Begin}, 0.
	text := ""
	for len(said) < maxAnswer {
		t.Reset()
		logits := m.decode(t, [][]int32{said}, t.Input(mark, len(mark)/d, d), lengths(ids), nil)
		n := logits.Shape.Last()
		last := logits.Data[len(logits.Data)-n:]
		best := 0
		for j, l := range last {
			if l > last[best] {
				best = j
			}
		}
		sum += float64(last[best] - kernel.LogSumExp(last))
		if int32(best) == m.Config.Text.End {
			break
		}
		said = append(said, int32(best))
		text = strings.TrimSpace(m.words.Decode(said[1:], true))
		if step != nil {
			step(text)
		}
	}
	return text, math.Exp(sum)
}
