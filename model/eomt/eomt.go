// Package eomt runs published encoder-only mask transformers (EoMT, Kerssies et al. 2025): DINOv2 whose last blocks also see
// queries, each of which names one part of the picture and marks its pixels. One network answers all three ways:
//
//	semantic  every pixel has a label            the picture is looked at through square windows
//	instance  objects, whatever lies behind      the whole picture, fitted into the square
//	panoptic  every pixel belongs to an object   the whole picture, fitted into the square
package eomt

import (
	"fmt"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/task"
)

// Family is tue-mps/*_eomt_* and its kin.
var Family = model.Family{
	Name: "eomt", Architectures: []string{"EomtForUniversalSegmentation"}, New: New,
	Renames: append([]checkpoint.Rename{
		{From: `^criterion\.empty_weight$`, To: checkpoint.Drop}, // of the training
		{From: `^embeddings\.position_embeddings\.weight$`, To: "pos"},
		{From: `^layernorm\.`, To: "encoder.norm."},
		{From: `^query\.weight$`, To: "query"},
		{From: `^upscale_block\.block\.(\d+)\.`, To: "up.$1."},
		{From: `^mask_head\.fc1\.`, To: "mask_head.0."},
		{From: `^mask_head\.fc2\.`, To: "mask_head.1."},
		{From: `^mask_head\.fc3\.`, To: "mask_head.2."},
	}, model.EncoderRenames...),
}

// Config is a config.json.
type Config struct {
	nn.VisionConfig
	nn.DinoConfig
	Labels  model.Labels `json:"id2label"`
	Queries int          `json:"num_queries"`
	Blocks  int          `json:"num_blocks"` // the last so many blocks see the queries
	Doubles int          `json:"num_upscale_blocks"`
}

// Model is an EoMT.
type Model struct {
	Config    Config
	Patch     *nn.PatchEmbed  `weight:"patch"`
	Class     *autograd.Param `weight:"class"`     // [1, 1, D]
	Registers *autograd.Param `weight:"registers"` // [1, R, D]
	Pos       *autograd.Param `weight:"pos"`       // [P, D], of the patches only
	Query     *autograd.Param `weight:"query"`     // [Q, D]
	Stack     *nn.Stack       `weight:"encoder"`
	Up        []*Upscale      `weight:"up"`
	MaskHead  *nn.Chain       `weight:"mask_head"`
	Names     *nn.Dense       `weight:"class_predictor"` // the last is no object
	MaskProbs *autograd.Param `weight:"attn_mask_probs"` // [Blocks]; see Run

	name   string
	pixels *imageproc.Processor
	side   int  // of the square that it looks at, pixels
	window bool // Process cuts windows, as for semantic segmentation
}

// New reads the configuration and makes a blank model.
func New(f *model.Folder) (model.Network, error) {
	m := &Model{name: f.Name, Config: Config{
		VisionConfig: nn.VisionConfig{
			EncoderConfig: nn.EncoderConfig{Width: 1024, Layers: 24, Heads: 16, Act: "gelu", Eps: 1e-6, QKVBias: true, Final: true, Scaled: true},
			Image:         nn.Size{640, 640}, Patch: nn.Size{16, 16}, Channels: 3,
		},
		DinoConfig: nn.DinoConfig{MLPRatio: 4, RegisterTokens: 4},
		Labels:     model.Labels{"LABEL_0", "LABEL_1"}, Queries: 200, Blocks: 4, Doubles: 2,
	}}
	c := &m.Config
	err := f.Config(c)
	if err == nil {
		err = c.Settle(&c.VisionConfig)
	}
	if err == nil {
		err = c.VisionConfig.Check()
	}
	if err == nil {
		err = c.check()
	}
	if err != nil {
		return nil, err
	}
	if m.Stack, err = nn.NewEncoder(c.EncoderConfig); err != nil {
		return nil, err
	}
	act, _ := nn.Activation(c.Act)
	d, grid := c.Width, c.Image[0]/c.Patch[0]
	m.Patch = nn.BlankPatchEmbed(d, c.Patch[0], true, 0)
	m.Class, m.Pos, m.Query = nn.Blank(autograd.Table, 1, 1, d), nn.Blank(autograd.Table, grid*grid, d), nn.Blank(autograd.Table, c.Queries, d)
	if c.Registers > 0 {
		m.Registers = nn.Blank(autograd.Table, 1, c.Registers, d)
	}
	for range c.Doubles {
		m.Up = append(m.Up, newUpscale(d, act))
	}
	m.MaskHead, m.Names = nn.BlankChain(act, d, d, d, d), nn.BlankDense(d, len(c.Labels)+1, true)
	m.MaskProbs = nn.Blank(autograd.Buffer, c.Blocks)
	return m, m.process(f)
}

// check names the first field of EoMT's own that cannot work.
func (c *Config) check() error {
	grid := c.Image[0] / c.Patch[0]
	for _, f := range []struct {
		name      string
		v, lo, hi int
	}{{"num_queries", c.Queries, 1, nn.MaxTokens / 2}, {"num_blocks", c.Blocks, 1, c.Layers}, {"num_upscale_blocks", c.Doubles, 0, 5}} {
		if f.v < f.lo || f.v > f.hi {
			return fmt.Errorf("eomt: %s %d is not within %d … %d", f.name, f.v, f.lo, f.hi)
		}
	}
	if c.Image[0] != c.Image[1] {
		return fmt.Errorf("eomt: image_size %v is not a square", c.Image)
	}
	if n := grid << c.Doubles; n > 1<<11 {
		return fmt.Errorf("eomt: image_size, patch_size and num_upscale_blocks give masks of %d × %d, want at most 2048", n, n)
	}
	return nil
}

// Card implements model.Model.
func (m *Model) Card() model.Card {
	return model.Card{
		Name: m.name, Family: "EomtForUniversalSegmentation", Tasks: task.SetOf(task.Detect, task.Segment), Labels: m.Config.Labels,
		Parameters: model.Parameters(m), Size: m.side,
	}
}
