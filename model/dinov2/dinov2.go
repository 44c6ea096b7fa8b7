// Package dinov2 runs published DINOv2 vision transformers (Oquab et al. 2023), with registers (Darcet et al. 2024) or
// without: vectors of pictures, or recognition among a list of classes.
package dinov2

import (
	"fmt"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
)

var renames = append([]checkpoint.Rename{
	{From: `^dinov2(_with_registers)?\.`, To: "vision."},
	{From: `^(embeddings|encoder|layers|layernorm)\.`, To: "vision.$1."}, // of a Dinov2Model by itself
	{From: `^vision\.layernorm\.`, To: "vision.encoder.norm."},
}, model.EncoderRenames...)

// Family is facebook/dinov2-* and its kin.
var Family = model.Family{
	Name: "dinov2", Architectures: []string{"Dinov2ForImageClassification", "Dinov2Model"}, New: New, Renames: renames,
}

// WithRegisters is facebook/dinov2-with-registers-* and its kin.
var WithRegisters = model.Family{
	Name:          "dinov2_with_registers",
	Architectures: []string{"Dinov2WithRegistersForImageClassification", "Dinov2WithRegistersModel"}, New: New, Renames: renames,
}

// Config is a config.json.
type Config struct {
	nn.VisionConfig
	Labels         model.Labels `json:"id2label"`
	MLPRatio       int          `json:"mlp_ratio"`
	SwiGLU         bool         `json:"use_swiglu_ffn"`
	RegisterTokens int          `json:"num_register_tokens"`
}

// Model is a DINOv2 with the head that its class has.
type Model struct {
	Config Config
	Vision *nn.Vision `weight:"vision"`
	Head   *nn.Dense  `weight:"classifier"` // of a class ForImageClassification

	name, class string
	pixels      *imageproc.Processor
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	m := &Model{name: f.Name, class: f.Class, Config: Config{
		VisionConfig: nn.VisionConfig{
			EncoderConfig: nn.EncoderConfig{Width: 768, Layers: 12, Heads: 12, Act: "gelu", Eps: 1e-6, QKVBias: true, Final: true, Scaled: true},
			Image:         nn.Size{224, 224}, Patch: nn.Size{14, 14}, Channels: 3,
			ClassToken: true, PatchBias: true, Batched: true, Filter: imageproc.Bicubic,
		},
		MLPRatio: 4, Labels: model.Labels{"LABEL_0", "LABEL_1"},
	}}
	registers := f.Type == "dinov2_with_registers"
	if registers {
		m.Config.RegisterTokens, m.Config.Patch, m.Config.Antialias = 4, nn.Size{16, 16}, true
	}
	err := f.Config(&m.Config)
	if err != nil {
		return nil, err
	}
	c := &m.Config
	if c.MLPRatio < 1 || c.MLPRatio > 64 {
		return nil, fmt.Errorf("dinov2: mlp_ratio %d is not within 1 … 64", c.MLPRatio)
	}
	c.Inner = c.Width * c.MLPRatio
	if c.Gated = c.SwiGLU; c.Gated {
		c.Inner = (c.Inner*2/3 + 7) / 8 * 8
	}
	if registers {
		c.Registers = c.RegisterTokens
	}
	if m.Vision, err = nn.NewVision(c.VisionConfig); err != nil {
		return nil, err
	}
	if f.Class != "Dinov2Model" && f.Class != "Dinov2WithRegistersModel" {
		m.Head = nn.BlankDense(2*c.Width, len(c.Labels), true)
	}
	m.pixels, err = f.Processor("Bit")
	return m, err
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	c := model.Card{Name: m.name, Family: m.class, Parameters: model.Parameters(m), Size: max(m.Config.Image[0], m.Config.Image[1])}
	if m.Head != nil {
		c.Tasks, c.Classes = task.SetOf(task.Classify), m.Config.Labels
	} else {
		c.Tasks, c.Embed, c.PicturesOnly = task.SetOf(task.Match), m.Config.Width, true
	}
	return c
}

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewLooker(m, threads, func(out model.Outputs, _ *imageproc.RGB) model.View {
		return model.Recognise(out, m.Config.Labels)
	})
}

// Process implements model.Network.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	_, err := in.PutPictures(m.pixels, s.Pictures, m.Config.CheckPicture)
	if err != nil {
		return nil, fmt.Errorf("dinov2: %w", err)
	}
	return in, nil
}

// Run implements model.Network: pixel_values give logits, of the class token and the mean of the patches, or
// pooler_output, the class token.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out, x := model.Outputs{}, in.Value(t, "pixel_values")
	h := m.Vision.Forward(&nn.Pass{Tap: out.Tap("vision")}, x)
	out["vision.norm"] = h
	b := x.Shape[0]
	cls := nn.RowsOfEach(h, b, 0, 1)
	if m.Head == nil {
		out["pooler_output"] = cls
		out["vector"] = cls
		return out
	}
	first, n := 1+m.Config.Registers, h.Shape.Rows()/b
	mean := ops.MeanRows(nn.RowsOfEach(h, b, first, n), n-first)
	out["logits"] = m.Head.Forward(ops.Join(cls, mean))
	return out
}
