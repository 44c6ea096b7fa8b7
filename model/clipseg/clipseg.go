// Package clipseg runs published CLIPSeg models (Lüddecke & Ecker 2022): which pixels of a picture a text, or another
// picture, is about.
package clipseg

import (
	"fmt"
	"slices"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
	"fovea/tokenizer"
)

// Family is CIDAS/clipseg-* and its kin.
var Family = model.Family{
	Name: "clipseg", Architectures: []string{"CLIPSegForImageSegmentation"}, New: New,
	Renames: append([]checkpoint.Rename{{From: `^decoder\.transposed_convolution\.(weight|bias)$`, To: "decoder.up.0.$1"}, {From: `^decoder\.transposed_convolution\.`, To: "decoder.up."}}, model.DualRenames...),
}

// Config is a config.json.
type Config struct {
	nn.DualConfig
	Extract []int `json:"extract_layers"` // the decoder looks at what follows these layers
	Reduce  int   `json:"reduce_dim"`
	Heads   int   `json:"decoder_num_attention_heads"`
	Inner   int   `json:"decoder_intermediate_size"`
	Film    int   `json:"conditional_layer"` // the decoder's layer at which the condition comes in
	Complex bool  `json:"use_complex_transposed_convolution"`
}

// Model is a CLIPSeg with its tokenizer.
type Model struct {
	Config  Config
	CLIP    *nn.Dual `weight:"clip"`
	Decoder *Decoder `weight:"decoder"`

	name   string
	pixels *imageproc.Processor
	words  tokenizer.Tokenizer
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	m := &Model{name: f.Name, Config: Config{DualConfig: nn.NewDualConfig(), Extract: []int{3, 6, 9}, Reduce: 64, Heads: 4, Inner: 2048}}
	c := &m.Config
	err := f.Config(c)
	if err == nil {
		err = c.Settle(nn.NewDualConfig())
	}
	if err != nil {
		return nil, err
	}
	if m.CLIP, err = nn.NewDual(c.DualConfig); err != nil {
		return nil, err
	}
	if m.Decoder, err = newDecoder(c); err != nil {
		return nil, err
	}
	if m.words, err = f.Tokenizer(c.Text.Vocab); err != nil {
		return nil, err
	}
	if m.pixels, err = f.Processor("ViT"); err == nil && (m.pixels.Height < 1 || m.pixels.Height != m.pixels.Width || m.pixels.CropHeight > 0) {
		err = fmt.Errorf("clipseg: preprocessor_config.json resizes to %d × %d pixels, want a square", m.pixels.Width, m.pixels.Height)
	}
	return m, err
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: "CLIPSegForImageSegmentation", Tasks: task.SetOf(task.Segment), OpenVocabulary: true,
		Parameters: model.Parameters(m), Size: m.pixels.Height,
	}
}

// Process implements model.Network.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	if s.Pictures != nil {
		if _, err := in.PutPictures(m.pixels, s.Pictures, m.CLIP.Config.Vision.CheckPicture); err != nil {
			return nil, fmt.Errorf("clipseg: %w", err)
		}
	}
	in.PutWords(s.Texts, m.words, m.CLIP.Config.Text.MaxLen, m.CLIP.Config.Text.EOS, 0)
	return in, nil
}

// Run implements model.Network: pixel_values and input_ids, a text for each picture, give logits [B, S, S], and
// conditional_pixel_values, a picture for each of the first pictures, logits_visual_prompt.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out, x, ids := model.Outputs{}, in.Value(t, "pixel_values"), in.Texts()
	var seen []*autograd.Value
	if x != nil {
		seen = m.see(out, x)
	}
	if ids != nil {
		out["conditional_embeddings"] = m.read(t, out, in, ids)
	}
	if x != nil && ids != nil {
		out["logits"] = m.Decoder.Forward(seen, out["conditional_embeddings"], out.Tap("decoder"))
	}
	if y := in.Value(t, "conditional_pixel_values"); x != nil && y != nil {
		p := model.Outputs{}
		m.see(p, y)
		n := seen[0].Shape.Rows() / x.Shape[0]
		first := make([]*autograd.Value, len(seen))
		for i, s := range seen {
			first[i] = ops.Slice(s, 0, y.Shape[0]*n)
		}
		out["logits_visual_prompt"] = m.Decoder.Forward(first, p["pooled_output"], nil)
	}
	return out
}

// see gives what follows the layers that the decoder looks at, deepest first: [B·T, D] each.
func (m *Model) see(out model.Outputs, x *autograd.Value) []*autograd.Value {
	h := m.CLIP.Vision.Forward(&nn.Pass{Tap: out.Tap("vision")}, x)
	out["vision.post_norm"] = m.CLIP.ClassToken(h, x.Shape[0])
	out["pooled_output"] = m.CLIP.ToImage.Forward(out["vision.post_norm"])
	var seen []*autograd.Value
	for _, i := range slices.Backward(m.Config.Extract) {
		seen = append(seen, out[fmt.Sprintf("vision.hidden.%d", i+1)])
	}
	return seen
}

// read gives the vectors of texts, [N, E].
func (m *Model) read(t *autograd.Tape, out model.Outputs, in model.Inputs, ids [][]int32) *autograd.Value {
	out.Mask(t, "text", in["attention_mask"])
	return m.CLIP.Texts(m.CLIP.Text.Forward(t, &nn.Pass{Tap: out.Tap("text")}, ids), ids)
}
