// Package yolos runs published YOLOS models (Fang et al. 2021): a vision transformer whose last tokens each answer with
// one object of a list of classes, or with none.
package yolos

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

// Family is hustvl/yolos-* and its kin.
var Family = model.Family{
	Name: "yolos", Architectures: []string{"YolosForObjectDetection"}, New: New,
	Renames: append([]checkpoint.Rename{
		{From: `^(class_labels_classifier|bbox_predictor)\.layers\.`, To: "$1."},
		{From: `^vit\.encoder\.(interpolation\.)?mid_position_embeddings$`, To: "mid"},
		{From: `^vit\.`, To: "vision."},
		{From: `^vision\.layernorm\.`, To: "vision.encoder.norm."},
	}, model.EncoderRenames...),
}

// Config is a config.json.
type Config struct {
	nn.VisionConfig
	Labels model.Labels `json:"id2label"`
	Tokens int          `json:"num_detection_tokens"`
	Mid    bool         `json:"use_mid_position_embeddings"`
}

// Model is a YOLOS.
type Model struct {
	Config Config
	Vision *nn.Vision      `weight:"vision"`
	Mid    *autograd.Param `weight:"mid"` // [L−1, 1, T, D]: positions that are added again after every block but the last
	Class  *nn.Chain       `weight:"class_labels_classifier"`
	Box    *nn.Chain       `weight:"bbox_predictor"`

	name   string
	pixels *imageproc.Processor
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	m := &Model{name: f.Name, Config: Config{
		VisionConfig: nn.VisionConfig{
			EncoderConfig: nn.EncoderConfig{Width: 768, Layers: 12, Heads: 12, Inner: 3072, Act: "gelu", Eps: 1e-12, QKVBias: true, Final: true},
			Image:         nn.Size{512, 864}, Patch: nn.Size{16, 16}, Channels: 3,
			ClassToken: true, PatchBias: true, Batched: true, Filter: imageproc.Bicubic,
		},
		Labels: model.Labels{"LABEL_0", "LABEL_1"}, Tokens: 100, Mid: true,
	}}
	c := &m.Config
	err := f.Config(c)
	if err != nil {
		return nil, err
	}
	if c.Detection = c.Tokens; c.Tokens < 1 {
		return nil, fmt.Errorf("yolos: num_detection_tokens %d is below 1", c.Tokens)
	}
	if m.Vision, err = nn.NewVision(c.VisionConfig); err != nil {
		return nil, err
	}
	d := c.Width
	if c.Mid {
		m.Mid = nn.Blank(autograd.Table, c.Layers-1, 1, m.Vision.Pos.Shape[1], d)
	}
	m.Class = nn.BlankChain(ops.ReLU, d, d, d, len(c.Labels)+1)
	m.Box = nn.BlankChain(ops.ReLU, d, d, d, 4)
	m.pixels, err = f.Processor("Yolos")
	return m, err
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: "YolosForObjectDetection", Tasks: task.SetOf(task.Detect), Labels: m.Config.Labels,
		Parameters: model.Parameters(m), Size: max(m.Config.Image[0], m.Config.Image[1]),
	}
}

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewLooker(m, threads, func(out model.Outputs, img *imageproc.RGB) model.View {
		return model.DetectSet(out.Copy("logits"), out.Copy("pred_boxes"), m.Config.Labels, img.W, img.H)
	})
}

// Process implements model.Network.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in := model.Inputs{}
	if _, err := in.PutPictures(m.pixels, s.Pictures, m.Config.CheckPicture); err != nil {
		return nil, fmt.Errorf("yolos: %w", err)
	}
	return in, nil
}

// Run implements model.Network: pixel_values give logits, of the labels and "nothing", and pred_boxes: centre and size,
// [0, 1] of the input. Like the reference, it does not look at the pixel_mask.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out, x := model.Outputs{}, in.Value(t, "pixel_values")
	tap := out.Tap("vision")
	gh, gw := m.Config.Grid(x.Shape[1], x.Shape[2])
	h := m.Vision.Forward(&nn.Pass{Tap: func(i int, h *autograd.Value) *autograd.Value {
		if h = tap(i, h); m.Mid != nil && i > 0 && i < m.Config.Layers {
			h = ops.Add(h, m.mid(t, i-1, gh, gw))
		}
		return h
	}}, x)
	out["vision.norm"] = h
	b, n := x.Shape[0], m.Config.Tokens
	last := h.Shape.Rows() / b
	tokens := nn.RowsOfEach(h, b, last-n, last)
	out["logits"] = m.Class.Forward(tokens)
	out["pred_boxes"] = ops.Sigmoid(m.Box.Forward(tokens))
	return out
}

// mid are the positions [T, D] that are added after block i, fitted to the grid.
func (m *Model) mid(t *autograd.Tape, i, gh, gw int) *autograd.Value {
	n := m.Mid.Shape[2]
	first, grid, last := m.Vision.Positions(ops.Slice(t.Use(m.Mid), i*n, (i+1)*n), gh, gw)
	return ops.Concat(ops.Concat(first, grid), last)
}
