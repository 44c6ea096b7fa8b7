package unified

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"fovea/checkpoint"
	"fovea/nn"
	"fovea/ops"
)

// Lite0 is the Config.Backbone of a model whose stem is EfficientNet-Lite0.
const Lite0 = "lite0"

// backboneRate is the share of the learning rate at which pretrained convolutions learn.
const backboneRate = .1

// liteStem is a pretrained convolutional input embedding: the maps of strides 16 and 32 become image tokens, that of stride 4
// gives masks and joints their detail.
type liteStem struct {
	Net      *nn.Lite      `weight:"net"`
	FineNorm *nn.LayerNorm `weight:"fine_norm"`
	Fine     *nn.Dense     `weight:"fine"` // stride 16 → D
	DeepNorm *nn.LayerNorm `weight:"deep_norm"`
	Deep     *nn.Dense     `weight:"deep"` // stride 32 → 2·2·D: the four patches in one cell
}

func newLiteStem(rng *rand.Rand, c Config) *liteStem {
	s := &liteStem{
		Net: nn.NewLite(rng), FineNorm: nn.NewLayerNorm(nn.Lite16, false), DeepNorm: nn.NewLayerNorm(nn.Lite32, false),
		Fine: nn.NewDense(rng, nn.Lite16, c.Width, true), Deep: nn.NewDense(rng, nn.Lite32, 4*c.Width, true),
	}
	s.Net.Freeze(backboneRate)
	return s
}

// forward maps pixels [B, S, S, 3] to what is at the patches, [B, S/16, S/16, D], and to features [B, S/4, S/4, nn.Lite4].
func (s *liteStem) forward(x *Value) (patches, s4 *Value) {
	s4, s16, s32 := s.Net.Forward(x)
	deep := ops.PixelShuffle(s.Deep.Forward(s.DeepNorm.Forward(s32)), 2)
	return ops.Add(s.Fine.Forward(s.FineNorm.Forward(s16)), deep), s4
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
