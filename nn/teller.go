package nn

import (
	"fmt"
	"math"
	"slices"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/ops"
)

// Prompt is a text to go on from, with pictures in it.
type Prompt struct {
	IDs    []int32
	Places []Place // of each token
	Next   int     // place of the token after them
	// Tokens of id Image are the rows of Features, M · D numbers; Deep[i], as many, is added to these tokens after block i.
	Image    int32
	Features []float32
	Deep     [][]float32
	Prefix   int // the first so many tokens see each other both ways
	Shared   int // the first so many begin other prompts about the same picture too; they are read once
}

// NewPrompt is a prompt whose tokens stand one after the other from place first on. Those of id image show the next rows, of width
// features, of a list, from which they are taken; a list that is too short gives what it has. What precedes the last of them is
// shared.
func NewPrompt(ids []int32, first int, image int32, width int, features *[]float32) *Prompt {
	p := &Prompt{IDs: ids, Places: Line(first, len(ids)), Next: first + len(ids), Image: image}
	n := 0
	for i, id := range ids {
		if id == image {
			n, p.Shared = n+1, i+1
		}
	}
	if n = min(n*width, len(*features)); n > 0 {
		p.Features, *features = (*features)[:n], (*features)[n:]
	}
	return p
}

// Fits says what is wrong with a prompt for the decoder.
func (d *Decoder) Fits(p *Prompt) error {
	n := 0
	for _, id := range p.IDs {
		if id == p.Image {
			n++
		}
	}
	switch w := d.Config.Width; {
	case len(p.IDs) == 0 || len(p.IDs) > d.Config.MaxLen:
		return fmt.Errorf("nn: a prompt of %d tokens; the model reads and writes up to %d (max_position_embeddings): ask more briefly, or show a smaller picture", len(p.IDs), d.Config.MaxLen)
	case p.Features != nil && len(p.Features) != n*w:
		return fmt.Errorf("nn: %d tokens of the prompt stand for pictures, whose features are %d rows", n, len(p.Features)/w)
	}
	return nil
}

// Read reads tokens [from, to) of a prompt into a text that holds those before, and gives their hidden states.
func (d *Decoder) Read(t *autograd.Tape, p *Pass, text *KVCache, q *Prompt, from, to int) *Value {
	var features *Value
	var rows []int // tokens that are pictures
	first := 0
	for i, id := range q.IDs[:to] {
		if q.Features == nil || id != q.Image {
			continue
		}
		if i < from {
			first++
		} else {
			rows = append(rows, i-from)
		}
	}
	r := Reading{Texts: []*KVCache{text}, Lens: []int{to - from}, Places: q.Places[from:to], Prefix: q.Prefix}
	if w := d.Config.Width; len(rows) > 0 {
		features = t.Input(q.Features[first*w:(first+len(rows))*w], len(rows), w)
		for _, deep := range q.Deep {
			r.Deep = append(r.Deep, deep[first*w:(first+len(rows))*w])
		}
		r.DeepRows = rows
	}
	return d.Forward(p, d.Embed(t, q.IDs[from:to], q.Image, features), r)
}

// Teller writes on from prompts with a Decoder: it is a generate.Decoder. It serves one text at a time, on one tape.
type Teller struct {
	d      *Decoder
	t      *autograd.Tape
	shared *KVCache // what prompts begin with
	ids    []int32  // of shared
	texts  []*KVCache
	next   int // place of the next token

	// Chances are the probabilities that the model gave to the tokens of the text so far, while it is one text and Weigh is set:
	// they take a pass over the vocabulary for each token.
	Chances []float64
	Weigh   bool
	// Half holds keys and values of texts as bfloat16. NewTeller sets it for decoders whose weights have fewer bits than float32.
	Half   bool
	last   []float32 // logits of the token that comes next, on the tape
	memory readingMemory
}

