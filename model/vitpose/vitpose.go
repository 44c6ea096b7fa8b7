// Package vitpose runs published ViTPose models (Xu et al. 2022), with the simple or the classic head, and ViTPose+ with
// its experts (Xu et al. 2023): the joints of people whose boxes are given.
package vitpose

import (
	"fmt"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/task"
)

// Family is usyd-community/vitpose-* and its kin.
var Family = model.Family{
	Name: "vitpose", Architectures: []string{"VitPoseForPoseEstimation"}, New: New,
	Renames: append([]checkpoint.Rename{
		{From: `^backbone\.`, To: "vision."},
		{From: `^vision\.layernorm\.`, To: "vision.encoder.norm."},
	}, model.EncoderRenames...),
}

// Config is a config.json.
type Config struct {
	Backbone Backbone     `json:"backbone_config"`
	Labels   model.Labels `json:"id2label"`
	Simple   bool         `json:"use_simple_decoder"`
	Factor   int          `json:"scale_factor"` // of the simple head
}

// Backbone is its part about the vision transformer.
type Backbone struct {
	nn.VisionConfig
	MLPRatio float64 `json:"mlp_ratio"`
	Experts  int     `json:"num_experts"`
	Part     int     `json:"part_features"` // of the features, come from an expert
}

// Model is a ViTPose.
type Model struct {
	Config Config
	Vision *nn.Vision `weight:"vision"`
	Head   Head       `weight:"head"`

	name     string
	pixels   *imageproc.Processor
	skeleton *annotation.Skeleton
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	m := &Model{name: f.Name, Config: Config{
		Backbone: Backbone{MLPRatio: 4, Experts: 1, Part: 256, VisionConfig: nn.VisionConfig{
			EncoderConfig: nn.EncoderConfig{Width: 768, Layers: 12, Heads: 12, Act: "gelu", Eps: 1e-12, QKVBias: true, Final: true},
			Image:         nn.Size{256, 192}, Patch: nn.Size{16, 16}, Channels: 3,
			SharedPos: true, PatchBias: true, PatchPad: 2, Batched: true, Filter: imageproc.Bicubic,
		}},
		Labels: model.Labels{"LABEL_0", "LABEL_1"}, Simple: true, Factor: 4,
	}}
	err := f.Config(&m.Config)
	if err != nil {
		return nil, err
	}
	b := &m.Config.Backbone
	switch {
	case !(b.MLPRatio > 0 && b.MLPRatio <= 64):
		return nil, fmt.Errorf("vitpose: mlp_ratio %g is not within 0 … 64", b.MLPRatio)
	case b.Experts < 1 || b.Experts > 64 || b.Experts > 1 && (b.Part < 1 || b.Part >= b.Width):
		return nil, fmt.Errorf("vitpose: num_experts %d of part_features %d, want 1 … 64 of less than hidden_size", b.Experts, b.Part)
	case m.Config.Factor < 1 || m.Config.Factor > 16 || len(m.Config.Labels) > 1<<10:
		return nil, fmt.Errorf("vitpose: scale_factor %d and %d joints are not within 1 … 16 and 1 … 1024", m.Config.Factor, len(m.Config.Labels))
	}
	b.Inner = int(float64(b.Width) * b.MLPRatio)
	if m.Vision, err = nn.NewVision(b.VisionConfig); err != nil {
		return nil, err
	}
	if b.Experts > 1 {
		act, _ := nn.Activation(b.Act)
		for _, block := range m.Vision.Stack.Blocks {
			block.MLP = newExperts(b, act)
		}
	}
	m.Head = newHead(m.Config)
	if m.skeleton = annotation.COCO17; len(m.Config.Labels) != len(annotation.COCO17.Joints) {
		m.skeleton = annotation.NewSkeleton(f.Name, m.Config.Labels, nil)
	}
	if m.pixels, err = f.Processor("VitPose"); err == nil && (m.pixels.Height != b.Image[0] || m.pixels.Width != b.Image[1]) {
		err = fmt.Errorf("vitpose: preprocessor_config.json cuts out %d × %d pixels, config.json wants %d × %d", m.pixels.Width, m.pixels.Height, b.Image[1], b.Image[0])
	}
	return m, err
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: "VitPoseForPoseEstimation", Tasks: task.SetOf(task.Pose), Skeleton: m.skeleton, NeedsBoxes: true, Flips: true,
		Parameters: model.Parameters(m), Size: max(m.Config.Backbone.Image[0], m.Config.Backbone.Image[1]),
	}
}

