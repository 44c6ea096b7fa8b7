package nn

import (
	"fmt"
	"slices"

	"fovea/autograd"
)

// PostText is a text that a causal stack of PostBlocks writes piece by piece, in several versions at once: a generate.Decoder.
type PostText struct {
	tape   *autograd.Tape
	cache  *PostCache
	vocab  int
	most   int                                 // pieces
	embed  func(ids []int32, place int) *Value // one piece of each version, all of them at a place: [N, D]
	logits func(h *Value) *Value               // of the next piece, [N, V]
}

// Step implements generate.Decoder. It resets the tape, on which the logits lie.
func (x *PostText) Step(ids []int32) ([]float32, error) {
	n := x.cache.Len()
	if n >= x.most {
		return nil, fmt.Errorf("nn: the text is as long as max_position_embeddings, %d", n)
	}
	if len(ids) != x.cache.Texts() {
		return nil, fmt.Errorf("nn: %d words for %d versions of a text", len(ids), x.cache.Texts())
	}
	for _, id := range ids {
		if id < 0 || int(id) >= x.vocab {
			return nil, fmt.Errorf("nn: word %d is not within vocab_size %d", id, x.vocab)
		}
	}
	x.tape.Reset()
	return x.logits(x.cache.Step(x.embed(ids, n))).Data, nil
}

// Reorder implements generate.Decoder.
func (x *PostText) Reorder(from []int) error { return x.cache.Reorder(from) }

// Begin starts a text, in one version, that sees all rows of what the encoder has read, y. The tape is that of y; nothing of what
// lies on it is needed any more.
func (b *Bart) Begin(y *Value) *PostText {
	t := y.Tape()
	return &PostText{
		tape: t, cache: NewPostCache(b.Decoder.Blocks, y), vocab: b.Config.Vocab, most: b.Config.MaxLen, logits: b.Logits,
		embed: func(ids []int32, place int) *Value {
			return b.Decoder.place(b.Embed(t, ids), slices.Repeat([]int{1}, len(ids)), place)
		},
	}
}

// Begin starts a text, in one version, that sees all rows of y, as Bart.Begin does. logits reads its hidden states out.
func (b *Bert) Begin(y *Value, logits func(h *Value) *Value) *PostText {
	t := y.Tape()
	return &PostText{
		tape: t, cache: NewPostCache(b.Blocks, y), vocab: b.Config.Vocab, most: b.Config.MaxLen, logits: logits,
		embed: func(ids []int32, place int) *Value { return b.Embed.At(t, ids, place) },
	}
}
