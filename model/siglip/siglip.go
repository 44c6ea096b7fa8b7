// Package siglip runs published SigLIP (Zhai et al. 2023) and SigLIP 2 models (Tschannen et al. 2025), the latter also for
// pictures in their own shape (NaFlex): vectors of pictures and texts in one space, and with them recognition among any
// names.
package siglip

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
	"fovea/tokenizer"
)

var renames = append([]checkpoint.Rename{
	{From: `^text_model\.head\.`, To: "text_head."},
	{From: `^vision_model\.head\.`, To: "pool."},
	{From: `^pool\.layernorm\.`, To: "pool.norm."},
	{From: `^vision_model\.post_layernorm\.`, To: "vision.encoder.norm."},
}, model.DualRenames...)

// Family is google/siglip-* and google/siglip2-* of one size.
var Family = model.Family{Name: "siglip", Architectures: []string{"SiglipModel"}, New: New, Renames: renames}

// NaFlex is google/siglip2-*-naflex.
var NaFlex = model.Family{Name: "siglip2", Architectures: []string{"Siglip2Model"}, New: New, Renames: renames}

// Config is a config.json.
type Config struct {
	Text   TextConfig   `json:"text_config"`
	Vision VisionConfig `json:"vision_config"`
}

// TextConfig is its part about texts.
type TextConfig struct {
	nn.TextConfig
	Projection int `json:"projection_size"` // 0: hidden_size
}

// VisionConfig is its part about pictures.
type VisionConfig struct {
	nn.VisionConfig
	Patches int `json:"num_patches"` // of NaFlex: rows of the table of positions
}

// Model is a SigLIP with its tokenizer.
type Model struct {
	Config   Config
	Vision   *nn.Vision        `weight:"vision"`
	Flex     *Flex             `weight:"vision"` // in its place
	Pool     *nn.AttentionPool `weight:"pool"`
	Text     *nn.Text          `weight:"text"`
	TextHead *nn.Dense         `weight:"text_head"`
	LogScale *autograd.Param   `weight:"logit_scale"` // [1]
	Bias     *autograd.Param   `weight:"logit_bias"`  // [1]

	name, class string
	pixels      *imageproc.Processor
	words       tokenizer.Tokenizer
	end, pad    int32
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	enc := nn.EncoderConfig{Width: 768, Layers: 12, Heads: 12, Inner: 3072, Act: "gelu_pytorch_tanh", Eps: 1e-6, QKVBias: true, Final: true}
	m := &Model{name: f.Name, class: f.Class, Config: Config{
		Text: TextConfig{TextConfig: nn.TextConfig{EncoderConfig: enc, Vocab: 32000, MaxLen: 64}},
		Vision: VisionConfig{Patches: 256, VisionConfig: nn.VisionConfig{
			EncoderConfig: enc, Image: nn.Size{224, 224}, Patch: nn.Size{16, 16}, Channels: 3, PatchBias: true, Filter: imageproc.Bicubic,
		}},
	}}
	c := &m.Config
	err := f.Config(c)
	if err != nil {
		return nil, err
	}
	if c.Text.Projection == 0 {
		c.Text.Projection = c.Text.Width
	}
	if f.Class == "Siglip2Model" || f.Type == "siglip2" {
		m.Flex, err = NewFlex(&c.Vision)
	} else {
		m.Vision, err = nn.NewVision(c.Vision.VisionConfig)
	}
	if err != nil {
		return nil, err
	}
	if m.Text, err = nn.NewText(c.Text.TextConfig); err != nil {
		return nil, err
	}
	if c.Text.Projection != c.Vision.Width {
		return nil, fmt.Errorf("siglip: texts have %d numbers (projection_size), pictures %d (hidden_size)", c.Text.Projection, c.Vision.Width)
	}
	m.Pool = nn.NewAttentionPool(c.Vision.EncoderConfig)
	m.TextHead = nn.BlankDense(c.Text.Width, c.Text.Projection, true)
	m.LogScale, m.Bias = nn.Blank(autograd.Vector, 1), nn.Blank(autograd.Vector, 1)
	if err := m.read(f); err != nil {
		return nil, err
	}
	if m.pixels, err = f.Processor("Siglip"); err == nil && m.Flex != nil && (m.pixels.MaxPatches < 1 || m.pixels.Patch != c.Vision.Patch[0] || m.pixels.MaxPatches > nn.MaxTokens) {
		err = fmt.Errorf("siglip: preprocessor_config.json gives %d patches of %d pixels, the model takes up to %d of %d", m.pixels.MaxPatches, m.pixels.Patch, nn.MaxTokens, c.Vision.Patch[0])
	}
	return m, err
}

