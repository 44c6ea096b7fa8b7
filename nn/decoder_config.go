package nn

import (
	"fmt"
	"math"
)

// DecoderConfig sizes a published causal language model, under the names that its config.json has, and says which of the
// parts it has that such networks may have. Families fill in the defaults of the class before they read the file.
type DecoderConfig struct {
	Width   int     `json:"hidden_size"`
	Layers  int     `json:"num_hidden_layers"`
	Heads   int     `json:"num_attention_heads"`
	KVHeads int     `json:"num_key_value_heads"` // heads share keys and values in so many groups; 0: none share
	HeadDim int     `json:"head_dim"`            // 0: hidden_size / num_attention_heads
	Inner   int     `json:"intermediate_size"`
	Act     string  `json:"hidden_act"`
	Eps     float32 `json:"rms_norm_eps"`
	Vocab   int     `json:"vocab_size"`
	MaxLen  int     `json:"max_position_embeddings"`
	Bias    bool    `json:"attention_bias"`
	MLPBias bool    `json:"mlp_bias"`

	Theta      float64     `json:"rope_theta"` // older spelling of the next but one
	Scaling    *RoPEConfig `json:"rope_scaling"`
	Parameters *RoPEConfig `json:"rope_parameters"`

	Window      *int     `json:"sliding_window"` // layers of type sliding_attention see so many tokens
	LayerTypes  []string `json:"layer_types"`
	ScoreLimit  float32  `json:"attn_logit_softcapping"` // 0: none
	LogitLimit  float32  `json:"final_logit_softcapping"`
	QueryScalar float64  `json:"query_pre_attn_scalar"` // scores are divided by its root; 0: head_dim

	QKVBias   bool `json:"-"` // queries, keys and values have biases though the rest has none (Qwen 2)
	QKNorm    bool `json:"-"` // queries and keys are normed head by head (Qwen 3)
	PlusOne   bool `json:"-"` // norms scale by 1 + weight (Gemma)
	Scaled    bool `json:"-"` // words enter times √hidden_size (Gemma)
	PostNorms bool `json:"-"` // both halves of a block are normed before they are added (Gemma 2)
	Tied      bool `json:"-"` // words that are read and words that are written share a table
	Alternate bool `json:"-"` // without layer_types, every other layer slides, the first does (Gemma 2)
}

// maxVocab bounds tables of words.
const maxVocab = 1 << 20

// settle derives what a configuration leaves open and names the first field that cannot work.
func (c *DecoderConfig) settle() error {
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadDim == 0 && c.Heads > 0 {
		c.HeadDim = c.Width / c.Heads
	}
	for _, f := range []struct {
		name       string
		v, lo, max int
	}{
		{"hidden_size", c.Width, 1, 1 << 15}, {"num_hidden_layers", c.Layers, 1, 512}, {"num_attention_heads", c.Heads, 1, 1 << 10},
		{"num_key_value_heads", c.KVHeads, 1, 1 << 10}, {"head_dim", c.HeadDim, 2, 1 << 12}, {"intermediate_size", c.Inner, 1, 1 << 18},
		{"vocab_size", c.Vocab, 1, maxVocab}, {"max_position_embeddings", c.MaxLen, 2, 1 << 22},
	} {
		if f.v < f.lo || f.v > f.max {
			return fmt.Errorf("nn: %s %d is not within %d … %d", f.name, f.v, f.lo, f.max)
		}
	}
	switch {
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("nn: num_attention_heads %d does not divide into num_key_value_heads %d", c.Heads, c.KVHeads)
	case !(c.Eps > 0 && c.Eps < 1):
		return fmt.Errorf("nn: rms_norm_eps %g is not within 0 … 1", c.Eps)
	case !(c.ScoreLimit >= 0 && c.LogitLimit >= 0 && c.QueryScalar >= 0) || math.IsInf(c.QueryScalar+float64(c.ScoreLimit+c.LogitLimit), 0):
		return fmt.Errorf("nn: attn_logit_softcapping %g, final_logit_softcapping %g or query_pre_attn_scalar %g is negative or infinite", c.ScoreLimit, c.LogitLimit, c.QueryScalar)
	case c.LayerTypes != nil && len(c.LayerTypes) != c.Layers:
		return fmt.Errorf("nn: %d layer_types for num_hidden_layers %d", len(c.LayerTypes), c.Layers)
	}
	for i := range c.Layers {
		if w := c.window(i); w < 0 {
			return fmt.Errorf("nn: layer_types %q, or sliding_window, of layer %d is not supported; there are full_attention, and sliding_attention with 1 or more", c.LayerTypes, i)
		}
	}
	_, err := Activation(c.Act)
	return err
}

// window is how many tokens layer i sees, 0: all, −1: a setting that cannot work.
func (c *DecoderConfig) window(i int) int {
	kind := "full_attention"
	if c.LayerTypes != nil {
		kind = c.LayerTypes[i]
	} else if c.Alternate && c.Window != nil && i%2 == 0 {
		kind = "sliding_attention"
	}
	switch {
	case kind == "full_attention":
		return 0
	case kind == "sliding_attention" && c.Window != nil && *c.Window > 0:
		return *c.Window
	}
	return -1
}

// rope is the configuration of positions, whichever way it is spelled.
func (c *DecoderConfig) rope() RoPEConfig {
	r := RoPEConfig{Theta: c.Theta}
	for _, p := range []*RoPEConfig{c.Scaling, c.Parameters} {
		if p != nil {
			theta := r.Theta
			if r = *p; r.Theta == 0 {
				r.Theta = theta
			}
		}
	}
	return r
}
