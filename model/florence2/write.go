package florence2

import (
	"context"
	"math"
	"strings"

	"fovea/autograd"
	"fovea/generate"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
)

// answer is what the decoder has written about a prompt.
type answer struct {
	ids     []int32
	logProb float64   // of all of them
	seen    []float32 // [T, D]: what the encoder has read
	failed  bool      // the logits were no numbers
}

// rules are how answers are written: the model's own way, but for what a request says.
func (m *Model) rules(w model.Writing) generate.Config {
	x := &m.Config.Text
	limit := x.MaxLen
	if w.MaxTokens > 0 {
		limit = min(limit, w.MaxTokens)
	}
	c := generate.Config{
		MaxTokens: limit, EOS: []int32{x.End}, Beams: x.Beams, NoRepeatNGram: x.NGram, EarlyStopping: x.Early == true,
		Prompt: []int32{x.Start}, Forced: map[int]int32{}, Temperature: w.Temperature, TopP: w.TopP, Seed: w.Seed, Stop: w.Stop,
		Text: func(ids []int32) string { text, _ := m.spell(ids); return text },
	}
	switch {
	case w.Beams > 0:
		c.Beams = w.Beams
	case w.Temperature > 0:
		c.Beams = 1
	}
	if x.ForcedBegin != nil {
		c.Forced[0] = *x.ForcedBegin
	}
	if x.ForcedEnd != nil {
		c.Forced[limit-1] = *x.ForcedEnd
	}
	return c
}

// write answers a prompt about a picture whose rows are seen, on a tape that it resets.
func (m *Model) write(ctx context.Context, t *autograd.Tape, seen []float32, prompt string, rules generate.Config) answer {
	d := m.Config.Text.Width
	n := len(seen) / d
	ids := make([]int32, 0, n+16)
	for range n {
		ids = append(ids, m.Config.Image)
	}
	ids = append(ids, m.read(prompt, n)...)
	t.Reset()
	read, _ := m.encode(t, &nn.Pass{}, [][]int32{ids}, t.Input(seen, n, d))
	a := answer{seen: append([]float32(nil), read.Data...)}
	w := &writer{t, m.Text.Begin(read)}
	first, err := w.Step([]int32{m.Config.Text.Start})
	if err == nil {
		first = append([]float32(nil), first...)
		a.ids, a.logProb, err = generate.Generate(ctx, w, first, rules)
	}
	if err != nil {
		a.failed, a.logProb = true, math.NaN()
	}
	return a
}

// writer is a text in the making.
type writer struct {
	tape *autograd.Tape
	text *nn.BartText
}

// Step implements generate.Decoder.
func (w *writer) Step(tokens []int32) ([]float32, error) {
	w.tape.Reset()
	logits, err := w.text.Step(w.tape, tokens)
	if err != nil {
		return nil, err
	}
	return logits.Data, nil
}

// Reorder implements generate.Decoder.
func (w *writer) Reorder(from []int) error { return w.text.Reorder(from) }

// spell turns an answer into its text, with the special pieces. spans are the bytes of the text without <s>, </s> and <pad>
// that each piece stands for; words between two special pieces have one span, as letters may be spread over several of them.
func (m *Model) spell(ids []int32) (text string, spans [][2]int) {
	var b strings.Builder
	at := 0
	put := func(ids []int32, shown bool) {
		s, from := m.words.Decode(ids, false), at
		b.WriteString(s)
		if shown {
			at += len(s)
		}
		for range ids {
			spans = append(spans, [2]int{from, at})
		}
	}
	from := 0
	for i, id := range ids {
		if m.words.Special(id) {
			put(ids[from:i], true)
			p := m.words.Piece(id)
			put(ids[i:i+1], p != "<s>" && p != "</s>" && p != "<pad>")
			from = i + 1
		}
	}
	put(ids[from:], true)
	return b.String(), spans
}

const (
	// nearBins is how far away a bin still means the same place: a hundredth of the picture's side.
	nearBins = 10
	// scoreRows bounds the rows whose logits are held at a time.
	scoreRows = 64
)

// chances gives the probability of each piece of an answer after the pieces before it. For a coordinate it is that of all bins
// that mean the same place, which share the probability of the place between them.
func (m *Model) chances(t *autograd.Tape, a answer) []float64 {
	out := make([]float64, len(a.ids))
	if len(out) == 0 {
		return out
	}
	t.Reset()
	d := m.Config.Text.Width
	read := t.Input(a.seen, len(a.seen)/d, d)
	before := append([]int32{m.Config.Text.Start}, a.ids[:len(a.ids)-1]...)
	h := m.Text.Decode(t, &nn.Pass{}, [][]int32{before}, read, []int{read.Shape[0]})
	for from := 0; from < len(out); from += scoreRows {
		mark := t.Mark()
		rows := m.Text.Logits(ops.Slice(h, from, min(from+scoreRows, len(out))))
		v := rows.Shape.Last()
		for i := range rows.Shape[0] {
			row, id := rows.Data[i*v:(i+1)*v], a.ids[from+i]
			lo, hi := int(id), int(id)+1
			if b := id - m.bin; b >= 0 && b < bins {
				lo, hi = int(m.bin)+max(int(b)-nearBins, 0), int(m.bin)+min(int(b)+nearBins+1, bins)
			}
			lse := float64(kernel.LogSumExp(row))
			for _, l := range row[lo:hi] {
				out[from+i] += math.Exp(float64(l) - lse)
			}
		}
		t.Release(mark)
	}
	return out
}

// score is the geometric mean of the chances of the pieces, whose spans are given, that say what a place is and where.
func (p *Place) score(chances []float64, spans [][2]int) float64 {
	sum, n := 0., 0
	for i, s := range spans {
		if s[1] > s[0] && (s[1] > p.label[0] && s[0] < p.label[1] || s[1] > p.where[0] && s[0] < p.where[1]) {
			sum, n = sum+math.Log(chances[i]), n+1
		}
	}
	if n == 0 {
		return 0
	}
	return min(math.Exp(sum/float64(n)), 1)
}
