package blip

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"fovea/autograd"
	"fovea/generate"
	"fovea/model"
	"fovea/nn"
)

// maxAnswer is the longest text in pieces, the first included: what the reference generates when nothing else is asked for.
const maxAnswer = 20

// Write implements model.Writer.
func (v *view) Write(ctx context.Context, w model.Writing) {
	v.ctx, v.writing, v.err = ctx, w, nil
	if w.Schema != nil {
		v.err = errors.New("blip: answers are a few words, not JSON; leave the schema out")
	}
}

// Err implements model.Writer.
func (v *view) Err() error { return v.err }

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
	v.r.Tape.Reset()
	d := v.r.m.Config.Vision.Width
	return v.r.Tape.Input(v.seen, len(v.seen)/d, d)
}

// read gives the rows of a question that has looked at the picture.
func (v *view) read(question string) *autograd.Value {
	m := v.r.m
	in, _ := m.Process(model.Sample{Texts: []string{question}}) // texts never fail
	seen := v.picture()
	return m.Question.Forward(v.r.Tape, &nn.Pass{}, in.Texts(), seen, []int{seen.Shape[0]}, false)
}

// write writes a text that looks at the rows y [N, D], with the probability of all of its pieces: NaN when logits were no numbers. By
// itself it takes the likeliest piece at each place, until the text ends or is as long as the reference lets it become.
func (v *view) write(y *autograd.Value, step func(string)) (string, float64) {
	if v.err != nil {
		return "", 0
	}
	m := v.r.m
	w := &writer{m, v.r.Tape, nn.NewPostCache(m.Answer.Blocks, y)}
	spell := func(ids []int32) string { return m.words.Decode(ids, true) }
	read := func(ids []int32) string { return strings.TrimSpace(generate.Before(spell(ids), v.writing.Stop)) }
	how := model.Generation{EOS: model.Ends{m.Config.Text.End}}
	rules := how.Rules(v.writing, min(max(maxAnswer-1, v.writing.MaxTokens), m.Config.Text.MaxLen))
	rules.Stop, rules.Text = v.writing.Stop, spell
	if step != nil {
		var said []int32
		rules.OnToken = func(id int32) error {
			said = append(said, id)
			step(read(said))
			return nil
		}
	}
	first, err := w.Step([]int32{m.Config.Text.Begin})
	if err != nil {
		return "", math.NaN()
	}
	ids, logProb, err := generate.Generate(v.ctx, w, append([]float32(nil), first...), rules)
	if err != nil {
		logProb = math.NaN()
		if end := v.ctx.Err(); end != nil {
			v.err, logProb = end, math.Inf(-1)
		}
	}
	return read(ids), math.Exp(logProb)
}

// writer is a text in the making.
type writer struct {
	m     *Model
	tape  *autograd.Tape
	cache *nn.PostCache
}

// Step implements generate.Decoder.
func (w *writer) Step(tokens []int32) ([]float32, error) {
	if n := w.cache.Len(); n >= w.m.Config.Text.MaxLen {
		return nil, fmt.Errorf("blip: the text is as long as max_position_embeddings, %d", n)
	}
	w.tape.Reset()
	h := w.cache.Step(w.m.Answer.Embed.At(w.tape, tokens, w.cache.Len()))
	return w.m.logits(h).Data, nil
}

// Reorder implements generate.Decoder.
func (w *writer) Reorder(from []int) error { return w.cache.Reorder(from) }
