package blip

import (
	"context"
	"fmt"
	"math"
	"strings"

	"fovea/autograd"
	"fovea/generate"
	"fovea/model"
	"fovea/nn"
)

// Caption implements model.View: the likeliest piece at each place, until the description ends or is as long as the
// reference lets it become.
func (v *view) Caption(step func(string)) model.Caption {
	m, t := v.r.m, v.r.Tape
	t.Reset()
	d := m.Config.Vision.Width
	w := &writer{m, t, nn.NewPostCache(m.Answer.Blocks, t.Input(v.seen, len(v.seen)/d, d))}
	read := func(ids []int32) string { return strings.TrimSpace(m.words.Decode(ids, true)) }
	rules := generate.Config{MaxTokens: maxAnswer - 1, EOS: []int32{m.Config.Text.End}}
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
		return model.Caption{Score: math.NaN()}
	}
	ids, logProb, err := generate.Generate(context.Background(), w, append([]float32(nil), first...), rules)
	if err != nil {
		logProb = math.NaN() // logits that are no numbers
	}
	return model.Caption{Text: read(ids), Score: math.Exp(logProb)}
}

// writer is a description in the making.
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
