package nn

import (
	"fmt"

	"fovea/autograd"
	"fovea/ops"
)

// TextConfig sizes a published text encoder, under the names that its config.json has.
type TextConfig struct {
	EncoderConfig
	Vocab  int   `json:"vocab_size"`
	MaxLen int   `json:"max_position_embeddings"`
	EOS    int32 `json:"eos_token_id"`

	Causal bool `json:"-"` // tokens see those before them only
}

// Check names the first field that cannot work.
func (c *TextConfig) Check() error {
	if c.Vocab < 1 || c.Vocab > 1<<20 {
		return fmt.Errorf("nn: vocab_size %d is not within 1 … %d", c.Vocab, 1<<20)
	}
	if c.MaxLen < 2 || c.MaxLen > MaxTokens {
		return fmt.Errorf("nn: max_position_embeddings %d is not within 2 … %d", c.MaxLen, MaxTokens)
	}
	return c.EncoderConfig.Check()
}

// Text is a transformer over texts that stand alone.
type Text struct {
	Config TextConfig
	Words  *autograd.Param `weight:"words"` // [V, D]
	Pos    *autograd.Param `weight:"pos"`   // [MaxLen, D]
	Stack  *Stack          `weight:"encoder"`
}

// NewText makes a blank text encoder.
func NewText(c TextConfig) (*Text, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	stack, err := NewEncoder(c.EncoderConfig)
	if err != nil {
		return nil, err
	}
	return &Text{Config: c, Words: Blank(autograd.Table, c.Vocab, c.Width), Pos: Blank(autograd.Table, c.MaxLen, c.Width), Stack: stack}, nil
}

// Forward reads texts of 1 … MaxLen ids below Vocab and gives one row for each id, text after text. It lays out the pass.
func (x *Text) Forward(t *autograd.Tape, p *Pass, ids [][]int32) *Value {
	var words, pos []ops.Ref
	p.Layout = &ops.Layout{}
	for _, text := range ids {
		p.Layout.Groups = append(p.Layout.Groups, ops.Group{Image: -1, Start: len(words), Len: len(text), Causal: x.Config.Causal})
		for i, id := range text {
			words, pos = append(words, ops.Ref{Row: id}), append(pos, ops.Ref{Row: int32(i)})
		}
	}
	return x.Stack.Forward(p, ops.Add(ops.Gather(t, words, t.Use(x.Words)), ops.Gather(t, pos, t.Use(x.Pos))))
}

// Ends are the last rows of texts, for ops.Gather.
func Ends(ids [][]int32) []ops.Ref {
	refs, n := make([]ops.Ref, len(ids)), 0
	for i, text := range ids {
		n += len(text)
		refs[i].Row = int32(n - 1)
	}
	return refs
}

// AttentionPool makes one vector of a picture's tokens: a learned probe attends to them, and a feed-forward layer is added
// ("MAP head", Zhai et al. 2022, after Lee et al. 2019).
type AttentionPool struct {
	Probe *autograd.Param `weight:"probe"` // [1, 1, D]
	Attn  *Attention      `weight:"attn"`
	Norm  *LayerNorm      `weight:"norm"`
	MLP   *MLP            `weight:"mlp"`
}

// NewAttentionPool makes a blank pool of an encoder's width.
func NewAttentionPool(c EncoderConfig) *AttentionPool {
	act, _ := Activation(c.Act)
	return &AttentionPool{Probe: Blank(autograd.Table, 1, 1, c.Width), Attn: BlankAttention(c.Width, c.Heads, true), Norm: BlankNorm(c.Width, c.Eps), MLP: BlankMLP(c.Width, c.Inner, act)}
}

// Forward gives a row for each picture, whose tokens are lens[i] rows of x, picture after picture.
func (a *AttentionPool) Forward(p *Pass, x *Value, lens []int) *Value {
	t, at := x.Tape(), 0
	probes, spans := make([]ops.Ref, len(lens)), make([]ops.Span, len(lens))
	for i, n := range lens {
		spans[i] = ops.Span{Row: i, Rows: 1, Key: at, Keys: n}
		at += n
	}
	y := a.Attn.Cross(ops.Gather(t, probes, t.Use(a.Probe)), x, spans)
	return ops.Add(y, a.MLP.Forward(p, a.Norm.Forward(y)))
}