// read finds the tokenizer and the pieces that end and fill up a text: SigLIP 2 has <eos> and <pad>, SigLIP </s> for both,
// though it knows a <pad>.
func (m *Model) read(f *model.Folder) error {
	tok, err := f.Tokenizer(m.Config.Text.Vocab)
	if err != nil {
		return err
	}
	m.words = tok
	for _, pair := range [][2]string{{"<eos>", "<pad>"}, {"</s>", "</s>"}} {
		end, ok := tok.Token(pair[0])
		pad, has := tok.Token(pair[1])
		if ok && has {
			m.end, m.pad = end, pad
			return nil
		}
	}
	return fmt.Errorf("siglip: the tokenizer has neither <eos> and <pad> nor </s>")
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: m.class, Tasks: task.SetOf(task.Classify, task.Match), OpenVocabulary: true,
		Parameters: model.Parameters(m), Size: m.Config.Vision.Image[0], Embed: m.Config.Vision.Width,
	}
}

// scale is what dot products are multiplied by.
func (m *Model) scale() float32 { return float32(math.Exp(float64(m.LogScale.Data[0]))) }

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner { return model.NewMatcher(m, threads, m.scale()) }

// Trunk implements model.Encoder.
func (m *Model) Trunk() (model.Trunk, error) {
	if m.Flex != nil {
		return model.Trunk{}, errors.New("siglip: a NaFlex encoder has no fixed grid of patches that a joint model could take over")
	}
	return model.Trunk{Vision: m.Vision, Pixels: m.pixels}, nil
}

// Process implements model.Network. Texts are in lower case, end, and are filled up: the last place is where they are read.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	if s.Pictures != nil && m.Flex != nil {
		if err := m.Flex.process(in, m.pixels, s.Pictures); err != nil {
			return nil, fmt.Errorf("siglip: %w", err)
		}
	} else if s.Pictures != nil {
		if _, err := in.PutPictures(m.pixels, s.Pictures, m.Config.Vision.CheckPicture); err != nil {
			return nil, fmt.Errorf("siglip: %w", err)
		}
	}
	if s.Texts != nil {
		n, rows := m.Config.Text.MaxLen, []float32{}
		for _, text := range s.Texts {
			ids := model.Cut(append(m.words.Encode(strings.ToLower(text)), m.end), n)
			for i := range n {
				id := m.pad
				if i < len(ids) {
					id = ids[i]
				}
				rows = append(rows, float32(id))
			}
		}
		in.Put("input_ids", rows, len(s.Texts), n)
	}
	return in, nil
}

// Run implements model.Network: pixel_values give image_embeds, input_ids give text_embeds, both together logits.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out := model.Outputs{}
	if x := in.Value(t, "pixel_values"); x != nil {
		p := &nn.Pass{Tap: out.Tap("vision")}
		var h *autograd.Value
		var lens []int
		if m.Flex != nil {
			out.Mask(t, "vision", in["pixel_attention_mask"])
			h, lens = m.Flex.Forward(p, x, in["spatial_shapes"])
		} else {
			h = m.Vision.Forward(p, x)
			for range x.Shape[0] {
				lens = append(lens, h.Shape[0]/x.Shape[0])
			}
		}
		out["vision.post_norm"] = h
		out["vision_pooled"] = m.Pool.Forward(p, h, lens)
		out["image_embeds"] = ops.Normalize(out["vision_pooled"])
	}
	if ids := in.Texts(); ids != nil {
		out["text.final_norm"] = m.Text.Forward(t, &nn.Pass{Tap: out.Tap("text")}, ids)
		out["text_pooled"] = m.TextHead.Forward(ops.Gather(t, nn.Ends(ids), out["text.final_norm"]))
		out["text_embeds"] = ops.Normalize(out["text_pooled"])
	}
	if i, x := out["image_embeds"], out["text_embeds"]; i != nil && x != nil {
		bias := t.New(false, x.Shape[0])
		for j := range bias.Data {
			bias.Data[j] = m.Bias.Data[0]
		}
		out["logits_per_image"] = ops.Add(ops.Scale(ops.Linear(i, x, nil), m.scale()), bias)
	}
	return out
}
