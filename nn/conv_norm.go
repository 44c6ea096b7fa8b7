package nn

import (
	"fmt"
	"math"
	"sync"

	"fovea/autograd"
	"fovea/ops"
)

// ConvNorm is a published convolution without bias, the batch norm after it and an activation: what ResNets, HGNetV2 and the
// hybrid encoder of RT-DETR are made of. The norm is frozen: the first time that the layer is used it is folded into the
// convolution, and nothing of the layer is trained from then on, though gradients pass through it.
type ConvNorm struct {
	Weight *autograd.Param `weight:"conv.weight"` // [Out, In, k, k], or [Out, 1, k, k]: every channel by itself
	Norm   *BatchNorm      `weight:"norm"`
	Scale  *autograd.Param `weight:"lab.scale"` // [1], of what the activation gives (HGNetV2's affine block); nil: none
	Shift  *autograd.Param `weight:"lab.bias"`  // [1], added to that

	ConvConfig

	once   sync.Once
	folded Folded
}

// ConvConfig says what a ConvNorm does besides convolving.
type ConvConfig struct {
	Kernel, Stride int
	Act            func(*Value) *Value // nil: none
	Affine         bool                // with Scale and Shift after the activation
	Depthwise      bool                // every channel by itself
	Eps            float32             // of the norm
}

// Folded is a convolution with bias: [Out, k·k·In], channels last, or, of one that is depthwise, [Out, 1, k, k]; and [Out].
type Folded struct{ Weight, Bias *autograd.Param }

// BlankConvNorm is a layer of blank parameters.
func BlankConvNorm(in, out int, c ConvConfig) *ConvNorm {
	n := &ConvNorm{ConvConfig: c, Norm: BlankBatchNorm(out)}
	if c.Depthwise {
		in = 1
	}
	n.Weight = Blank(autograd.Matrix, out, in, c.Kernel, c.Kernel)
	if c.Affine {
		n.Scale, n.Shift = Blank(autograd.Vector, 1), Blank(autograd.Vector, 1)
	}
	return n
}

// Out is the number of channels that the layer gives.
func (c *ConvNorm) Out() int { return c.Weight.Shape[0] }

// fold makes the convolution that does what the convolution and the norm do.
func (c *ConvNorm) fold() Folded {
	out, in, n := c.Weight.Shape[0], c.Weight.Shape[1], c.Kernel*c.Kernel
	f := Folded{autograd.NewParam(autograd.Buffer, out, n*in), autograd.NewParam(autograd.Buffer, out)}
	for o := range out {
		g := c.Norm.Gain.Data[o] / float32(math.Sqrt(float64(c.Norm.Var.Data[o]+c.Eps)))
		f.Bias.Data[o] = c.Norm.Bias.Data[o] - c.Norm.Mean.Data[o]*g
		from, to := c.Weight.Data[o*n*in:], f.Weight.Data[o*n*in:]
		for i := range in {
			for p := range n {
				to[p*in+i] = from[i*n+p] * g
			}
		}
	}
	if c.Depthwise {
		f.Weight.Shape = c.Weight.Shape
	}
	return f
}

// Forward maps [B, H, W, In] to [B, ⌈H/s⌉, ⌈W/s⌉, Out] for an odd kernel. An even one has no padding; the picture is padded
// beforehand.
func (c *ConvNorm) Forward(x *Value) *Value {
	c.once.Do(func() { c.folded = c.fold() })
	t, pad := x.Tape(), (c.Kernel-1)/2
	conv := func() *Value {
		w, b := t.Use(c.folded.Weight), t.Use(c.folded.Bias)
		if c.Depthwise {
			return ops.DepthwiseConv2D(x, w, b, c.Kernel, c.Stride, pad)
		}
		return ops.Conv2DPad(x, w, b, c.Kernel, c.Stride, pad)
	}
	if c.Act == nil {
		return conv()
	}
	size := func(n int) int { return (n+2*pad-c.Kernel)/c.Stride + 1 }
	return lean(x, size(x.Shape[1]), size(x.Shape[2]), c.Out(), func() *Value {
		y := c.Act(conv())
		if c.Scale != nil {
			y = ops.ScaleShift(y, t.Use(c.Scale), t.Use(c.Shift))
		}
		return y
	})
}

// lean runs f, which makes a map of h × w × c from x, and gives back the memory of everything else that f made. Maps of large
// pictures are tens of megabytes each. When something is recorded, nothing is given back.
func lean(x *Value, h, w, c int, f func() *Value) *Value {
	t := x.Tape()
	if t.Train {
		return f()
	}
	y := t.New(false, x.Shape[0], h, w, c)
	mark := t.Mark()
	copy(y.Data, f().Data)
	t.Release(mark)
	return y
}

// same is lean for a map as large as x.
func same(x *Value, c int, f func() *Value) *Value { return lean(x, x.Shape[1], x.Shape[2], c, f) }

// RepVGG is a 3×3 and a 1×1 convolution of the same input, added (Ding et al. 2021). They become one convolution the first
// time that the block is used.
type RepVGG struct {
	A *ConvNorm `weight:"conv1"` // 3×3
	B *ConvNorm `weight:"conv2"` // 1×1

	act    func(*Value) *Value
	once   sync.Once
	folded Folded
}

// Forward maps [B, H, W, C] to the same shape.
func (r *RepVGG) Forward(x *Value) *Value {
	r.once.Do(func() {
		r.folded = r.A.fold()
		b, in, out := r.B.fold(), r.A.Weight.Shape[1], r.A.Out()
		for o := range out {
			r.folded.Bias.Data[o] += b.Bias.Data[o]
			middle := r.folded.Weight.Data[(o*9+4)*in:]
			for i, w := range b.Weight.Data[o*in : (o+1)*in] {
				middle[i] += w
			}
		}
	})
	t := x.Tape()
	return same(x, r.A.Out(), func() *Value { return r.act(ops.Conv2D(x, t.Use(r.folded.Weight), t.Use(r.folded.Bias), 3, 1)) })
}

// within refuses a setting that is not within lo … hi.
func within(name string, v, lo, hi int) error {
	if v < lo || v > hi {
		return fmt.Errorf("nn: %s %d is not within %d … %d", name, v, lo, hi)
	}
	return nil
}
