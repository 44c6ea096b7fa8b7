package nn

import (
	"encoding/json"
	"fmt"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/ops"
)

// DualConfig sizes CLIP and the networks that are built on it, under the names of its config.json.
type DualConfig struct {
	Text       TextConfig      `json:"text_config"`
	Vision     VisionConfig    `json:"vision_config"`
	Projection int             `json:"projection_dim"`
	TextDict   json.RawMessage `json:"text_config_dict"` // in older files, what counts
	VisionDict json.RawMessage `json:"vision_config_dict"`
}

// NewDualConfig holds the defaults of CLIP.
func NewDualConfig() DualConfig {
	return DualConfig{
		Text: TextConfig{
			EncoderConfig: EncoderConfig{Width: 512, Layers: 12, Heads: 8, Inner: 2048, Act: "quick_gelu", Eps: 1e-5, QKVBias: true, Final: true},
			Vocab:         49408, MaxLen: 77, EOS: 49407, Causal: true,
		},
		Vision: VisionConfig{
			EncoderConfig: EncoderConfig{Width: 768, Layers: 12, Heads: 12, Inner: 3072, Act: "quick_gelu", Eps: 1e-5, QKVBias: true},
			Image:         Size{224, 224}, Patch: Size{32, 32}, Channels: 3, ClassToken: true, PreNorm: true, Filter: imageproc.Bicubic,
		},
		Projection: 512,
	}
}

// Settle decodes what older files hold beside the current fields; fresh is the defaults.
func (c *DualConfig) Settle(fresh DualConfig) error {
	if len(c.TextDict) > 0 && string(c.TextDict) != "null" {
		c.Text = fresh.Text
		if err := json.Unmarshal(c.TextDict, &c.Text); err != nil {
			return fmt.Errorf("text_config_dict: %w", err)
		}
	}
	if len(c.VisionDict) > 0 && string(c.VisionDict) != "null" {
		c.Vision = fresh.Vision
		if err := json.Unmarshal(c.VisionDict, &c.Vision); err != nil {
			return fmt.Errorf("vision_config_dict: %w", err)
		}
	}
	if c.Projection < 1 || c.Projection > 1<<15 {
		return fmt.Errorf("projection_dim %d is not within 1 … %d", c.Projection, 1<<15)
	}
	return nil
}

// Dual is CLIP (Radford et al. 2021): a picture's class token and a text's last token are projected into one space.
type Dual struct {
	Config   DualConfig
	Vision   *Vision         `weight:"vision"`
	Post     *LayerNorm      `weight:"post"`              // of the class token
	ToImage  *Dense          `weight:"visual_projection"` // [E, D]
	Text     *Text           `weight:"text"`
	ToText   *Dense          `weight:"text_projection"` // [E, D]
	LogScale *autograd.Param `weight:"logit_scale"`     // []
}

// NewDual makes a blank network.
func NewDual(c DualConfig) (*Dual, error) {
	v, err := NewVision(c.Vision)
	if err != nil {
		return nil, err
	}
	x, err := NewText(c.Text)
	if err != nil {
		return nil, err
	}
	return &Dual{
		Config: c, Vision: v, Text: x, Post: BlankNorm(c.Vision.Width, c.Vision.Eps), LogScale: Blank(autograd.Vector),
		ToImage: BlankDense(c.Vision.Width, c.Projection, false), ToText: BlankDense(c.Text.Width, c.Projection, false),
	}, nil
}

// ClassToken is the first of each picture's tokens, normed.
func (m *Dual) ClassToken(h *Value, pictures int) *Value {
	return m.Post.Forward(RowsOfEach(h, pictures, 0, 1))
}

// TextEnd is where a text is read: at its first end token, or, for files that do not know it (they say 2), at its largest
// id, which is the end token too.
func (m *Dual) TextEnd(ids []int32) int {
	best := 0
	for i, id := range ids {
		switch {
		case m.Config.Text.EOS != 2 && id == m.Config.Text.EOS:
			return i
		case m.Config.Text.EOS == 2 && id > ids[best]:
			best = i
		}
	}
	return best
}

// Texts projects texts, whose rows h are those of Text.Forward, into the joint space: [N, E], not normalised.
func (m *Dual) Texts(h *Value, ids [][]int32) *Value {
	refs, at := make([]ops.Ref, len(ids)), 0
	for i, text := range ids {
		refs[i].Row = int32(at + m.TextEnd(text))
		at += len(text)
	}
	return m.ToText.Forward(ops.Gather(h.Tape(), refs, h))
}
