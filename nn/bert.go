package nn

import (
	"fmt"

	"fovea/autograd"
	"fovea/ops"
)

// BertConfig sizes a published encoder or decoder of texts in the manner of BERT (Devlin et al. 2019), under the names that
// its config.json has.
type BertConfig struct {
	EncoderConfig
	Vocab  int `json:"vocab_size"`
	MaxLen int `json:"max_position_embeddings"`
	Types  int `json:"type_vocab_size"` // rows of a table of kinds of tokens, of which the first is used; 0: none

	Seen int `json:"-"` // width of the rows that its blocks look at across; 0: none
}

// Check names the first field that cannot work.
func (c *BertConfig) Check() error {
	t := TextConfig{EncoderConfig: c.EncoderConfig, Vocab: c.Vocab, MaxLen: c.MaxLen}
	if c.Types < 0 || c.Types > 1<<10 {
		return fmt.Errorf("nn: type_vocab_size %d is not within 0 … 1024", c.Types)
	}
	return t.Check()
}

// BertEmbed embeds pieces: a word, a position and a kind, added and normed.
type BertEmbed struct {
	Words *autograd.Param `weight:"words"`
	Pos   *autograd.Param `weight:"pos"`
	Types *autograd.Param `weight:"types"`
	Norm  *LayerNorm      `weight:"norm"`
}

// NewBertEmbed makes blank embeddings.
func NewBertEmbed(c BertConfig) (*BertEmbed, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	e := &BertEmbed{Words: Blank(autograd.Table, c.Vocab, c.Width), Pos: Blank(autograd.Table, c.MaxLen, c.Width), Norm: BlankNorm(c.Width, c.Eps)}
	if c.Types > 0 {
		e.Types = Blank(autograd.Table, c.Types, c.Width)
	}
	return e, nil
}

// Forward embeds texts of 1 … MaxLen ids, text after text.
func (e *BertEmbed) Forward(t *autograd.Tape, ids [][]int32) *Value {
	var words, pos []ops.Ref
	for _, text := range ids {
		for i, id := range text {
			words, pos = append(words, ops.Ref{Row: id}), append(pos, ops.Ref{Row: int32(i)})
		}
	}
	x := ops.Add(ops.Gather(t, words, t.Use(e.Words)), ops.Gather(t, pos, t.Use(e.Pos)))
	if e.Types != nil {
		x = ops.Add(x, ops.Slice(t.Use(e.Types), 0, 1))
	}
	return e.Norm.Forward(x)
}

// At embeds one piece of each of several texts, all of them at place pos, below MaxLen: [len(ids), D].
func (e *BertEmbed) At(t *autograd.Tape, ids []int32, pos int) *Value {
	words := make([]ops.Ref, len(ids))
	for i, id := range ids {
		words[i].Row = id
	}
	x := ops.Add(ops.Gather(t, words, t.Use(e.Words)), ops.Slice(t.Use(e.Pos), pos, pos+1))
	if e.Types != nil {
		x = ops.Add(x, ops.Slice(t.Use(e.Types), 0, 1))
	}
	return e.Norm.Forward(x)
}

// PostBlock is a post-norm transformer block (Vaswani et al. 2017): each of its parts is added to its input and the sum
// normed.
type PostBlock struct {
	Attn      *Attention  `weight:"attn"`
	Norm1     *LayerNorm  `weight:"norm1"`
	Cross     *Attention  `weight:"cross"` // nil: none
	CrossNorm *LayerNorm  `weight:"cross_norm"`
	MLP       FeedForward `weight:"mlp"`
	Norm2     *LayerNorm  `weight:"norm2"`
}

// NewPostBlock makes a blank block; seen is the width of the rows that it looks at across, 0 for none.
func NewPostBlock(c EncoderConfig, seen int) *PostBlock {
	act, _ := Activation(c.Act)
	d := c.Width
	b := &PostBlock{Attn: BlankAttention(d, c.Heads, true), Norm1: BlankNorm(d, c.Eps), MLP: BlankMLP(d, c.Inner, act), Norm2: BlankNorm(d, c.Eps)}
	if seen > 0 {
		b.Cross, b.CrossNorm = BlankAttention(d, c.Heads, true), BlankNorm(d, c.Eps)
		b.Cross.K, b.Cross.V = BlankDense(seen, d, true), BlankDense(seen, d, true)
	}
	return b
}

// Forward maps x [N, D] to the same shape; it attends within x as the pass's layout allows, and to y as the spans say.
func (b *PostBlock) Forward(p *Pass, x, y *Value, spans []ops.Span) *Value {
	x = b.Norm1.Forward(ops.Add(x, b.Attn.Forward(p, x)))
	if b.Cross != nil {
		x = b.CrossNorm.Forward(ops.Add(x, b.Cross.Cross(x, y, spans)))
	}
	return b.Norm2.Forward(ops.Add(x, b.MLP.Forward(p, x)))
}

// Bert is a stack of post-norm blocks over texts, which may look at other rows across.
type Bert struct {
	Config BertConfig
	Embed  *BertEmbed   `weight:"embeddings"`
	Blocks []*PostBlock `weight:"encoder.blocks"`
}

// NewBert makes a blank one.
func NewBert(c BertConfig) (*Bert, error) {
	e, err := NewBertEmbed(c)
	if err != nil {
		return nil, err
	}
	b := &Bert{Config: c, Embed: e}
	for range c.Layers {
		b.Blocks = append(b.Blocks, NewPostBlock(c.EncoderConfig, c.Seen))
	}
	return b, nil
}

// Forward reads texts, text after text, each of which sees lens[i] rows of y; causal texts see only what precedes. It lays
// out the pass.
func (b *Bert) Forward(t *autograd.Tape, p *Pass, ids [][]int32, y *Value, lens []int, causal bool) *Value {
	return forwardPost(p, b.Blocks, b.Embed.Forward(t, ids), Lengths(ids), y, lens, causal)
}

// Lengths are those of texts.
func Lengths(ids [][]int32) []int {
	out := make([]int, len(ids))
	for i, text := range ids {
		out[i] = len(text)
	}
	return out
}

// forwardPost runs blocks over texts of own[i] rows of x, each of which sees seen[i] rows of y, if that is not nil. It lays out the
// pass.
func forwardPost(p *Pass, blocks []*PostBlock, x *Value, own []int, y *Value, seen []int, causal bool) *Value {
	p.Layout = &ops.Layout{}
	var spans []ops.Span
	row, key := 0, 0
	for i, n := range own {
		p.Layout.Groups = append(p.Layout.Groups, ops.Group{Image: -1, Start: row, Len: n, Causal: causal})
		if y != nil {
			spans = append(spans, ops.Span{Row: row, Rows: n, Key: key, Keys: seen[i]})
			key += seen[i]
		}
		row += n
	}
	for i, b := range blocks {
		x = Frugal(p.tap(i, x), func(x *Value) *Value { return b.Forward(p, x, y, spans) })
	}
	return p.tap(len(blocks), x)
}
