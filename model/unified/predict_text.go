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

// Ask answers questions in words, all of them side by side; the score is the probability of the whole answer.
func (r *Runner) Ask(p *Picture, questions []string) []annotation.Question {
	return r.AskStep(p, questions, nil)
}

// longestAnswer is the most pieces of an answer.
const longestAnswer = 8

// AskStep is Ask with a listener: step, when given, receives the first answer so far after every word.
func (r *Runner) AskStep(p *Picture, questions []string, step func(text string)) []annotation.Question {
	groups := make([]task.Group, len(questions))
	for i, q := range questions {
		groups[i] = task.AskPrompt(r.m.Vocab, q)
	}
	texts, scores := r.write(p, groups, longestAnswer, shortest, step)
	out := make([]annotation.Question, len(questions))
	for i, q := range questions {
		out[i] = annotation.Question{Text: q, Answer: texts[i], Score: scores[i]}
	}
	return out
}

// Caption describes the picture. step, when given, receives the text so far after every word.
func (r *Runner) Caption(p *Picture, step func(text string)) (caption string, score float64) {
	texts, scores := r.write(p, []task.Group{task.CaptionPrompt(r.m.Vocab)}, task.MaxGroup-2, 1, step)
	return texts[0], scores[0]
}

// write continues each group word by word until it ends or has limit words more: with the likeliest word, or by a search.
func (r *Runner) write(p *Picture, groups []task.Group, limit int, lengthPenalty float64, step func(string)) ([]string, []float64) {
	m := r.m
	texts, scores := make([]string, len(groups)), make([]float64, len(groups))
	if r.beams > 1 {
		for i, g := range groups {
			texts[i], scores[i] = r.search(p, g, limit, lengthPenalty)
			if step != nil && i == 0 {
				step(texts[i])
			}
		}
		return texts, scores
	}
	end := m.Vocab.Special(task.EndPiece)
	ids := make([][]int32, len(groups))
	logp := make([]float64, len(groups))
	open := make([]int, len(groups))
	for i := range open {
		open[i] = i
	}
	for n := 0; n < limit && len(open) > 0; n++ {
		asked, said := make([]task.Group, len(open)), make([][]int32, len(open))
		for k, i := range open {
			asked[k], said[k] = groups[i], ids[i]
		}
		logits := r.next(p, asked, said)
		v := len(logits) / len(open)
		var still []int
		for k, i := range open {
			row := logits[k*v : (k+1)*v]
			best := 0
			for j, l := range row {
				if l > row[best] {
					best = j
				}
			}
			logp[i] += float64(row[best] - kernel.LogSumExp(row))
			if int32(best) == end {
				continue
			}
			ids[i] = append(ids[i], int32(best))
			groups[i].Pieces = append(groups[i].Pieces, task.Piece{Kind: task.Word, ID: int32(best)})
			if len(groups[i].Pieces) < m.Config.MaxText {
				still = append(still, i)
			}
		}
		if step != nil && len(ids[0]) > 0 {
			step(m.Vocab.Decode(ids[0]))
		}
		open = still
	}
	for i := range groups {
		texts[i], scores[i] = tidy(m.Vocab.Decode(ids[i])), math.Exp(logp[i])
	}
	return texts, scores
}

// next returns the logits of the piece that follows each group, of which said was said already, [groups, V]; what may not follow has
// -Inf. They are valid until the runner's next question.
func (r *Runner) next(p *Picture, groups []task.Group, said [][]int32) []float32 {
	m, t := r.m, r.t
	t.Reset()
	prompts := make([]Prompt, len(groups))
	for i := range groups {
		prompts[i] = Prompt{0, &groups[i]}
	}
	h := m.Ask(t, &p.Encoded, prompts, &r.sc)
	refs := make([]ops.Ref, len(groups))
	for i := range groups {
		refs[i].Row = int32(h.Start[i] + len(groups[i].Pieces) - 1)
	}
	logits := tableLogits(m.Readout.Word, ops.Gather(t, refs, h.Text), t.Use(m.Words)).Data
	end, commas, v := m.Vocab.Special(task.EndPiece), m.Vocab.Word(","), len(logits)/len(groups)
	for i := range groups {
		row := logits[i*v : (i+1)*v]
		m.forbidSpecials(row, end, len(said[i]) == 0)
		forbidEcho(row, said[i], commas)
	}
	return logits
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
