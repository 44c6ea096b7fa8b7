package unified

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/nn"
	"fovea/ops"
)

// Lite0 is the Config.Backbone of a model whose stem is EfficientNet-Lite0.
const Lite0 = "lite0"

// backboneRate is the share of the learning rate at which pretrained convolutions learn, unless SetBackboneRate says another.
const backboneRate = .3

// SetBackboneRate says at which share of the learning rate, in [0, 1], the pretrained convolutions learn. At 0 they stay as they
// are, which suits a few hundred pictures, and a step takes less time and memory.
func (m *Model) SetBackboneRate(share float32) error {
	if m.Stem.Lite == nil {
		return errors.New("unified: the model has no backbone whose rate could be set")
	}
	m.Stem.Lite.share = share
	m.Stem.Lite.Net.Freeze(share)
	m.params = nn.Params(m)
	return nil
}

// liteStem is a pretrained convolutional input embedding: the maps of strides 16 and 32 become image tokens, that of stride 4
// gives masks and joints their detail.
type liteStem struct {
	Net      *nn.Lite      `weight:"net"`
	FineNorm *nn.LayerNorm `weight:"fine_norm"`
	Fine     *nn.Dense     `weight:"fine"` // stride 16 → D
	DeepNorm *nn.LayerNorm `weight:"deep_norm"`
	Deep     *nn.Dense     `weight:"deep"` // stride 32 → 2·2·D: the four patches in one cell

	share float32 // of the learning rate

	// What is where inside a patch, when Config.Detailed: its pixels of strides 8 and 4, normed, → D.
	Detail8 *patchEmbed `weight:"detail8"`
	Detail4 *patchEmbed `weight:"detail4"`
}

// patchEmbed maps the k × k pixels of a patch of a map to D.
type patchEmbed struct {
	Norm *nn.LayerNorm   `weight:"norm"`
	Map  *autograd.Param `weight:"map.weight"` // [D, k·k·C], a convolution's

	side int // k
}

// newPatchEmbed makes a layer that says nothing at first.
func newPatchEmbed(c, k, d int) *patchEmbed {
	return &patchEmbed{nn.NewLayerNorm(c, false), autograd.NewParam(autograd.Matrix, d, k*k*c), k}
}

// forward maps [B, H, W, C] to [B, H/k, W/k, D].
func (e *patchEmbed) forward(x *Value) *Value {
	return ops.Conv2DPad(e.Norm.Forward(x), x.Tape().Use(e.Map), nil, e.side, e.side, 0)
}

func newLiteStem(rng *rand.Rand, c Config) *liteStem {
	s := &liteStem{
		Net: nn.NewLite(rng), FineNorm: nn.NewLayerNorm(nn.Lite16, false), DeepNorm: nn.NewLayerNorm(nn.Lite32, false),
		Fine: nn.NewDense(rng, nn.Lite16, c.Width, true), Deep: nn.NewDense(rng, nn.Lite32, 4*c.Width, true),
	}
	if c.Detailed {
		s.Detail8, s.Detail4 = newPatchEmbed(nn.Lite8, c.Stride/8, c.Width), newPatchEmbed(nn.Lite4, c.Stride/4, c.Width)
	}
	s.share = backboneRate
	s.Net.Freeze(s.share)
	return s
}

// forward maps pixels [B, S, S, 3] to what is at the patches, [B, S/16, S/16, D], and to features [B, S/4, S/4, nn.Lite4].
func (s *liteStem) forward(x *Value) (patches, s4 *Value) {
	m := s.Net.Forward(x)
	deep := ops.PixelShuffle(s.Deep.Forward(s.DeepNorm.Forward(m.S32)), 2)
	patches = ops.Add(s.Fine.Forward(s.FineNorm.Forward(m.S16)), deep)
	if s.Detail8 != nil {
		patches = ops.Add(patches, ops.Add(s.Detail8.forward(m.S8), s.Detail4.forward(m.S4)))
	}
	return patches, m.S4
}

// LoadBackbone fills the convolutions of a model whose Config.Backbone is Lite0 from a file that configs/lite0.py writes.
func (m *Model) LoadBackbone(path string) error {
	if m.Stem.Lite == nil {
		return fmt.Errorf("unified: the model has no backbone to load")
	}
	f, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	err = checkpoint.Bind(nn.Params(m.Stem.Lite.Net), f, nil)
	m.params = nn.Params(m) // Params named them for the file
	return err
}

// ofStem reports whether a parameter depends on the kind of stem.
func ofStem(name string) bool {
	return strings.HasPrefix(name, "stem.") || strings.HasPrefix(name, "readout.local.")
}
