package unified

import (
	"math"
	"slices"
	"sort"
	"strings"

	"fovea/annotation"
	"fovea/internal/kernel"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
)

// Choice is a name with its probability.
type Choice struct {
	Name  int32
	Score float64
}

// Classify weighs the names against each other as names of the whole picture, best first; nil means the model's classes.
func (r *Runner) Classify(p *Picture, names []int32) []Choice {
	m, t := r.m, r.t
	t.Reset()
	if names == nil {
		names = m.DefaultClasses()
	}
	if len(names) == 0 {
		return nil
	}
	words := make([][]int32, len(names))
	for i, id := range names {
		words[i] = m.Names.Words[id]
	}
	g := task.ClassifyPrompt(m.Vocab)
	h := m.Ask(t, &p.Encoded, []Prompt{{0, &g}}, &r.sc)
	logits := tableLogits(m.Readout.Class, ops.Slice(h.Text, 0, 1), m.names(t, words))
	kernel.SoftmaxRows(logits.Data, 1, len(names), len(names), 1)
	out := make([]Choice, len(names))
	for i, id := range names {
		out[i] = Choice{id, float64(logits.Data[i])}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Score > out[j].Score })
	return out
}

// Ask answers questions in words; the score is the probability of the whole answer.
func (r *Runner) Ask(p *Picture, questions []string) []annotation.Question {
	return r.AskStep(p, questions, nil)
}

// AskStep is Ask with a listener: step, when given, receives the first answer so far after every word, or the whole answer where it is
// searched for (Search).
func (r *Runner) AskStep(p *Picture, questions []string, step func(text string)) []annotation.Question {
	groups := make([]task.Group, len(questions))
	for i, q := range questions {
		groups[i] = task.AskPrompt(r.m.Vocab, q)
	}
	out := make([]annotation.Question, len(questions))
	for i, w := range r.write(p, groups, answerStyle, step) {
		out[i] = annotation.Question{Text: questions[i], Answer: w.text, Score: w.score}
	}
	return out
}

// Caption describes the picture. step, when given, receives the text so far as that of AskStep does.
func (r *Runner) Caption(p *Picture, step func(text string)) (caption string, score float64) {
	w := r.write(p, []task.Group{task.CaptionPrompt(r.m.Vocab)}, captionStyle, step)[0]
	return w.text, w.score
}

// forbidSpecials keeps prompts' special pieces out of answers; an answer has at least one word.
func (m *Model) forbidSpecials(row []float32, end int32, first bool) {
	inf := float32(math.Inf(-1))
	for _, s := range task.Specials() {
		if id := m.Vocab.Special(s); id != end || first {
			row[id] = inf
		}
	}
}

// longestEcho is the most words that forbidEcho looks for.
const longestEcho = 6

// forbidEcho keeps a text from saying the same words twice in a row, "with a table with a table", which is where the likeliest word after
// the likeliest word ends up when a model is at a loss. What the pieces in lists divide may repeat itself: there may be two red rings.
func forbidEcho(row []float32, ids, lists []int32) {
	for n := 1; n <= longestEcho && 2*n-1 <= len(ids); n++ {
		last := ids[len(ids)-n+1:] // the n-1 words before the next one
		next := ids[len(ids)-n]    // which would make them an echo of those before
		list := slices.ContainsFunc(ids[len(ids)-n:], func(id int32) bool { return slices.Contains(lists, id) })
		if !list && slices.Equal(last, ids[len(ids)-2*n+1:len(ids)-n]) {
			row[next] = float32(math.Inf(-1))
		}
	}
}

// tidy removes the spaces that word-wise text has before punctuation.
func tidy(s string) string {
	for _, p := range []string{",", ".", "?", "!", ";", ":"} {
		s = strings.ReplaceAll(s, " "+p, p)
	}
	return s
}

// ImageVector places the picture in the joint space of pictures and texts: a unit vector.
func (r *Runner) ImageVector(p *Picture) []float32 {
	r.t.Reset()
	return append([]float32(nil), r.m.imageVector(ops.MeanRows(r.tokens(p), r.m.Config.Patches())).Data...)
}

// TextVector places a text in the joint space.
func (r *Runner) TextVector(text string) []float32 {
	m, t := r.m, r.t
	t.Reset()
	g := task.MatchPrompt(m.Vocab, text)
	h := m.Ask(t, &Encoded{Cache: nn.EmptyCache(m.Config.Layers)}, []Prompt{{-1, &g}}, &r.sc)
	n := len(g.Pieces)
	return append([]float32(nil), m.textVector(ops.Slice(h.Text, n-1, n)).Data...)
}