// NewTeller makes a teller that uses the tape, and resets it at every step.
func NewTeller(d *Decoder, t *autograd.Tape) *Teller {
	return &Teller{d: d, t: t, Half: d.narrow != nil}
}

// Forget drops what prompts had in common: their picture is another one now.
func (w *Teller) Forget() { w.shared, w.ids, w.texts = nil, nil, nil }

// Bytes is the memory that the texts hold, with what they begin with.
func (w *Teller) Bytes() int {
	n, seen := 0, map[*KVCache]bool{}
	for _, text := range w.texts {
		for ; text != nil && !seen[text]; text = text.before {
			seen[text] = true
			n += text.Bytes()
		}
	}
	return n
}

// Read reads a prompt and gives the logits of the token after it. They lie on the tape, as those of Step do: they are valid until
// it is reset, by the next call or by anybody else.
func (w *Teller) Read(q *Prompt) ([]float32, error) {
	n := len(q.IDs)
	if err := w.d.Fits(q); err != nil {
		return nil, err
	}
	share := min(q.Shared, n-1)
	if w.shared == nil || !slices.Equal(w.ids, q.IDs[:share]) {
		w.Forget()
		if w.shared = NewKVCache(w.d.Config.Layers); w.Half {
			w.shared = NewHalfKVCache(w.d.Config.Layers)
		}
		if share > 0 {
			w.t.Reset()
			w.d.Read(w.t, &Pass{}, w.shared, q, 0, share)
		}
		w.ids = slices.Clone(q.IDs[:share])
	}
	text := w.shared.Fork()
	w.t.Reset()
	h := w.d.Read(w.t, &Pass{}, text, q, share, n)
	logits := w.d.Logits(ops.Slice(h, n-share-1, n-share))
	w.texts, w.next, w.Chances = []*KVCache{text.Fork()}, q.Next, w.Chances[:0]
	w.last = logits.Data
	return w.last, nil
}

// Step implements generate.Decoder.
func (w *Teller) Step(tokens []int32) ([]float32, error) {
	if len(tokens) != len(w.texts) {
		return nil, fmt.Errorf("nn: %d tokens for %d texts", len(tokens), len(w.texts))
	}
	if n := w.texts[0].Len(); n >= w.d.Config.MaxLen {
		return nil, fmt.Errorf("nn: the text has reached %d tokens, all that the model can read and write (max_position_embeddings)", n)
	}
	for _, id := range tokens {
		if id < 0 || int(id) >= w.d.Config.Vocab {
			return nil, fmt.Errorf("nn: token %d is not within the vocabulary of %d", id, w.d.Config.Vocab)
		}
	}
	w.Chance(tokens)
	w.t.Reset()
	m := &w.memory
	m.lens, m.places, m.words = m.lens[:0], m.places[:0], m.words[:0]
	at := int32(w.next)
	for _, id := range tokens {
		m.lens, m.places, m.words = append(m.lens, 1), append(m.places, Place{at, at, at}), append(m.words, ops.Ref{Row: id})
	}
	w.next++
	h := w.d.Forward(&Pass{}, w.d.words(w.t, m.words), Reading{Texts: w.texts, Lens: m.lens, Places: m.places, memory: m})
	logits := w.d.Logits(h)
	w.last = logits.Data
	return w.last, nil
}

// Chance notes the probability of the token that comes next. Step calls it; for a text's last token, which is not stepped
// over, the caller does.
func (w *Teller) Chance(tokens []int32) {
	if !w.Weigh {
		return
	}
	if len(tokens) != 1 || len(w.last) != w.d.Config.Vocab {
		w.Chances = nil
		return
	}
	w.Chances = append(w.Chances, math.Exp(float64(w.last[tokens[0]]-kernel.LogSumExp(w.last))))
}

// Reorder implements generate.Decoder.
func (w *Teller) Reorder(from []int) error {
	texts, err := Reorder(w.texts, from)
	if err != nil {
		return err
	}
	w.texts = texts
	return nil
}
