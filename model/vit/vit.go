// Package vit runs published Vision Transformers (Dosovitskiy et al. 2021): recognition among a list of classes, or
// vectors of pictures.
package vit

import (
	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
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

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	c := Config{
		VisionConfig: nn.VisionConfig{
			EncoderConfig: nn.EncoderConfig{Width: 768, Layers: 12, Heads: 12, Inner: 3072, Act: "gelu", Eps: 1e-12, QKVBias: true, Final: true},
			Image:         nn.Size{224, 224}, Patch: nn.Size{16, 16}, Channels: 3,
			ClassToken: true, PatchBias: true, Batched: true, Filter: imageproc.Bicubic,
		},
		Labels: model.Labels{"LABEL_0", "LABEL_1"},
	}
	if err := f.Config(&c); err != nil {
		return nil, err
	}
	r := model.RecogniserConfig{Vision: c.VisionConfig, Labels: c.Labels, Processor: "ViT", Read: read}
	if f.Class != "ViTModel" {
		r.Head = c.Width
	}
	m, err := f.NewRecogniser(r)
	if err == nil && m.Head == nil {
		m.Pooler = nn.BlankDense(c.Width, c.Width, true)
	}
	return m, err
}

// read takes the class token.
func read(r *model.Recogniser, h *autograd.Value, pictures int) *autograd.Value {
	cls := nn.RowsOfEach(h, pictures, 0, 1)
	if r.Pooler == nil {
		return cls
	}
	return ops.Tanh(r.Pooler.Forward(cls))
}
