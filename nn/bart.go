package nn

import (
	"fmt"
	"math"
	"slices"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/ops"
)

// BartConfig sizes a published encoder–decoder of texts in the manner of BART (Lewis et al. 2020), under the names that its
// config.json has.
type BartConfig struct {
	Width         int    `json:"d_model"`
	EncoderLayers int    `json:"encoder_layers"`
	EncoderHeads  int    `json:"encoder_attention_heads"`
	EncoderInner  int    `json:"encoder_ffn_dim"`
	DecoderLayers int    `json:"decoder_layers"`
	DecoderHeads  int    `json:"decoder_attention_heads"`
	DecoderInner  int    `json:"decoder_ffn_dim"`
	Act           string `json:"activation_function"`
	Vocab         int    `json:"vocab_size"`
	MaxLen        int    `json:"max_position_embeddings"`

	// Variants that are refused: words times √d_model, norms before the layers, a norm at the end.
	Scaled    bool `json:"scale_embedding"`
	PreNorm   bool `json:"normalize_before"`
	FinalNorm bool `json:"add_final_layer_norm"`
}

const (
	bartEps = 1e-5
	// bartOffset is the row of the first position: the two before it stood for padding once.
	bartOffset = 2
)

func (c *BartConfig) encoder() EncoderConfig {
	return EncoderConfig{Width: c.Width, Layers: c.EncoderLayers, Heads: c.EncoderHeads, Inner: c.EncoderInner, Act: c.Act, Eps: bartEps}
}

func (c *BartConfig) decoder() EncoderConfig {
	return EncoderConfig{Width: c.Width, Layers: c.DecoderLayers, Heads: c.DecoderHeads, Inner: c.DecoderInner, Act: c.Act, Eps: bartEps}
}

// Check names the first field that cannot work.
func (c *BartConfig) Check() error {
	if c.Scaled || c.PreNorm || c.FinalNorm {
		return fmt.Errorf("nn: scale_embedding, normalize_before and add_final_layer_norm are not supported; want false")
	}
	for _, e := range []EncoderConfig{c.encoder(), c.decoder()} {
		t := TextConfig{EncoderConfig: e, Vocab: c.Vocab, MaxLen: c.MaxLen}
		if err := t.Check(); err != nil {
			return fmt.Errorf("nn: an encoder and decoder of d_model features: %w", err)
		}
	}
	return nil
}

// Bart reads rows, which may be words or anything else of their width, and writes words.
type Bart struct {
	Config  BartConfig
	Words   *autograd.Param `weight:"words"` // [V, D]; the read-out too
	Encoder *BartStack      `weight:"encoder"`
	Decoder *BartStack      `weight:"decoder"`
}

// BartStack is one half of it.
type BartStack struct {
	Pos    *autograd.Param `weight:"pos"`  // [2 + MaxLen, D]
	Norm   *LayerNorm      `weight:"norm"` // before the first block
	Blocks []*PostBlock    `weight:"blocks"`
}

// NewBart makes a blank one.
func NewBart(c BartConfig) (*Bart, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	half := func(e EncoderConfig, seen int) *BartStack {
		s := &BartStack{Pos: Blank(autograd.Table, bartOffset+c.MaxLen, c.Width), Norm: BlankNorm(c.Width, bartEps)}
		for range e.Layers {
			s.Blocks = append(s.Blocks, NewPostBlock(e, seen))
		}
		return s
	}
	return &Bart{Config: c, Words: Blank(autograd.Table, c.Vocab, c.Width), Encoder: half(c.encoder(), 0), Decoder: half(c.decoder(), c.Width)}, nil
}

// Embed are the words with some ids, [len(ids), D].
func (b *Bart) Embed(t *autograd.Tape, ids []int32) *Value {
	refs := make([]ops.Ref, len(ids))
	for i, id := range ids {
		refs[i].Row = id
	}
	return ops.Gather(t, refs, t.Use(b.Words))
}

// Encode reads sequences of lens[i] rows of x, 1 … MaxLen each, which lie one after another. It lays out the pass.
func (b *Bart) Encode(p *Pass, x *Value, lens []int) *Value {
	return b.Encoder.forward(p, x, lens, nil, nil, false)
}

// Decode gives the hidden states of texts of 1 … MaxLen ids, text after text, each of which sees lens[i] rows of what the
// encoder has read, y. It lays out the pass. Logits reads them out.
func (b *Bart) Decode(t *autograd.Tape, p *Pass, ids [][]int32, y *Value, lens []int) *Value {
	return b.Decoder.forward(p, b.Embed(t, slices.Concat(ids...)), Lengths(ids), y, lens, true)
}

// Logits are those of the next word, [N, V].
func (b *Bart) Logits(h *Value) *Value { return ops.Linear(h, h.Tape().Use(b.Words), nil) }

// place adds positions from on to each of the sequences, whose rows lie one after another, and norms.
func (s *BartStack) place(x *Value, lens []int, from int) *Value {
	var pos []ops.Ref
	for _, n := range lens {
		for i := range n {
			pos = append(pos, ops.Ref{Row: int32(bartOffset + from + i)})
		}
	}
	t := x.Tape()
	return s.Norm.Forward(ops.Add(x, ops.Gather(t, pos, t.Use(s.Pos))))
}

func (s *BartStack) forward(p *Pass, x *Value, own []int, y *Value, seen []int, causal bool) *Value {
	return forwardPost(p, s.Blocks, s.place(x, own, 0), own, y, seen, causal)
}

// chanceRows bounds the rows whose logits Chances holds at a time.
const chanceRows = 64

// Chances are the probabilities of the ids of a text, each after start and those before it, when the decoder sees all rows of y [M, D].
// That of an id is the sum over all ids from … to−1 that alike gives for it.
func (b *Bart) Chances(y *Value, start int32, ids []int32, alike func(id int32) (from, to int32)) []float64 {
	out := make([]float64, len(ids))
	if len(ids) == 0 {
		return out
	}
	t := y.Tape()
	before := append([]int32{start}, ids[:len(ids)-1]...)
	h := b.Decode(t, &Pass{}, [][]int32{before}, y, []int{y.Shape.Rows()})
	for at := 0; at < len(ids); at += chanceRows {
		mark := t.Mark()
		rows := b.Logits(ops.Slice(h, at, min(at+chanceRows, len(ids))))
		v := rows.Shape.Last()
		for i := range rows.Shape[0] {
			row := rows.Data[i*v : (i+1)*v]
			from, to := alike(ids[at+i])
			lse := float64(kernel.LogSumExp(row))
			for _, l := range row[from:to] {
				out[at+i] += math.Exp(float64(l) - lse)
			}
		}
		t.Release(mark)
	}
	return out
}
