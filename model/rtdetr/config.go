package rtdetr

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"fovea/model"
	"fovea/nn"
)

// Config is a config.json.
type Config struct {
	nn.HybridConfig
	Labels        model.Labels    `json:"id2label"`
	Backbone      json.RawMessage `json:"backbone_config"`
	BackboneName  *string         `json:"backbone"` // of a library that is not there
	Timm          bool            `json:"use_timm_backbone"`
	Into          []int           `json:"encoder_in_channels"` // of the backbone's maps
	FromEncoder   []int           `json:"decoder_in_channels"`
	Levels        int             `json:"num_feature_levels"`
	Width         int             `json:"d_model"`
	Queries       int             `json:"num_queries"`
	Layers        int             `json:"decoder_layers"`
	Heads         int             `json:"decoder_attention_heads"`
	Inner         int             `json:"decoder_ffn_dim"`
	Act           string          `json:"decoder_activation_function"`
	Points        Points          `json:"decoder_n_points"`
	PointLevels   *int            `json:"decoder_n_levels"`
	OffsetScale   float32         `json:"decoder_offset_scale"`
	Method        string          `json:"decoder_method"`
	LearntQueries bool            `json:"learn_initial_query"`
	AnchorSize    *nn.Size        `json:"anchor_image_size"`
	EvalSize      *nn.Size        `json:"eval_size"`

	// D-FINE's distributions of edges.
	EvalLayer    int `json:"eval_idx"`
	Bins         int `json:"max_num_bins"`
	Top          int `json:"top_prob_values"`
	QualityInner int `json:"lqe_hidden_dim"`
	QualityDepth int `json:"lqe_layers"`

	fine bool // D-FINE
}

// Points is how many points a head looks at in each map, published as one number for all of them or as a list.
type Points []int

// UnmarshalJSON implements json.Unmarshaler.
func (p *Points) UnmarshalJSON(b []byte) error {
	var n int
	if json.Unmarshal(b, &n) == nil {
		*p = Points{n}
		return nil
	}
	var list []int
	if err := json.Unmarshal(b, &list); err != nil {
		return fmt.Errorf("rtdetr: decoder_n_points %.80s is neither a number nor a list of numbers", b)
	}
	*p = list
	return nil
}

// newConfig holds the defaults that both classes have.
func newConfig(fine bool) Config {
	return Config{
		HybridConfig: nn.HybridConfig{
			Width: 256, Heads: 8, Inner: 1024, Layers: 1, BlockAct: "gelu", ConvAct: "silu", Expansion: 1, Attended: []int{2},
			Temperature: 10000, Eps: 1e-5, BatchEps: 1e-5, Depth: 1, ELAN: fine,
		},
		Labels: model.Labels{"LABEL_0", "LABEL_1"}, Into: []int{512, 1024, 2048}, FromEncoder: []int{256, 256, 256}, Levels: 3,
		Width: 256, Queries: 300, Layers: 6, Heads: 8, Inner: 1024, Act: "relu", Points: Points{4}, OffsetScale: .5, Method: "default",
		EvalLayer: -1, Bins: 32, Top: 4, QualityInner: 64, QualityDepth: 2, fine: fine,
	}
}

// settle spreads what is written once, and names the first field that cannot work.
func (c *Config) settle() error {
	if c.Backbone == nil || string(c.Backbone) == "null" {
		if c.Timm || c.BackboneName != nil {
			return fmt.Errorf("rtdetr: only backbones that backbone_config describes are supported")
		}
		kind := "rt_detr_resnet"
		if c.fine {
			kind = "hgnet_v2"
		}
		c.Backbone = json.RawMessage(`{"model_type":"` + kind + `","out_indices":[2,3,4]}`)
	}
	c.Maps = len(c.Into)
	for len(c.Points) == 1 && c.Maps > 1 && c.Maps <= 16 {
		c.Points = slices.Repeat(c.Points, c.Maps)
	}
	for _, f := range []struct {
		name       string
		v, lo, max int
	}{
		{"encoder_in_channels", c.Maps, 1, 16}, {"num_feature_levels", c.Levels, c.Maps, c.Maps}, {"decoder_in_channels", len(c.FromEncoder), c.Maps, c.Maps},
		{"decoder_n_points", len(c.Points), c.Maps, c.Maps}, {"num_queries", c.Queries, 1, maxAnchors}, {"max_num_bins", c.Bins, 4, 1 << 10},
		{"top_prob_values", c.Top, 1, min(c.Bins+1, 1<<10)}, {"lqe_hidden_dim", c.QualityInner, 1, 1 << 14}, {"lqe_layers", c.QualityDepth, 1, 64}, {"id2label", len(c.Labels), 1, 1 << 17},
	} {
		if f.v < f.lo || f.v > f.max {
			return fmt.Errorf("rtdetr: %s: %d is not within %d … %d", f.name, f.v, f.lo, f.max)
		}
	}
	for i, p := range c.Points {
		if p < 1 || p > 1<<8 || c.FromEncoder[i] != c.HybridConfig.Width {
			return fmt.Errorf("rtdetr: decoder_n_points %v are not within 1 … 256, or decoder_in_channels %v not encoder_hidden_dim %d", c.Points, c.FromEncoder, c.HybridConfig.Width)
		}
	}
	switch scale := float64(c.OffsetScale); {
	case c.PointLevels != nil && *c.PointLevels != c.Maps:
		return fmt.Errorf("rtdetr: decoder_n_levels is %d, there are %d maps", *c.PointLevels, c.Maps)
	case scale-scale != 0 || math.Abs(scale) > 1e6:
		return fmt.Errorf("rtdetr: decoder_offset_scale %g is not within −1e6 … 1e6", scale)
	case c.Method != "default":
		return fmt.Errorf("rtdetr: decoder_method %q is not supported; there is %q", c.Method, "default")
	case c.LearntQueries || c.EvalSize != nil:
		return fmt.Errorf("rtdetr: learn_initial_query and eval_size are not supported")
	case c.fine && (c.Bins%2 != 0 || c.EvalLayer != -1 && c.EvalLayer != c.Layers-1):
		return fmt.Errorf("rtdetr: max_num_bins %d is odd, or eval_idx %d not the last of %d layers", c.Bins, c.EvalLayer, c.Layers)
	}
	e := c.decoder()
	if err := e.Check(); err != nil {
		return fmt.Errorf("rtdetr: decoder: %w", err)
	}
	return nil
}

// decoder sizes the decoder's blocks.
func (c *Config) decoder() nn.EncoderConfig {
	return nn.EncoderConfig{Width: c.Width, Heads: c.Heads, Inner: c.Inner, Layers: c.Layers, Act: c.Act, Eps: c.Eps}
}
