package nn

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/ops"
)

// positive gives a blank layer data; variances are above 0.
func positive(m any) {
	for _, p := range fill(m) {
		if strings.HasSuffix(p.Name, "running_var") {
			for i, v := range p.Data {
				p.Data[i] = .1 + v*v
			}
		}
	}
}

// plain is what a ConvNorm stands for: a convolution and then a norm.
func plain(c *ConvNorm, x *Value) *Value {
	t := x.Tape()
	w := t.Use(c.Weight)
	if c.Depthwise {
		return c.Norm.Forward(ops.DepthwiseConv2D(x, w, nil, c.Kernel, c.Stride, (c.Kernel-1)/2), false)
	}
	return c.Norm.Forward(ops.Conv2DPad(x, ops.ChannelsLast(w), nil, c.Kernel, c.Stride, (c.Kernel-1)/2), false)
}

func close(t *testing.T, got, want *Value) {
	t.Helper()
	if !got.Shape.Equal(want.Shape) {
		t.Fatalf("shape %v, want %v", got.Shape, want.Shape)
	}
	for i, w := range want.Data {
		if d := math.Abs(float64(got.Data[i] - w)); !(d <= 1e-4) {
			t.Fatalf("element %d: %g, want %g", i, got.Data[i], w)
		}
	}
}

// ramp is a picture that no two pixels of are alike.
func ramp(t *autograd.Tape, h, w, c int) *Value {
	x := t.New(false, 2, h, w, c)
	for i := range x.Data {
		x.Data[i] = float32(math.Sin(float64(i) * 1.7))
	}
	return x
}

func newTape() *autograd.Tape { return autograd.NewTape(kernel.NewWork(nil), 0, false) }

// TestConvNorm: folded norms change nothing.
func TestConvNorm(t *testing.T) {
	for name, c := range map[string]ConvConfig{
		"3x3":       {Kernel: 3, Stride: 1, Eps: 1e-5},
		"stride 2":  {Kernel: 3, Stride: 2, Eps: 1e-5},
		"1x1":       {Kernel: 1, Stride: 1, Eps: 1e-5},
		"even":      {Kernel: 2, Stride: 1, Eps: 1e-5},
		"depthwise": {Kernel: 5, Stride: 2, Eps: 1e-5, Depthwise: true},
		"affine":    {Kernel: 3, Stride: 1, Eps: 1e-5, Act: ops.ReLU, Affine: true},
	} {
		t.Run(name, func(t *testing.T) {
			l := BlankConvNorm(4, 4, c)
			positive(l)
			tape := newTape()
			x := ramp(tape, 5, 6, 4)
			want := plain(l, x)
			if c.Affine {
				want = ops.ScaleShift(ops.ReLU(want), tape.Use(l.Scale), tape.Use(l.Shift))
			}
			close(t, l.Forward(x), want)
		})
	}
}

// TestRepVGG: the two branches in one convolution.
func TestRepVGG(t *testing.T) {
	conv := func(k int) *ConvNorm { return BlankConvNorm(3, 3, ConvConfig{Kernel: k, Stride: 1, Eps: 1e-5}) }
	r := &RepVGG{A: conv(3), B: conv(1), act: ops.SiLU}
	positive(r)
	x := ramp(newTape(), 4, 5, 3)
	close(t, r.Forward(x), ops.SiLU(ops.Add(plain(r.A, x), plain(r.B, x))))
}

// TestHalveAndDouble by hand, odd sizes included.
func TestHalveAndDouble(t *testing.T) {
	tape := newTape()
	x := tape.Input([]float32{1, 2, 3, 5, 6, 7}, 1, 2, 3, 1)
	close(t, Halve(x), tape.Input([]float32{3.5, 5}, 1, 1, 2, 1))
	close(t, Double(tape.Input([]float32{1, 2}, 1, 1, 2, 1)), tape.Input([]float32{1, 1, 2, 2, 1, 1, 2, 2}, 1, 2, 4, 1))
}

