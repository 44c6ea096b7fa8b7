package generate

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Decoder is one model mid-text. It starts with one sequence, which holds the prompt.
type Decoder interface {
	// Step appends tokens[i] to sequence i, whose number must be len(tokens), and returns the logits of the tokens that
	// follow, [N, V]. They are valid until the next call.
	Step(tokens []int32) ([]float32, error)
	// Reorder keeps the sequences in from, in that order, and forgets the others. One sequence may be kept several times:
	// each copy then goes on by itself.
	Reorder(from []int) error
}

// Config says how a text is written. Its zero value, with MaxTokens set, is greedy decoding without an end.
type Config struct {
	MaxTokens int     // at most so many tokens, the end included; at least 1
	EOS       []int32 // any of these ends the text, and is its last token
	// Stop ends a text that contains one of these strings. Text, which must then be there, turns tokens into the text.
	// All tokens are returned: see Before for cutting the text.
	Stop []string
	Text func(ids []int32) string

	// Temperature above 0 draws tokens instead of taking the likeliest: from softmax(logits / Temperature), of which TopK
	// keeps the likeliest so many (0: all) and TopP the fewest whose probabilities reach it together (0 or 1: all;
	// Holtzman et al. 2020). Equal seeds draw equally.
	Temperature, TopP float64
	TopK              int
	Seed              uint64

	// Beams above 1 searches for a likely text as a whole, following so many beginnings at once. Ended texts compete by their
	// sum of log probabilities divided by length^LengthPenalty (0 means 1, which is usual). EarlyStopping ends the search with
	// as many ended texts as beams; without it, it ends when no beginning can beat the worst of them any more.
	Beams         int
	LengthPenalty float64
	EarlyStopping bool

	// Prompt is what precedes the text as the next two rules see it: the tokens that a decoder of its own was started with, or
	// the prompt of a model whose text goes on from it. It is not otherwise used.
	Prompt            []int32
	NoRepeatNGram     int     // no run of so many tokens occurs twice; 0: no rule
	RepetitionPenalty float64 // logits of tokens that were there are divided by it (multiplied if negative; Keskar et al. 2019); 0 or 1: no rule

	Forced   map[int]int32 // the token at a place of the text, 0 the first; overrules everything else
	Suppress []int32       // tokens that never occur
	// Allow is a grammar: the tokens that may follow what has been written. Nil means all, and an empty list that the text
	// ends here. It must not keep or change prefix.
	Allow func(prefix []int32) []int32

	// OnToken hears every token once it is certain, which in a beam search is at the end. Its error ends the text and is
	// returned.
	OnToken func(id int32) error
}

// Check names the first setting that cannot work. Generate does so too.
func (c *Config) Check() error {
	switch {
	case c.MaxTokens < 1:
		return fmt.Errorf("generate: MaxTokens %d must be at least 1", c.MaxTokens)
	case c.Beams < 0 || c.Beams > maxBeams:
		return fmt.Errorf("generate: %d beams are not within 1 … %d", c.Beams, maxBeams)
	case !(c.Temperature >= 0) || math.IsInf(c.Temperature, 0):
		return fmt.Errorf("generate: temperature %g must be 0 (the likeliest token) or more", c.Temperature)
	case c.Temperature > 0 && c.Beams > 1:
		return fmt.Errorf("generate: temperature %g with %d beams: a text is either drawn or searched for; leave one of them out", c.Temperature, c.Beams)
	case !(c.TopP >= 0 && c.TopP <= 1):
		return fmt.Errorf("generate: top-p %g is not within 0 … 1", c.TopP)
	case c.TopK < 0:
		return fmt.Errorf("generate: top-k %d must be 0 (all tokens) or more", c.TopK)
	case c.NoRepeatNGram < 0:
		return fmt.Errorf("generate: NoRepeatNGram %d must be 0 (no rule) or more", c.NoRepeatNGram)
	case !(c.RepetitionPenalty >= 0) || math.IsInf(c.RepetitionPenalty, 0):
		return fmt.Errorf("generate: repetition penalty %g must be 1 (no rule) or another positive number", c.RepetitionPenalty)
	case math.IsNaN(c.LengthPenalty) || math.IsInf(c.LengthPenalty, 0):
		return fmt.Errorf("generate: length penalty %g is not a number", c.LengthPenalty)
	case len(c.Stop) > 0 && c.Text == nil:
		return fmt.Errorf("generate: stop strings %q need Text, which turns tokens into a text", c.Stop)
	}
	return nil
}

