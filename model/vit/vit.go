// Package vit runs published Vision Transformers (Dosovitskiy et al. 2021): recognition among a list of classes, or
// vectors of pictures.
package vit

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

// Family is google/vit-* and its kin.
var Family = model.Family{
	Name:          "vit",
	Architectures: []string{"ViTForImageClassification", "ViTModel"},
	New:           New,
	Renames: append([]checkpoint.Rename{
		{From: `^vit\.`, To: "vision."},
		{From: `^(embeddings|encoder|layers|layernorm|pooler)\.`, To: "vision.$1."}, // of a ViTModel by itself
		{From: `^vision\.layernorm\.`, To: "vision.encoder.norm."},
		{From: `^vision\.pooler\.dense\.`, To: "pooler."},
	}, model.EncoderRenames...),
}

// Config is a config.json.
type Config struct {
	nn.VisionConfig
	Labels model.Labels `json:"id2label"`
}

// Model is a Vision Transformer with the head that its class has.
type Model struct {
	Config Config
	Vision *nn.Vision `weight:"vision"`
	Head   *nn.Dense  `weight:"classifier"` // of a ViTForImageClassification
	Pooler *nn.Dense  `weight:"pooler"`     // of a ViTModel

	name, class string
	pixels      *imageproc.Processor
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	m := &Model{name: f.Name, class: f.Class, Config: Config{
		VisionConfig: nn.VisionConfig{
			EncoderConfig: nn.EncoderConfig{Width: 768, Layers: 12, Heads: 12, Inner: 3072, Act: "gelu", Eps: 1e-12, QKVBias: true, Final: true},
			Image:         nn.Size{224, 224}, Patch: nn.Size{16, 16}, Channels: 3,
			ClassToken: true, PatchBias: true, Batched: true, Filter: imageproc.Bicubic,
		},
		Labels: model.Labels{"LABEL_0", "LABEL_1"},
	}}
	err := f.Config(&m.Config)
	if err != nil {
		return nil, err
	}
	if m.Vision, err = nn.NewVision(m.Config.VisionConfig); err != nil {
		return nil, err
	}
	if d := m.Config.Width; f.Class == "ViTModel" {
		m.Pooler = nn.BlankDense(d, d, true)
	} else {
		m.Head = nn.BlankDense(d, len(m.Config.Labels), true)
	}
	m.pixels, err = f.Processor("ViT")
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
		return nil, fmt.Errorf("vit: %w", err)
	}
	return in, nil
}

// Run implements model.Network: pixel_values give logits or pooler_output, the answer of the class token.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out, x := model.Outputs{}, in.Value(t, "pixel_values")
	h := m.Vision.Forward(&nn.Pass{Tap: out.Tap("vision")}, x)
	out["vision.norm"] = h
	cls := nn.RowsOfEach(h, x.Shape[0], 0, 1)
	if m.Pooler != nil {
		out["pooler_output"] = ops.Tanh(m.Pooler.Forward(cls))
		out["vector"] = out["pooler_output"]
	} else {
		out["logits"] = m.Head.Forward(cls)
	}
	return out
}
