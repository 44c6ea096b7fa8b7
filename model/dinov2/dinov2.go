// Package dinov2 runs published DINOv2 vision transformers (Oquab et al. 2023), with registers (Darcet et al. 2024) or
// without: vectors of pictures, or recognition among a list of classes.
package dinov2

import (
	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
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
	nn.DinoConfig
	Labels model.Labels `json:"id2label"`
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	c := Config{
		VisionConfig: nn.VisionConfig{
			EncoderConfig: nn.EncoderConfig{Width: 768, Layers: 12, Heads: 12, Act: "gelu", Eps: 1e-6, QKVBias: true, Final: true, Scaled: true},
			Image:         nn.Size{224, 224}, Patch: nn.Size{14, 14}, Channels: 3,
			ClassToken: true, PatchBias: true, Batched: true, Filter: imageproc.Bicubic,
		},
		DinoConfig: nn.DinoConfig{MLPRatio: 4}, Labels: model.Labels{"LABEL_0", "LABEL_1"},
	}
	registers := f.Type == "dinov2_with_registers"
	if registers {
		c.RegisterTokens, c.Patch, c.Antialias = 4, nn.Size{16, 16}, true
	}
	err := f.Config(&c)
	if err == nil {
		err = c.Settle(&c.VisionConfig)
	}
	if err != nil {
		return nil, err
	}
	if !registers {
		c.Registers = 0
	}
	r := model.RecogniserConfig{Vision: c.VisionConfig, Labels: c.Labels, Processor: "Bit", Read: read}
	if f.Class != "Dinov2Model" && f.Class != "Dinov2WithRegistersModel" {
		r.Head = 2 * c.Width
	}
	return f.NewRecogniser(r)
}

// read takes the class token, which is the vector; names are read off it and the mean of the patches.
func read(r *model.Recogniser, h *autograd.Value, pictures int) *autograd.Value {
	cls := nn.RowsOfEach(h, pictures, 0, 1)
	if r.Head == nil {
		return cls
	}
	first, n := 1+r.Vision.Config.Registers, h.Shape.Rows()/pictures
	return ops.Join(cls, ops.MeanRows(nn.RowsOfEach(h, pictures, first, n), n-first))
}
