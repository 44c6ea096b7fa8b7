// Package clip runs published CLIP models (Radford et al. 2021): vectors of pictures and texts in one space, and with them
// recognition among any names.
package clip

import (
	"fmt"
	"math"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
	"fovea/tokenizer"
)

// Family is openai/clip-* and its kin.
var Family = model.Family{
	Name: "clip", Architectures: []string{"CLIPModel"}, New: New, Renames: model.DualRenames,
}

// Model is CLIP with its tokenizer.
type Model struct {
	*nn.Dual `weight:""`

	name   string
	pixels *imageproc.Processor
	words  tokenizer.Tokenizer
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	c := nn.NewDualConfig()
	err := f.Config(&c)
	if err == nil {
		err = c.Settle(nn.NewDualConfig())
	}
	if err != nil {
		return nil, err
	}
	m := &Model{name: f.Name}
	if m.Dual, err = nn.NewDual(c); err != nil {
		return nil, err
	}
	if m.words, err = f.Tokenizer(c.Text.Vocab); err != nil {
		return nil, err
	}
	m.pixels, err = f.Processor("CLIP")
	return m, err
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: "CLIPModel", Tasks: task.SetOf(task.Classify, task.Match), OpenVocabulary: true,
		Parameters: model.Parameters(m), Size: m.Config.Vision.Image[0], Embed: m.Config.Projection,
	}
}

// scale is what dot products are multiplied by.
func (m *Model) scale() float32 { return float32(math.Exp(float64(m.LogScale.Data[0]))) }

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner { return model.NewMatcher(m, threads, m.scale()) }

// Trunk implements model.Encoder.
func (m *Model) Trunk() (model.Trunk, error) {
	return model.Trunk{Vision: m.Vision, Post: m.Post, Pixels: m.pixels}, nil
}

// Process implements model.Network.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	if s.Pictures != nil {
		if _, err := in.PutPictures(m.pixels, s.Pictures, m.Config.Vision.CheckPicture); err != nil {
			return nil, fmt.Errorf("clip: %w", err)
		}
	}
	in.PutWords(s.Texts, m.words, m.Config.Text.MaxLen, m.Config.Text.EOS, 0)
	return in, nil
}

// Run implements model.Network: pixel_values give image_embeds, input_ids give text_embeds, both together logits.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out := model.Outputs{}
	if x := in.Value(t, "pixel_values"); x != nil {
		h := m.Vision.Forward(&nn.Pass{Tap: out.Tap("vision")}, x)
		out["vision.pre_norm"] = out["vision.hidden.0"]
		out["vision.post_norm"] = m.ClassToken(h, x.Shape[0])
		out["vision_pooled"] = m.ToImage.Forward(out["vision.post_norm"])
		out["image_embeds"] = ops.Normalize(out["vision_pooled"])
	}
	if ids := in.Texts(); ids != nil {
		out.Mask(t, "text", in["attention_mask"])
		out["text.final_norm"] = m.Text.Forward(t, &nn.Pass{Tap: out.Tap("text")}, ids)
		out["text_pooled"] = m.Texts(out["text.final_norm"], ids)
		out["text_embeds"] = ops.Normalize(out["text_pooled"])
	}
	if i, x := out["image_embeds"], out["text_embeds"]; i != nil && x != nil {
		out["logits_per_image"] = ops.Scale(ops.Linear(i, x, nil), m.scale())
		out["logits_per_text"] = ops.Scale(ops.Linear(x, i, nil), m.scale())
	}
	return out
}