// Process implements model.Network: every box of every picture is cut out.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	in, pixels, n := model.Inputs{}, []float32{}, 0
	for i, boxes := range s.Boxes {
		for _, b := range boxes {
			if !b.Finite() {
				return nil, fmt.Errorf("vitpose: the box %v is not finite", b)
			}
			pixels = append(pixels, m.pixels.Normalize(newCrop(b, m.pixels.Width, m.pixels.Height).cut(s.Pictures[i]))...)
			n++
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("vitpose: no boxes of people are given")
	}
	in.Put("pixel_values", pixels, n, m.pixels.Height, m.pixels.Width, 3)
	if m.Config.Backbone.Experts > 1 {
		in.Put("dataset_index", make([]float32, n), n) // COCO's
	}
	return in, nil
}

// Run implements model.Network: pixel_values give heatmaps [B, K, H, W]; with flip_pairs also heatmaps_flipped, what the
// mirrored picture gives, mirrored back.
func (m *Model) Run(t *autograd.Tape, in model.Inputs) model.Outputs {
	out, x := model.Outputs{}, in.Value(t, "pixel_values")
	p := &nn.Pass{Tap: out.Tap("vision")}
	if d := in["dataset_index"]; d != nil {
		for _, i := range d.Data {
			p.Experts = append(p.Experts, int(i))
		}
	}
	h := m.Vision.Forward(p, x)
	out["vision.norm"] = h
	out["heatmaps"] = m.heatmaps(h, x.Shape[0])
	if pairs := in["flip_pairs"]; pairs != nil {
		p.Tap = nil
		y := m.heatmaps(m.Vision.Forward(p, mirror(x)), x.Shape[0])
		out["heatmaps_flipped"] = mirrorBack(y, pairs.Data)
	}
	return out
}

// heatmaps reads out the final tokens of b pictures.
func (m *Model) heatmaps(h *autograd.Value, b int) *autograd.Value {
	c := &m.Config.Backbone
	gh, gw := c.Image[0]/c.Patch[0], c.Image[1]/c.Patch[1]
	return channelsFirst(m.Head.Forward(h.Tape().View(h, b, gh, gw, c.Width)))
}

// Experts is a feed-forward layer the last features of which come from one of several experts, each picture's own.
type Experts struct {
	Up      *nn.Dense   `weight:"up"`
	Down    *nn.Dense   `weight:"down"` // the features that all share
	Experts []*nn.Dense `weight:"experts"`
	act     func(*autograd.Value) *autograd.Value
}

func newExperts(c *Backbone, act func(*autograd.Value) *autograd.Value) *Experts {
	e := &Experts{Up: nn.BlankDense(c.Width, c.Inner, true), Down: nn.BlankDense(c.Inner, c.Width-c.Part, true), act: act}
	for range c.Experts {
		e.Experts = append(e.Experts, nn.BlankDense(c.Inner, c.Part, true))
	}
	return e
}

// Forward implements nn.FeedForward.
func (e *Experts) Forward(p *nn.Pass, x *autograd.Value) *autograd.Value {
	h := e.act(e.Up.Forward(x))
	n := p.Layout.Patches
	var parts *autograd.Value
	for i := 0; i < len(p.Experts); {
		j := i + 1
		for j < len(p.Experts) && p.Experts[j] == p.Experts[i] {
			j++
		}
		part := e.Experts[p.Experts[i]].Forward(ops.Slice(h, i*n, j*n))
		if i = j; parts == nil {
			parts = part
		} else {
			parts = ops.Concat(parts, part)
		}
	}
	return ops.Join(e.Down.Forward(h), parts)
}
