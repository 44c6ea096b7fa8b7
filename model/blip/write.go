package blip

import (
	"errors"
	"math"
	"strings"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
)

// maxAnswer is the longest text in pieces, the first included: what the reference generates when nothing else is asked for.
const maxAnswer = 20

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewRunner(threads, func(w *model.Worker, img *imageproc.RGB) (model.View, error) {
		out, err := w.Run(m, model.Sample{Pictures: []*imageproc.RGB{img}})
		if err != nil {
			return nil, err
		}
		return &view{Pen: model.NewPen(errors.New("blip: answers are a few words, not JSON; leave the schema out")), m: m, w: w, seen: out.Copy("image_embeds")}, nil
	})
}

// view is a picture's tokens [T, D].
type view struct {
	model.Nothing
	model.Pen
	m    *Model
	w    *model.Worker
	seen []float32
}

// Ask implements model.View.
func (v *view) Ask(questions []string, step func(string)) []model.Answer {
	out := make([]model.Answer, len(questions))
	for i, q := range questions {
		if i > 0 {
			step = nil
		}
		text, p := v.write(v.read(q), step)
		out[i] = model.Answer{Question: q, Answer: text, Score: p}
	}
	return out
}

// Caption implements model.View.
func (v *view) Caption(step func(string)) model.Caption {
	text, p := v.write(v.picture(), step)
	return model.Caption{Text: text, Score: p}
}

// picture brings the picture's tokens onto the tape, which it resets.
func (v *view) picture() *autograd.Value {
	v.w.Tape.Reset()
	d := v.m.Config.Vision.Width
	return v.w.Tape.Input(v.seen, len(v.seen)/d, d)
}

// read gives the rows of a question that has looked at the picture.
func (v *view) read(question string) *autograd.Value {
	in, _ := v.m.Process(model.Sample{Texts: []string{question}}) // texts never fail
	seen := v.picture()
	return v.m.Question.Forward(v.w.Tape, &nn.Pass{}, in.Texts(), seen, []int{seen.Shape[0]}, false)
}

// write writes a text that looks at the rows y [N, D], with the probability of all of its pieces: NaN when logits were no numbers. By
// itself it takes the likeliest piece at each place, until the text ends or is as long as the reference lets it become.
func (v *view) write(y *autograd.Value, step func(string)) (string, float64) {
	if v.Err() != nil {
		return "", 0
	}
	m, how := v.m, v.Writing()
	spell := func(ids []int32) string { return m.words.Decode(ids, true) }
	read := func(ids []int32) string { return strings.TrimSpace(v.Before(spell(ids))) }
	own := model.Generation{EOS: model.Ends{m.Config.Text.End}}
	rules := own.Rules(how, min(max(maxAnswer-1, how.MaxTokens), m.Config.Text.MaxLen))
	rules.Stop, rules.Text = how.Stop, spell
	if step != nil {
		var said []int32
		rules.OnToken = func(id int32) error {
			said = append(said, id)
			step(read(said))
			return nil
		}
	}
	ids, logProb := v.Text(m.Answer.Begin(y, m.logits), m.Config.Text.Begin, rules)
	return read(ids), math.Exp(logProb)
}
