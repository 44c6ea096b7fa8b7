package unified

import (
	"context"
	"fmt"
	"math"
	"slices"

	"fovea/generate"
	"fovea/internal/kernel"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
)

// How texts are found. The likeliest text as a whole need not begin with the likeliest word: of the descriptions of a picture several
// begin alike, and names of several words share the chance of a first one.
var (
	captionStyle = style{limit: task.MaxGroup - 2, beams: 3, lengthPenalty: 1}
	answerStyle  = style{limit: longestAnswer, beams: 4, likely: .5, lengthPenalty: shortest}
)

// style is how a kind of text is written.
type style struct {
	limit int // pieces
	beams int // beginnings that are followed at once where Search asks for nothing else
	// likely is the probability from which on the likeliest word after the likeliest word will do: no other text can be likelier than
	// one with half of all. 0: all texts are searched for.
	likely        float64
	lengthPenalty float64
}

// sideBySide bounds the texts, and with them the memory for keys and values, that are written at once.
const sideBySide = 32

// longestAnswer is the most pieces of an answer.
const longestAnswer = 24

// shortest makes the length of a text count next to nothing when it is compared with others.
const shortest = 1e-9

// Search has texts found, from now on, by following so many of their beginnings at once (generate.Config.Beams); 1 is the likeliest word
// after the likeliest word, 0 what suits: 3 for captions, and for answers, unless those words are likelier than all other answers together,
// 4. The end of ctx ends a text early.
func (r *Runner) Search(ctx context.Context, beams int) { r.ctx, r.beams = ctx, beams }

// written is a text that was found.
type written struct {
	ids   []int32 // without the piece that ends it
	text  string
	score float64 // the probability of all of it
}

// finish sets the text and its probability.
func (w *written) finish(m *Model, logp float64) {
	if n := len(w.ids); n > 0 && w.ids[n-1] == m.Vocab.Special(task.EndPiece) {
		w.ids = w.ids[:n-1]
	}
	w.text, w.score = tidy(m.Vocab.Decode(w.ids)), math.Exp(logp)
}

// write continues each group until it ends, as Search says. step, when given, receives the first text so far after every word, or once
// the whole of it where it may be searched for.
func (r *Runner) write(p *Picture, groups []task.Group, s style, step func(string)) []written {
	if r.beams > 0 {
		s.beams, s.likely = r.beams, 0
	}
	out := make([]written, 0, len(groups))
	for some := range slices.Chunk(groups, sideBySide) {
		switch {
		case r.ctx.Err() != nil:
			out = append(out, make([]written, len(some))...)
		case s.beams == 1:
			out = append(out, r.likeliest(p, some, s, step)...)
		default:
			out = append(out, r.searched(p, some, s, step)...)
		}
		step = nil
	}
	return out
}

// searched searches for the texts that follow groups, unless their likeliest words will do.
func (r *Runner) searched(p *Picture, groups []task.Group, s style, step func(string)) []written {
	out := make([]written, len(groups))
	if s.likely > 0 {
		out = r.likeliest(p, groups, s, nil)
	}
	for i := range out {
		if s.likely == 0 || !(out[i].score >= s.likely) {
			out[i] = r.search(p, groups[i:i+1], s)
		}
		if step != nil && i == 0 {
			step(out[i].text)
		}
	}
	return out
}

// room is the most pieces that may follow a group.
func (r *Runner) room(g *task.Group, s style) int {
	return min(s.limit, r.m.Config.MaxText-len(g.Pieces))
}

// search finds the text that follows one group.
func (r *Runner) search(p *Picture, group []task.Group, s style) (out written) {
	w, first := r.tell(p, group)
	ids, logp, err := generate.Generate(r.ctx, w, first, generate.Config{
		MaxTokens: r.room(&group[0], s), EOS: []int32{r.m.Vocab.Special(task.EndPiece)}, Beams: s.beams, LengthPenalty: s.lengthPenalty,
	})
	if err != nil { // logits that are no numbers, or the end of ctx: what was said so far
		logp = math.Inf(-1)
	}
	out.ids = ids
	out.finish(r.m, logp)
	return out
}

