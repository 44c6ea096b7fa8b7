package generate

import (
	"math"
	"slices"
)

// verdict is what the rules say about the next token.
type verdict int

const (
	open    verdict = iota // the row says
	certain                // one token is forced
	over                   // the text ends here
)

// rule changes scores [V] of the token after ids, which are logits or log probabilities: what must not come scores −Inf. The
// order is that of the reference: penalty, repeated runs, grammar, suppressed tokens, forced tokens.
func (w *writer) rule(row []float64, ids []int32) verdict {
	if id, ok := w.Forced[len(ids)]; ok && id >= 0 && int(id) < len(row) {
		for i := range row {
			row[i] = math.Inf(-1)
		}
		row[id] = 0
		return certain
	}
	if w.NoRepeatNGram > 0 || w.RepetitionPenalty > 0 {
		w.history = append(append(w.history[:0], w.Prompt...), ids...)
		penalise(row, w.history, w.RepetitionPenalty)
		forbidRuns(row, w.history, w.NoRepeatNGram)
	}
	if w.Allow != nil {
		if list := w.Allow(ids); list != nil {
			if len(list) == 0 {
				return over
			}
			keep(row, list)
		}
	}
	for _, id := range w.Suppress {
		forbid(row, id)
	}
	return open
}

func forbid(row []float64, id int32) {
	if id >= 0 && int(id) < len(row) {
		row[id] = math.Inf(-1)
	}
}

// keep forbids all tokens but those in list.
func keep(row []float64, list []int32) {
	if !slices.IsSorted(list) {
		list = slices.Clone(list)
		slices.Sort(list)
	}
	for i := range row {
		for len(list) > 0 && int(list[0]) < i {
			list = list[1:]
		}
		if len(list) == 0 || int(list[0]) != i {
			row[i] = math.Inf(-1)
		}
	}
}

// penalise lowers the score of every token in history, once.
func penalise(row []float64, history []int32, penalty float64) {
	if penalty == 0 || penalty == 1 {
		return
	}
	seen := slices.Clone(history)
	slices.Sort(seen)
	for _, id := range slices.Compact(seen) {
		if id < 0 || int(id) >= len(row) {
			continue
		}
		if row[id] < 0 {
			row[id] *= penalty
		} else {
			row[id] /= penalty
		}
	}
}

// forbidRuns forbids tokens that would complete a run of n that is in history already (Paulus et al. 2018).
func forbidRuns(row []float64, history []int32, n int) {
	if n < 1 || len(history)+1 < n {
		return
	}
	last := history[len(history)-(n-1):]
	for i := 0; i+n <= len(history); i++ {
		if slices.Equal(history[i:i+n-1], last) {
			forbid(row, history[i+n-1])
		}
	}
}
