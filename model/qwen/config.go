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
	Text   nn.DecoderConfig      `json:"-"`
	Vision nn.RotaryVisionConfig `json:"vision_config"`
	Image  int32                 `json:"image_token_id"`
	Tied   *bool                 `json:"tie_word_embeddings"`
	Third  bool                  `json:"-"` // Qwen3-VL
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
		c.Vision = nn.RotaryVisionConfig{Depth: 27, Width: 1152, Heads: 16, Inner: 4304, Act: "gelu_pytorch_tanh", Out: 3584, Patch: 16, Merge: 2, Frames: 2, Positions: 2304, Deep: []int{8, 16, 24}}
	} else {
		c.Image = 151655
		c.Text = nn.DecoderConfig{Width: 8192, Layers: 80, Heads: 64, KVHeads: 8, Inner: 29568, Act: "silu", Eps: 1e-5, Vocab: 152064, MaxLen: 32768, Theta: 1e6, QKVBias: true}
		c.Vision = nn.RotaryVisionConfig{Depth: 32, Width: 3584, Heads: 16, Inner: 3420, Act: "silu", Out: 3584, Patch: 14, Merge: 2, Frames: 2, Window: 112, Full: []int{7, 15, 23, 31}}
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
	return c, c.Vision.Check(c.Third)
}