// TestBackboneMaps: channels and sizes are as announced, for odd pictures too, and gradients reach the picture.
func TestBackboneMaps(t *testing.T) {
	for name, config := range map[string]string{
		"basic":            `{"model_type":"rt_detr_resnet","layer_type":"basic","embedding_size":8,"hidden_sizes":[8,8,12],"depths":[2,1,1],"out_features":["stem","stage2","stage3"]}`,
		"basic, down":      `{"model_type":"rt_detr_resnet","layer_type":"basic","embedding_size":8,"hidden_sizes":[12,16],"depths":[1,2],"downsample_in_first_stage":true}`,
		"bottleneck":       `{"model_type":"rt_detr_resnet","embedding_size":8,"hidden_sizes":[16,32],"depths":[2,2],"out_indices":[1,2]}`,
		"bottleneck, down": `{"model_type":"rt_detr_resnet","embedding_size":8,"hidden_sizes":[16,16],"depths":[1,1],"downsample_in_bottleneck":true,"out_indices":[2]}`,
		"hgnet":            `{"model_type":"hgnet_v2","stem_channels":[3,4,6],"stage_in_channels":[6,8],"stage_mid_channels":[4,4],"stage_out_channels":[8,10],"stage_num_blocks":[1,2],"stage_downsample":[false,true],"stage_light_block":[false,true],"stage_kernel_size":[3,5],"stage_numb_of_layers":[2,2],"out_indices":[0,1,2],"use_learnable_affine_block":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			b, err := NewBackbone(json.RawMessage(config))
			if err != nil {
				t.Fatal(err)
			}
			positive(b)
			for _, size := range [][2]int{{32, 32}, {27, 45}} {
				maps := b.Forward(ramp(newTape(), size[0], size[1], 3))
				if len(maps) != len(b.Channels()) || len(maps) != len(b.Halvings()) {
					t.Fatalf("%d maps, %v channels, %v halvings", len(maps), b.Channels(), b.Halvings())
				}
				for i, m := range maps {
					h, w := size[0], size[1]
					for range b.Halvings()[i] {
						h, w = (h+1)/2, (w+1)/2
					}
					if m.Shape[1] != h || m.Shape[2] != w || m.Shape[3] != b.Channels()[i] {
						t.Errorf("map %d of %v is %v, want %d × %d × %d", i, size, m.Shape, h, w, b.Channels()[i])
					}
				}
			}
			train := autograd.NewTape(kernel.NewWork(nil), 0, true)
			picture := autograd.NewParam(autograd.Matrix, 1, 16, 16, 3)
			for i := range picture.Data {
				picture.Data[i] = float32(math.Sin(float64(i) * 1.7))
			}
			maps := b.Forward(train.Use(picture))
			last := maps[len(maps)-1]
			still := newTape()
			close(t, last, b.Forward(still.Use(picture))[len(maps)-1]) // what is given back does not matter
			loss := ops.MeanRows(train.View(ops.Mul(last, last), len(last.Data), 1), len(last.Data))
			train.Backward(loss, 1)
			if kernel.SumSq(picture.Grads[0]) == 0 {
				t.Error("no gradient")
			}
		})
	}
}

func TestBackboneRejects(t *testing.T) {
	for want, config := range map[string]string{
		`"swin" is not supported`:       `{"model_type":"swin"}`,
		"layer_type":                    `{"model_type":"rt_detr_resnet","layer_type":"wide"}`,
		"depths":                        `{"model_type":"rt_detr_resnet","depths":[1,2]}`,
		"depths 1073741824":             `{"model_type":"rt_detr_resnet","depths":[3,4,6,1073741824]}`,
		"do not downsample":             `{"model_type":"rt_detr_resnet","layer_type":"basic"}`,
		`unknown hidden_act "mish"`:     `{"model_type":"rt_detr_resnet","hidden_act":"mish"}`,
		"rising numbers within 0 … 4":   `{"model_type":"rt_detr_resnet","out_indices":[2,5]}`,
		"neither stem nor a stage":      `{"model_type":"rt_detr_resnet","out_features":["layer1"]}`,
		"names no stage":                `{"model_type":"rt_detr_resnet","out_features":[]}`,
		"not all of one length":         `{"model_type":"hgnet_v2","stage_light_block":[true]}`,
		"stage 2 gets 128":              `{"model_type":"hgnet_v2","stage_in_channels":[48,64,512,1024]}`,
		"stage_kernel_size 4":           `{"model_type":"hgnet_v2","stage_kernel_size":[3,3,4,5]}`,
		"stem_channels":                 `{"model_type":"hgnet_v2","stem_channels":[1,2,48]}`,
		"stage_num_blocks 0":            `{"model_type":"hgnet_v2","stage_num_blocks":[0,1,1,1]}`,
		"backbone_config: json: cannot": `{"model_type":"hgnet_v2","stage_num_blocks":7}`,
	} {
		if _, err := NewBackbone(json.RawMessage(config)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestHybridRejects(t *testing.T) {
	good := HybridConfig{Width: 8, Heads: 2, Inner: 8, Layers: 1, BlockAct: "gelu", ConvAct: "silu", Expansion: 1, Attended: []int{1}, Temperature: 10000, Eps: 1e-5, BatchEps: 1e-5, Depth: 1, Maps: 2}
	if _, err := NewHybrid(good); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*HybridConfig){
		"normalize_before":       func(c *HybridConfig) { c.NormFirst = true },
		"no multiple of 4":       func(c *HybridConfig) { c.Width = 6 },
		"hidden_size":            func(c *HybridConfig) { c.Width = 0 },
		"temperature":            func(c *HybridConfig) { c.Temperature = math.NaN() },
		"batch_norm_eps":         func(c *HybridConfig) { c.BatchEps = 0 },
		"hidden_expansion":       func(c *HybridConfig) { c.Expansion = 1e300 },
		"depth_mult":             func(c *HybridConfig) { c.Depth = -1 },
		"encode_proj_layers [2]": func(c *HybridConfig) { c.Attended = []int{2} },
		`"mish"`:                 func(c *HybridConfig) { c.ConvAct = "mish" },
	} {
		c := good
		change(&c)
		if _, err := NewHybrid(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
