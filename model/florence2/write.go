package florence2

import (
	"math"
	"slices"

	"fovea/autograd"
	"fovea/generate"
	"fovea/model"
	"fovea/nn"
	"fovea/task/place"
)

// answer is what the decoder has written about a prompt.
type answer struct {
	ids     []int32
	logProb float64   // of all of them, see model.Pen
	seen    []float32 // [T, D]: what the encoder has read
}

// failed reports that it is no answer: the logits were no numbers, or it was broken off.
func (a *answer) failed() bool { return math.IsNaN(a.logProb) || math.IsInf(a.logProb, -1) }

// rules are how answers are written: the model's own way, but for what a request says.
func (m *Model) rules(w model.Writing) generate.Config {
	x := &m.Config.Text
	c := x.Generation.Rules(w, x.MaxLen)
	c.Prompt, c.Forced, c.Stop = []int32{x.Start}, map[int]int32{}, w.Stop
	c.Text = func(ids []int32) string { text, _ := m.spell(ids); return text }
	if x.ForcedBegin != nil {
		c.Forced[0] = *x.ForcedBegin
	}
	if x.ForcedEnd != nil {
		c.Forced[c.MaxTokens-1] = *x.ForcedEnd
	}
	return c
}

// write answers a prompt by rules. The tape is reset.
func (v *view) write(prompt string, rules generate.Config) answer {
	m, t, d := v.m, v.w.Tape, v.m.Config.Text.Width
	n := len(v.seen) / d
	ids := append(slices.Repeat([]int32{m.Config.Image}, n), m.read(prompt, n)...)
	t.Reset()
	read, _ := m.encode(t, &nn.Pass{}, [][]int32{ids}, t.Input(v.seen, n, d))
	a := answer{seen: slices.Clone(read.Data)}
	a.ids, a.logProb = v.Text(m.Text.Begin(read), m.Config.Text.Start, rules)
	return a
}

// spell turns an answer into its text, with the special pieces. spans are the bytes that each piece stands for in the text without
// <s>, </s> and <pad>.
func (m *Model) spell(ids []int32) (text string, spans [][2]int) {
	return m.words.Spell(ids, "<s>", "</s>", "<pad>")
}

// nearBins is how far away a bin still means the same place: a hundredth of the picture's side.
const nearBins = 10

// chances gives the probability of each piece of an answer after the pieces before it. For a coordinate it is that of all bins
// that mean the same place, which share the probability of the place between them.
func (m *Model) chances(t *autograd.Tape, a answer) []float64 {
	t.Reset()
	d := m.Config.Text.Width
	return m.Text.Chances(t.Input(a.seen, len(a.seen)/d, d), m.Config.Text.Start, a.ids, func(id int32) (from, to int32) {
		if b := id - m.bin; b >= 0 && b < place.Bins {
			return m.bin + max(b-nearBins, 0), m.bin + min(b+nearBins+1, place.Bins)
		}
		return id, id + 1
	})
}
