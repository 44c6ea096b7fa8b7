package unified

import (
	"context"
	"math"
	"slices"

	"fovea/generate"
	"fovea/task"
)

// Search has texts found by beam search from now on: so many beginnings are followed at once, and of the texts that they end as the
// likeliest is taken, of captions for their length (generate.Config). 0 or 1: the likeliest word after the likeliest word. The
// likeliest answer as a whole need not begin with the likeliest word: names of several words share the chance of a first one, and need not be likely themselves.
func (r *Runner) Search(beams int) { r.beams = beams }

// shortest makes the length of a text count next to nothing when it is compared with others.
const shortest = 1e-9

// search is write for one group.
func (r *Runner) search(p *Picture, g task.Group, limit int, lengthPenalty float64) (text string, score float64) {
	b := &beams{r: r, p: p, start: g, said: [][]int32{nil}}
	end := r.m.Vocab.Special(task.EndPiece)
	ids, logp, err := generate.Generate(context.Background(), b, b.logits(), generate.Config{
		MaxTokens: min(limit, r.m.Config.MaxText-len(g.Pieces)), EOS: []int32{end}, Beams: r.beams, LengthPenalty: lengthPenalty,
	})
	if err != nil { // logits that are no numbers: what was said so far
		logp = math.Inf(-1)
	}
	if n := len(ids); n > 0 && ids[n-1] == end {
		ids = ids[:n-1]
	}
	return tidy(r.m.Vocab.Decode(ids)), math.Exp(logp)
}

// beams is generate's Decoder: the same prompt about the same picture, gone on with in several ways. All are read anew for every word,
// as prompts are short.
type beams struct {
	r     *Runner
	p     *Picture
	start task.Group
	said  [][]int32
}

// logits are those of the pieces that may follow each of what is said.
func (b *beams) logits() []float32 {
	groups := make([]task.Group, len(b.said))
	for i, ids := range b.said {
		g := b.start
		g.Pieces = slices.Clone(g.Pieces)
		for _, id := range ids {
			g.Pieces = append(g.Pieces, task.Piece{Kind: task.Word, ID: id})
		}
		groups[i] = g
	}
	return b.r.next(b.p, groups, b.said)
}

// Step implements generate.Decoder.
func (b *beams) Step(tokens []int32) ([]float32, error) {
	for i, id := range tokens {
		b.said[i] = append(b.said[i], id)
	}
	return b.logits(), nil
}

// Reorder implements generate.Decoder.
func (b *beams) Reorder(from []int) error {
	said := make([][]int32, len(from))
	for i, f := range from {
		said[i] = slices.Clone(b.said[f])
	}
	b.said = said
	return nil
}