// likeliest continues all groups side by side, each with its likeliest word.
func (r *Runner) likeliest(p *Picture, groups []task.Group, s style, step func(string)) []written {
	m := r.m
	end := m.Vocab.Special(task.EndPiece)
	out, logp := make([]written, len(groups)), make([]float64, len(groups))
	open := make([]int, len(groups)) // the texts that go on
	for i := range open {
		open[i] = i
	}
	w, logits := r.tell(p, groups)
	for {
		v := len(logits) / len(open)
		var from, still []int
		var next []int32
		for k, i := range open {
			row := logits[k*v : (k+1)*v]
			best := int32(0)
			for j, l := range row {
				if l > row[best] {
					best = int32(j)
				}
			}
			logp[i] += float64(row[best] - kernel.LogSumExp(row))
			if best == end {
				continue
			}
			if out[i].ids = append(out[i].ids, best); len(out[i].ids) < r.room(&groups[i], s) {
				from, still, next = append(from, k), append(still, i), append(next, best)
			}
		}
		if step != nil && len(out[0].ids) > 0 {
			step(m.Vocab.Decode(out[0].ids))
		}
		if open = still; len(open) == 0 || r.ctx.Err() != nil {
			break
		}
		must(w.Reorder(from))
		var err error
		logits, err = w.Step(next)
		must(err)
	}
	for i := range out {
		out[i].finish(m, logp[i])
	}
	return out
}

// must panics. No request causes the errors of Step and Reorder: they are mistakes of the program's own.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// writer goes on from prompts about a picture: it is generate's Decoder. What was read stays as keys and values, so that a word costs
// one row of products in each text.
type writer struct {
	r       *Runner
	reading nn.Reading // of the texts: picture, prompt and what was said
	said    [][]int32
}

// tell reads prompts about a picture, and gives the logits of the piece that follows each, [groups, V], valid until the runner's next
// question.
func (r *Runner) tell(p *Picture, groups []task.Group) (*writer, []float32) {
	m, t := r.m, r.t
	t.Reset()
	w := &writer{r: r, said: make([][]int32, len(groups))}
	picture := p.Cache.Text(0, m.Config.Tokens(), m.Config.Width)
	prompts, last, row := make([]Prompt, len(groups)), make([]ops.Ref, len(groups)), 0
	for i := range groups {
		g := &groups[i]
		prompts[i] = Prompt{0, g}
		both := 0 // pieces that see each other both ways
		if !g.Causal {
			both = len(g.Pieces)
		} else if m.Config.Prefix {
			both = g.Prefix
		}
		if both > 0 {
			both += picture.Len()
		}
		row += len(g.Pieces)
		last[i].Row = int32(row - 1)
		w.reading.Texts = append(w.reading.Texts, picture.Fork())
		w.reading.Lens = append(w.reading.Lens, len(g.Pieces))
		w.reading.Prefixes = append(w.reading.Prefixes, both)
	}
	h := m.Stack.Forward(&nn.Pass{Reading: &w.reading}, m.embed(t, prompts, m.coords(t), &r.sc, 0))
	w.reading.Prefixes = nil // what follows sees all before it
	return w, w.logits(ops.Gather(t, last, h))
}

// logits are those of the pieces that may follow states h, one of each text; what may not follow has -Inf.
func (w *writer) logits(h *Value) []float32 {
	m := w.r.m
	logits := tableLogits(m.Readout.Word, h, h.Tape().Use(m.Words)).Data
	end, commas, v := m.Vocab.Special(task.EndPiece), m.Vocab.Word(","), len(logits)/len(w.said)
	for i, said := range w.said {
		row := logits[i*v : (i+1)*v]
		m.forbidSpecials(row, end, len(said) == 0)
		forbidEcho(row, said, commas)
	}
	return logits
}

// Step implements generate.Decoder.
func (w *writer) Step(tokens []int32) ([]float32, error) {
	m, t := w.r.m, w.r.t
	if len(tokens) != len(w.said) {
		return nil, fmt.Errorf("unified: %d pieces for %d texts", len(tokens), len(w.said))
	}
	t.Reset()
	words, places := make([]ops.Ref, len(tokens)), make([]ops.Ref, len(tokens))
	w.reading.Lens = w.reading.Lens[:0]
	for i, id := range tokens {
		words[i].Row, places[i].Row = id, int32(w.reading.Texts[i].Len()-m.Config.Tokens())
		w.said[i] = append(w.said[i], id)
		w.reading.Lens = append(w.reading.Lens, 1)
	}
	x := ops.Add(ops.Gather(t, words, t.Use(m.Words)), ops.Gather(t, places, t.Use(m.Pos)))
	return w.logits(m.Stack.Forward(&nn.Pass{Reading: &w.reading}, x)), nil
}

// Reorder implements generate.Decoder.
func (w *writer) Reorder(from []int) error {
	texts, err := nn.Reorder(w.reading.Texts, from)
	if err != nil {
		return err
	}
	said := make([][]int32, len(from))
	for i, f := range from {
		said[i] = slices.Clone(w.said[f])
	}
	w.reading.Texts, w.said = texts, said
	return nil
}
