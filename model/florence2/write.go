package florence2

import (
	"math"
	"slices"
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
