package nn

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"

	"fovea/autograd"
)

// EncoderConfig sizes a published transformer encoder, under the names that its config.json has. Families fill in the
// defaults of the class before they read the file.
type EncoderConfig struct {
	Width   int     `json:"hidden_size"`
	Layers  int     `json:"num_hidden_layers"`
	Heads   int     `json:"num_attention_heads"`
	Inner   int     `json:"intermediate_size"` // of the feed-forward layer
	Act     string  `json:"hidden_act"`
	Eps     float32 `json:"layer_norm_eps"`
	QKVBias bool    `json:"qkv_bias"`

	Scaled bool `json:"-"` // blocks have a Scale after each half
	Gated  bool `json:"-"` // the feed-forward layer is a GatedMLP
	Final  bool `json:"-"` // a norm follows the last block
}

// Check names the first field that cannot work.
func (c *EncoderConfig) Check() error {
	for _, f := range []struct {
		name       string
		v, lo, max int
	}{{"hidden_size", c.Width, 1, 1 << 15}, {"num_hidden_layers", c.Layers, 1, 512}, {"num_attention_heads", c.Heads, 1, 1 << 10}, {"intermediate_size", c.Inner, 1, 1 << 18}} {
		if f.v < f.lo || f.v > f.max {
			return fmt.Errorf("nn: %s %d is not within %d … %d", f.name, f.v, f.lo, f.max)
		}
	}
	if c.Width%c.Heads != 0 {
		return fmt.Errorf("nn: hidden_size %d does not divide into num_attention_heads %d", c.Width, c.Heads)
	}
	if !(c.Eps > 0 && c.Eps < 1) {
		return fmt.Errorf("nn: layer_norm_eps %g is not within 0 … 1", c.Eps)
	}
	_, err := Activation(c.Act)
	return err
}

// NewEncoder makes a blank stack of pre-norm blocks.
func NewEncoder(c EncoderConfig) (*Stack, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	act, _ := Activation(c.Act)
	s, d := &Stack{}, c.Width
	for range c.Layers {
		b := &Block{Norm1: BlankNorm(d, c.Eps), Attn: BlankAttention(d, c.Heads, c.QKVBias), Norm2: BlankNorm(d, c.Eps)}
		if c.Gated {
			b.MLP = &GatedMLP{Gate: BlankDense(d, c.Inner, true), Up: BlankDense(d, c.Inner, true), Down: BlankDense(c.Inner, d, true)}
		} else {
			b.MLP = BlankMLP(d, c.Inner, act)
		}
		if c.Scaled {
			b.Scale1, b.Scale2 = &Scale{Blank(autograd.Vector, d)}, &Scale{Blank(autograd.Vector, d)}
		}
		s.Blocks = append(s.Blocks, b)
	}
	if c.Final {
		s.Norm = BlankNorm(d, c.Eps)
	}
	return s, nil
}

// Init gives a blank stack memory and weights as NewBlock has them: its branches start at zero. A nil rng leaves maps zero, for
// a checkpoint to fill.
func (s *Stack) Init(rng *rand.Rand) {
	Allot(s)
	for _, b := range s.Blocks {
		maps := []Linear{b.Attn.Q, b.Attn.K, b.Attn.V}
		switch m := b.MLP.(type) {
		case *MLP:
			maps = append(maps, m.Up)
		case *GatedMLP:
			maps = append(maps, m.Gate, m.Up)
		}
		for _, l := range maps {
			in, _ := l.Dims()
			Normal(rng, l.(*Dense).Weight, 1/math.Sqrt(float64(in)))
		}
		for _, n := range []*LayerNorm{b.Norm1, b.Norm2} {
			Fill(n.Gain, 1)
		}
		for _, g := range []*Scale{b.Scale1, b.Scale2} {
			if g != nil {
				Fill(g.Weight, 1)
			}
		}
	}
	if s.Norm != nil {
		Fill(s.Norm.Gain, 1)
	}
}

// BlankAttention is an attention layer of blank parameters, its queries, keys and values with biases or without.
func BlankAttention(d, heads int, bias bool) *Attention {
	return &Attention{Q: BlankDense(d, d, bias), K: BlankDense(d, d, bias), V: BlankDense(d, d, bias), O: BlankDense(d, d, true), Heads: heads}
}

// BlankMLP is a feed-forward layer of blank parameters.
func BlankMLP(d, inner int, act func(*Value) *Value) *MLP {
	return &MLP{Up: BlankDense(d, inner, true), Down: BlankDense(inner, d, true), Act: act}
}

// Size is a height and a width, published as one number for a square or as a pair.
type Size [2]int

// UnmarshalJSON implements json.Unmarshaler.
func (s *Size) UnmarshalJSON(b []byte) error {
	var n int
	if json.Unmarshal(b, &n) == nil {
		*s = Size{n, n}
		return nil
	}
	var pair []int
	if err := json.Unmarshal(b, &pair); err != nil || len(pair) != 2 {
		return fmt.Errorf("nn: size %.80s is neither a number nor a height and a width", b)
	}
	*s = Size(pair)
	return nil
}
