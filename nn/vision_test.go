package nn

import (
	"math/rand/v2"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/ops"
)

func tiny() VisionConfig {
	return VisionConfig{
		EncoderConfig: EncoderConfig{Width: 8, Layers: 2, Heads: 2, Inner: 12, Act: "gelu", Eps: 1e-6, QKVBias: true, Scaled: true, Gated: true, Final: true},
		Image:         Size{8, 12}, Patch: Size{4, 4}, Channels: 3, PatchBias: true, Filter: imageproc.Bicubic, PreNorm: true,
	}
}

// fill gives blank parameters data.
func fill(m any) []*autograd.Param {
	rng, ps := rand.New(rand.NewPCG(1, 2)), Params(m)
	for _, p := range ps {
		p.Data = make([]float32, p.Shape.Size())
		Normal(rng, p, .5)
	}
	return ps
}

// TestVisionGradients: every part of a vision transformer passes gradients on to its parameters, interpolated positions
// included.
func TestVisionGradients(t *testing.T) {
	for name, change := range map[string]func(*VisionConfig){
		"tokens":    func(c *VisionConfig) { c.ClassToken, c.Registers, c.Batched = true, 2, true },
		"detection": func(c *VisionConfig) { c.ClassToken, c.Detection, c.Gated, c.PreNorm = true, 3, false, false },
		"shared":    func(c *VisionConfig) { c.SharedPos, c.PatchPad, c.Final = true, 1, false },
		"antialias": func(c *VisionConfig) { c.Antialias = true },
	} {
		t.Run(name, func(t *testing.T) {
			c := tiny()
			change(&c)
			v, err := NewVision(c)
			if err != nil {
				t.Fatal(err)
			}
			pool := NewAttentionPool(c.EncoderConfig)
			ps := append(fill(v), fill(pool)...)
			rng := rand.New(rand.NewPCG(3, 4))
			x := make([]float32, 2*12*8*3)
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			f := func(t *autograd.Tape, _ []*Value) *Value {
				h := v.Forward(&Pass{}, t.Input(x, 2, 12, 8, 3)) // not the size that the positions are for
				n := h.Shape.Rows() / 2
				return pool.Forward(&Pass{}, h, []int{n, n})
			}
			if worst, err := autograd.Check(f, ps, 2e-3, 2e-2); err != nil {
				t.Errorf("%v (worst %g)", err, worst)
			}
		})
	}
}

func TestVisionConfigRejects(t *testing.T) {
	for want, change := range map[string]func(*VisionConfig){
		"hidden_size":               func(c *VisionConfig) { c.Width = 0 },
		"num_attention_heads":       func(c *VisionConfig) { c.Heads = 0 },
		"does not divide":           func(c *VisionConfig) { c.Heads = 3 },
		"num_hidden_layers":         func(c *VisionConfig) { c.Layers = 1 << 40 },
		"intermediate_size":         func(c *VisionConfig) { c.Inner = -1 },
		"layer_norm_eps":            func(c *VisionConfig) { c.Eps = 0 },
		`unknown hidden_act "mish"`: func(c *VisionConfig) { c.Act = "mish" },
		"num_channels":              func(c *VisionConfig) { c.Channels = 1 },
		"patch_size":                func(c *VisionConfig) { c.Patch = Size{4, 8} },
		"image_size":                func(c *VisionConfig) { c.Image = Size{1 << 40, 8} },
		"tokens":                    func(c *VisionConfig) { c.Image, c.Patch = Size{8192, 8192}, Size{1, 1} },
		"register tokens":           func(c *VisionConfig) { c.Registers = -1 },
	} {
		c := tiny()
		change(&c)
		if _, err := NewVision(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestTaps: a table that is fitted to its own size stays, and a straight line stays straight between its ends.
func TestTaps(t *testing.T) {
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	line := tape.Input([]float32{0, 1, 2, 3}, 1, 1, 4, 1)
	one := AlignedTaps(1, 1)
	for _, c := range []struct {
		taps *ops.Taps
		want []float32
	}{
		{Taps(4, 4, imageproc.Bicubic, false), []float32{0, 1, 2, 3}},
		{Taps(4, 2, imageproc.Bilinear, false), []float32{.5, 2.5}},
		{Taps(4, 8, imageproc.Bilinear, false), []float32{0, .25, .75, 1.25, 1.75, 2.25, 2.75, 3}},
		{AlignedTaps(4, 7), []float32{0, .5, 1, 1.5, 2, 2.5, 3}},
		{AlignedTaps(4, 1), []float32{0}},
	} {
		got := ops.Resize(line, one, c.taps)
		if len(got.Data) != len(c.want) {
			t.Fatalf("%v, want %v", got.Data, c.want)
		}
		for i, w := range c.want {
			if d := got.Data[i] - w; d > 1e-6 || d < -1e-6 {
				t.Errorf("%v, want %v", got.Data, c.want)
				break
			}
		}
	}
}
