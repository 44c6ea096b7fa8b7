package generate

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// beam is a beginning of a text, or a whole one.
type beam struct {
	ids []int32
	sum float64 // of log probabilities
}

// choice is a beginning with one token more.
type choice struct {
	from int // beginning
	id   int32
	sum  float64
}

// search is beam search as the reference defines it: of every beginning and every token that may follow, the best are
// looked at; those that end compete for the places of finished texts if they are among the best Beams, and the others go on.
func (w *writer) search(ctx context.Context, logits []float32) ([]int32, float64, error) {
	running, finished := []beam{{}}, []beam(nil)
	keep := max(2, 1+len(w.EOS)) * w.Beams
	row := make([]float64, w.v)
	for {
		best := newBest(keep)
		for i, b := range running {
			part := logits[i*w.v : (i+1)*w.v]
			lse, err := widen(row, part)
			if err != nil {
				return w.result(running, finished, err)
			}
			for j := range row {
				row[j] -= lse
			}
			if w.rule(row, b.ids) == over {
				finished = w.enter(finished, b)
				continue
			}
			for j, l := range row {
				best.add(choice{from: i, id: int32(j), sum: b.sum + l})
			}
		}
		next, all := w.advance(running, best.list, &finished)
		if len(best.list) == 0 && len(finished) == 0 {
			return w.result(running, nil, errNothing(len(running[0].ids)))
		}
		if all || len(next) == 0 || w.settled(next[0].sum, len(running[next[0].from].ids)+1, finished) {
			return w.result(running, finished, nil)
		}
		from, tokens := make([]int, len(next)), make([]int32, len(next))
		beams := make([]beam, len(next))
		for i, c := range next {
			from[i], tokens[i] = c.from, c.id
			beams[i] = beam{append(slices.Clip(running[c.from].ids), c.id), c.sum}
		}
		if err := w.decoder.Reorder(from); err != nil {
			return w.result(running, finished, fmt.Errorf("generate: %w", err))
		}
		running = beams
		var err error
		if logits, err = w.step(ctx, tokens); err != nil {
			return w.result(running, finished, err)
		}
	}
}

// advance splits the best choices into those that go on, which it returns, and those that end, which it enters among the
// finished. all says that every one ended.
func (w *writer) advance(running []beam, list []choice, finished *[]beam) (next []choice, all bool) {
	full := len(*finished) == w.Beams
	all = true
	var ended []beam
	for i, c := range list {
		ids := append(slices.Clip(running[c.from].ids), c.id)
		if !w.ended(ids) {
			all = false
			if len(next) < w.Beams {
				next = append(next, c)
			}
		} else if i < w.Beams && !(full && w.EarlyStopping) {
			ended = append(ended, beam{ids, c.sum})
		}
	}
	for _, b := range ended {
		*finished = w.enter(*finished, b)
	}
	return next, all
}

// enter places a text among the finished, best first, of which there are at most Beams.
func (w *writer) enter(finished []beam, b beam) []beam {
	at := len(finished)
	for at > 0 && w.score(finished[at-1].sum, len(finished[at-1].ids)) < w.score(b.sum, len(b.ids)) {
		at--
	}
	finished = slices.Insert(finished, at, b)
	return finished[:min(len(finished), w.Beams)]
}

// score is how texts of different lengths compare.
func (w *writer) score(sum float64, length int) float64 {
	p := w.LengthPenalty
	if p == 0 {
		p = 1
	}
	return sum / math.Pow(float64(max(length, 1)), p)
}

// settled reports that going on cannot help any more: there are enough finished texts, and either that is enough or the best
// beginning, of so many tokens with such a sum, would if it ended now not be better than the worst of them.
func (w *writer) settled(sum float64, length int, finished []beam) bool {
	if len(finished) < w.Beams {
		return false
	}
	worst := finished[len(finished)-1]
	return w.EarlyStopping || w.score(sum, length) <= w.score(worst.sum, len(worst.ids))
}

// result is the best finished text, or after an error the best beginning.
func (w *writer) result(running, finished []beam, err error) ([]int32, float64, error) {
	if len(finished) == 0 || err != nil {
		return running[0].ids, running[0].sum, err
	}
	b := finished[0]
	if w.OnToken != nil {
		for _, id := range b.ids {
			if err := w.OnToken(id); err != nil {
				return b.ids, b.sum, err
			}
		}
	}
	return b.ids, b.sum, nil
}

// best keeps the n best choices in order; of equals, the first that came.
type best struct {
	list []choice
	n    int
}

func newBest(n int) *best { return &best{make([]choice, 0, n+1), n} }

func (b *best) add(c choice) {
	n := len(b.list)
	if math.IsInf(c.sum, -1) || n == b.n && c.sum <= b.list[n-1].sum {
		return
	}
	at := n
	for at > 0 && b.list[at-1].sum < c.sum {
		at--
	}
	b.list = slices.Insert(b.list, at, c)
	b.list = b.list[:min(len(b.list), b.n)]
}
