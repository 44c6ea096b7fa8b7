package qwen

import (
	"encoding/json"
	"fmt"

	"fovea/checkpoint"
	"fovea/model"
	"fovea/nn"
)

// Config is a config.json. Older ones have what is about words at the top.
type Config struct {
	Text   nn.DecoderConfig `json:"-"`
	Vision VisionConfig     `json:"vision_config"`
	Image  int32            `json:"image_token_id"`
	Tied   *bool            `json:"tie_word_embeddings"`
	Third  bool             `json:"-"` // Qwen3-VL
}

// VisionConfig is its part about pictures.
type VisionConfig struct {
	Depth    int    `json:"depth"`
	Width    int    `json:"hidden_size"`
	Heads    int    `json:"num_heads"`
	Inner    int    `json:"intermediate_size"`
	Act      string `json:"hidden_act"`
	Out      int    `json:"out_hidden_size"`
	Patch    int    `json:"patch_size"`
	Merge    int    `json:"spatial_merge_size"` // so many patches each way become one token
	Frames   int    `json:"temporal_patch_size"`
	Channels *int   `json:"in_channels"`

	Window int   `json:"window_size"`           // pixels; Qwen2.5-VL
	Full   []int `json:"fullatt_block_indexes"` // blocks that do not look at windows only

	Positions int   `json:"num_position_embeddings"`  // Qwen3-VL
	Deep      []int `json:"deepstack_visual_indexes"` // blocks whose outputs the first blocks of the decoder see too
}

var renames = append(append([]checkpoint.Rename{
	{From: `^(model\.)?visual\.`, To: "vision."},
	{From: `^model\.(language_model\.)?`, To: "text."},
	{From: `^lm_head\.`, To: "text.head."},
	{From: `^vision\.patch_embed\.proj\.`, To: "vision.patch."},
	{From: `^vision\.pos_embed\.weight$`, To: "vision.pos"},
	{From: `\.attn\.proj\.`, To: ".attn.o."},
	{From: `\.mlp\.linear_fc1\.`, To: ".mlp.up."},
	{From: `\.mlp\.linear_fc2\.`, To: ".mlp.down."},
	{From: `^vision\.deepstack_merger_list\.`, To: "vision.deep."},
	{From: `^vision\.merger\.ln_q\.`, To: "vision.merger.norm."},
	{From: `\.(linear_fc1|merger\.mlp\.0)\.`, To: ".merger.up."},
	{From: `\.(linear_fc2|merger\.mlp\.2)\.`, To: ".merger.down."},
	{From: `^vision\.(merger|deep\.\d+)\.merger\.`, To: "vision.$1."},
}, model.DecoderRenames...), checkpoint.Rename{From: `^(.*)\.attn\.qkv\.(\w+)$`, To: "$1.attn.q.$2|$1.attn.k.$2|$1.attn.v.$2"})

// readConfig reads config.json over the defaults of its class.
func readConfig(f *model.Folder) (*Config, error) {
	c := &Config{Third: f.Class == classThree || f.Class == "" && f.Type == typeThree}
	no := false
	if c.Tied = &no; c.Third {
		c.Image = 151655
		c.Text = nn.DecoderConfig{Width: 4096, Layers: 32, Heads: 32, KVHeads: 32, HeadDim: 128, Inner: 22016, Act: "silu", Eps: 1e-6, Vocab: 151936, MaxLen: 128000, Theta: 5e6, QKNorm: true}
		c.Vision = VisionConfig{Depth: 27, Width: 1152, Heads: 16, Inner: 4304, Act: "gelu_pytorch_tanh", Out: 3584, Patch: 16, Merge: 2, Frames: 2, Positions: 2304, Deep: []int{8, 16, 24}}
	} else {
		c.Image = 151655
		c.Text = nn.DecoderConfig{Width: 8192, Layers: 80, Heads: 64, KVHeads: 8, Inner: 29568, Act: "silu", Eps: 1e-5, Vocab: 152064, MaxLen: 32768, Theta: 1e6, QKVBias: true}
		c.Vision = VisionConfig{Depth: 32, Width: 3584, Heads: 16, Inner: 3420, Act: "silu", Out: 3584, Patch: 14, Merge: 2, Frames: 2, Window: 112, Full: []int{7, 15, 23, 31}}
	}
	var top struct {
		Text json.RawMessage `json:"text_config"`
	}
	if err := f.Config(&top); err != nil {
		return nil, err
	}
	if err := f.Config(c); err != nil {
		return nil, err
	}
	var err error
	if top.Text == nil {
		err = f.Config(&c.Text)
	} else {
		err = json.Unmarshal(top.Text, &c.Text)
	}
	if err != nil {
		return nil, fmt.Errorf("config.json: text_config: %w", err)
	}
	c.Text.Tied = c.Tied != nil && *c.Tied
	if c.Image < 0 || int(c.Image) >= c.Text.Vocab {
		return nil, fmt.Errorf("qwen: image_token_id %d is not within vocab_size %d", c.Image, c.Text.Vocab)
	}
	if c.Vision.Out != c.Text.Width {
		return nil, fmt.Errorf("qwen: out_hidden_size %d of pictures is not hidden_size %d of words", c.Vision.Out, c.Text.Width)
	}
	return c, c.Vision.check(c.Third)
}

// check names the first field that cannot work.
func (v *VisionConfig) check(third bool) error {
	for _, f := range []struct {
		name       string
		v, lo, max int
	}{
		{"depth", v.Depth, 1, 512}, {"hidden_size", v.Width, 4, 1 << 15}, {"num_heads", v.Heads, 1, 1 << 10}, {"intermediate_size", v.Inner, 1, 1 << 18},
		{"patch_size", v.Patch, 1, 1 << 8}, {"spatial_merge_size", v.Merge, 1, 16}, {"temporal_patch_size", v.Frames, 1, 16},
	} {
		if f.v < f.lo || f.v > f.max {
			return fmt.Errorf("qwen: %s %d of pictures is not within %d … %d", f.name, f.v, f.lo, f.max)
		}
	}
	if v.Width%v.Heads != 0 || v.Width/v.Heads%4 != 0 {
		return fmt.Errorf("qwen: hidden_size %d does not divide into num_heads %d of a multiple of four features", v.Width, v.Heads)
	}
	if v.Channels != nil && *v.Channels != 3 {
		return fmt.Errorf("qwen: in_channels %d, want 3", *v.Channels)
	}
	if _, err := nn.Activation(v.Act); err != nil {
		return err
	}
	if !third {
		if v.Window/v.Merge/v.Patch < 1 || v.Window > 1<<16 {
			return fmt.Errorf("qwen: window_size %d is less than a token, or more than %d", v.Window, 1<<16)
		}
		return nil
	}
	if side := root(v.Positions); v.Positions < 1 || v.Positions > 1<<20 || side*side != v.Positions {
		return fmt.Errorf("qwen: num_position_embeddings %d is not a square within 1 … %d", v.Positions, 1<<20)
	}
	for _, i := range v.Deep {
		if i < 0 || i >= v.Depth {
			return fmt.Errorf("qwen: deepstack_visual_indexes %v are not within depth %d", v.Deep, v.Depth)
		}
	}
	return nil
}