// maxBeams keeps a mistyped setting from taking all memory.
const maxBeams = 64

// Generate writes a text. d holds the prompt, and first [V] are the logits of the token that follows it; they are not
// changed. It returns the new tokens, with the one of EOS that ended them, if any, and the sum of the natural logarithms of
// the probabilities that the model by itself gave them, at temperature 1; a forced token counts as certain.
//
// An end of ctx, an error of d or of OnToken, and logits that are no numbers end the text early: what has been written so
// far is returned with the error.
func Generate(ctx context.Context, d Decoder, first []float32, c Config) (ids []int32, logProb float64, err error) {
	if err := c.Check(); err != nil {
		return nil, 0, err
	}
	if len(first) == 0 {
		return nil, 0, fmt.Errorf("generate: no logits of the first token")
	}
	w := &writer{Config: c, v: len(first), decoder: d}
	if c.Beams > 1 {
		return w.search(ctx, first)
	}
	return w.write(ctx, first)
}

// writer is one call of Generate.
type writer struct {
	Config
	v       int
	decoder Decoder
	history []int32 // scratch: the prompt and what has been written
}

// ended reports that nothing follows ids, and by which of the three ways: an end token, a stop string, the longest length.
func (w *writer) ended(ids []int32) bool {
	if len(ids) >= w.MaxTokens || slices.Contains(w.EOS, ids[len(ids)-1]) {
		return true
	}
	if len(w.Stop) == 0 {
		return false
	}
	text := w.Text(ids)
	return slices.ContainsFunc(w.Stop, func(s string) bool { return strings.Contains(text, s) })
}

// step has the decoder append tokens and checks what it returns.
func (w *writer) step(ctx context.Context, tokens []int32) ([]float32, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("generate: %w", context.Cause(ctx))
	}
	logits, err := w.decoder.Step(tokens)
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	if len(logits) != len(tokens)*w.v {
		return nil, fmt.Errorf("generate: the decoder gave %d logits for %d sequences of a vocabulary of %d", len(logits), len(tokens), w.v)
	}
	return logits, nil
}

// write is greedy decoding and sampling.
func (w *writer) write(ctx context.Context, logits []float32) (ids []int32, sum float64, err error) {
	s := newSampler(&w.Config)
	row := make([]float64, w.v)
	for {
		lse, err := widen(row, logits)
		if err != nil {
			return ids, sum, err
		}
		verdict := w.rule(row, ids)
		if verdict == over {
			return ids, sum, nil
		}
		id := s.pick(row)
		if id < 0 {
			return ids, sum, errNothing(len(ids))
		}
		if verdict != certain {
			sum += float64(logits[id]) - lse
		}
		ids = append(ids, id)
		if w.OnToken != nil {
			if err := w.OnToken(id); err != nil {
				return ids, sum, err
			}
		}
		if w.ended(ids) {
			return ids, sum, nil
		}
		if logits, err = w.step(ctx, []int32{id}); err != nil {
			return ids, sum, err
		}
	}
}

// errNothing says that the rules contradict each other.
func errNothing(place int) error {
	return fmt.Errorf("generate: the rules allow no token at place %d of the text; loosen Suppress, NoRepeatNGram or Allow", place)
}

// widen copies logits and returns the logarithm of the sum of their exponentials, with which they become log probabilities.
func widen(row []float64, logits []float32) (float64, error) {
	top := math.Inf(-1)
	for i, l := range logits {
		row[i] = float64(l)
		if l != l || row[i] > math.MaxFloat32 {
			return 0, fmt.Errorf("generate: the model gave %v as the logit of token %d: its weights are damaged or overflow their number format", l, i)
		}
		top = max(top, row[i])
	}
	if math.IsInf(top, -1) {
		return 0, fmt.Errorf("generate: the model gave no token a probability")
	}
	sum := 0.
	for _, l := range row {
		sum += math.Exp(l - top)
	}
	return top + math.Log(sum), nil
}
