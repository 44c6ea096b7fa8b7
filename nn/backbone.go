package nn

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fovea/ops"
)

// Backbone turns pictures into maps of features.
type Backbone interface {
	// Forward maps pictures [B, H, W, 3] to the maps that were asked for, the largest first: [B, Hᵢ, Wᵢ, Channels()[i]].
	Forward(x *Value) []*Value
	// Channels are those of each of the maps.
	Channels() []int
	// Halvings say how often a picture is halved on the way to each of the maps; odd sizes are rounded up.
	Halvings() []int
}

// NewBackbone makes a blank backbone of a published backbone_config.
func NewBackbone(config json.RawMessage) (Backbone, error) {
	var head struct {
		Type string `json:"model_type"`
	}
	if err := json.Unmarshal(config, &head); err != nil {
		return nil, fmt.Errorf("backbone_config: %w", err)
	}
	switch head.Type {
	case "rt_detr_resnet", "":
		c := ResNetConfig{Embed: 64, Sizes: []int{256, 512, 1024, 2048}, Depths: []int{3, 4, 6, 3}, Layer: "bottleneck", Act: "relu", Channels: 3}
		if err := json.Unmarshal(config, &c); err != nil {
			return nil, fmt.Errorf("backbone_config: %w", err)
		}
		return NewResNet(c)
	case "hgnet_v2":
		c := HGNetConfig{
			Act: "relu", Channels: 3, Stem: []int{3, 32, 48}, In: []int{48, 128, 512, 1024}, Mid: []int{48, 96, 192, 384}, Out: []int{128, 512, 1024, 2048},
			Blocks: []int{1, 1, 3, 1}, Down: []bool{false, true, true, true}, Light: []bool{false, false, true, true}, Kernel: []int{3, 3, 5, 5}, Layers: []int{6, 6, 6, 6},
		}
		if err := json.Unmarshal(config, &c); err != nil {
			return nil, fmt.Errorf("backbone_config: %w", err)
		}
		return NewHGNet(c)
	}
	return nil, fmt.Errorf("nn: the backbone %q is not supported; there are rt_detr_resnet and hgnet_v2", head.Type)
}

// StageOutputs says which stages' maps a backbone gives, by name or by number; the stem is number 0.
type StageOutputs struct {
	Features []string `json:"out_features"`
	Indices  []int    `json:"out_indices"`
}

// pick numbers the stages in order.
func (o *StageOutputs) pick(stages int) ([]int, error) {
	out := slices.Clone(o.Indices)
	if o.Features != nil {
		out = []int{}
		for _, f := range o.Features {
			i, _ := strconv.Atoi(strings.TrimPrefix(f, "stage"))
			if f != "stem" && f != "stage"+strconv.Itoa(i) {
				return nil, fmt.Errorf("nn: out_features: %q is neither stem nor a stage", f)
			}
			out = append(out, i)
		}
	}
	if out == nil {
		out = []int{stages}
	}
	for i, s := range out {
		if s < 0 || s > stages || i > 0 && s <= out[i-1] {
			return nil, fmt.Errorf("nn: the outputs %v (%s) are not rising numbers within 0 … %d", out, strings.Join(o.Features, ", "), stages)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("nn: out_features names no stage")
	}
	return out, nil
}

// stages is what both backbones have in common: a stem, whose map is number 0, and stages, of which some maps are given.
type stages struct {
	picked   []int
	channels []int // of all maps, the stem's first
	halvings []int
}

// Channels implements Backbone.
func (s *stages) Channels() []int { return at(s.channels, s.picked) }

// Halvings implements Backbone.
func (s *stages) Halvings() []int { return at(s.halvings, s.picked) }

func at(list, indices []int) []int {
	out := make([]int, len(indices))
	for i, k := range indices {
		out[i] = list[k]
	}
	return out
}

// run runs the stages after the stem on its map x.
func (s *stages) run(x *Value, stage func(i int, x *Value) *Value) (out []*Value) {
	for i := range s.channels {
		if i > 0 {
			x = stage(i-1, x)
		}
		if slices.Contains(s.picked, i) {
			out = append(out, x)
		}
	}
	return out
}

// Halve averages cells of 2×2 pixels: [B, H, W, C] → [B, ⌈H/2⌉, ⌈W/2⌉, C].
func Halve(x *Value) *Value {
	taps := func(n int) *ops.Taps {
		t := &ops.Taps{In: n}
		for i := 0; i < n; i += 2 {
			if i+1 < n {
				t.At, t.Weight = append(t.At, []int32{int32(i), int32(i + 1)}), append(t.Weight, []float32{.5, .5})
			} else {
				t.At, t.Weight = append(t.At, []int32{int32(i)}), append(t.Weight, []float32{1})
			}
		}
		return t
	}
	return ops.Resize(x, taps(x.Shape[1]), taps(x.Shape[2]))
}

// Double repeats every pixel: [B, H, W, C] → [B, 2·H, 2·W, C].
func Double(x *Value) *Value {
	taps := func(n int) *ops.Taps {
		t := &ops.Taps{In: n}
		for i := range 2 * n {
			t.At, t.Weight = append(t.At, []int32{int32(i / 2)}), append(t.Weight, []float32{1})
		}
		return t
	}
	return ops.Resize(x, taps(x.Shape[1]), taps(x.Shape[2]))
}
