package nn

import (
	"fovea/autograd"
	"fovea/ops"
)

// Conv2D is a k×k convolution that keeps height and width, its weights laid out as published ones are.
type Conv2D struct {
	Weight *autograd.Param `weight:"weight"` // [Out, In, k, k], k odd
	Bias   *autograd.Param `weight:"bias"`
}

// BlankConv2D is a convolution of blank parameters.
func BlankConv2D(in, out, k int) *Conv2D {
	return &Conv2D{Weight: Blank(autograd.Matrix, out, in, k, k), Bias: Blank(autograd.Vector, out)}
}

// Forward maps [B, H, W, In] to [B, H, W, Out].
func (c *Conv2D) Forward(x *Value) *Value {
	t := x.Tape()
	return ops.Conv2D(x, ops.ChannelsLast(t.Use(c.Weight)), t.Use(c.Bias), c.Weight.Shape[2], 1)
}

// ConvTranspose2D is a transposed convolution with a k×k kernel, its weights laid out as published ones are.
type ConvTranspose2D struct {
	Weight *autograd.Param `weight:"weight"` // [In, Out, k, k]
	Bias   *autograd.Param `weight:"bias,optional"`

	Stride, Pad int
}

// BlankConvTranspose2D is a transposed convolution of blank parameters.
func BlankConvTranspose2D(in, out, k, stride, pad int, bias bool) *ConvTranspose2D {
	c := &ConvTranspose2D{Weight: Blank(autograd.Matrix, in, out, k, k), Stride: stride, Pad: pad}
	if bias {
		c.Bias = Blank(autograd.Vector, out)
	}
	return c
}

// Forward maps [B, H, W, In] to [B, (H−1)·Stride−2·Pad+k, …, Out].
func (c *ConvTranspose2D) Forward(x *Value) *Value {
	t := x.Tape()
	return ops.ConvTranspose2D(x, ops.ChannelsLast(t.Use(c.Weight)), use(t, c.Bias), c.Weight.Shape[2], c.Stride, c.Pad)
}

// BatchNorm normalises channels by running statistics (Ioffe & Szegedy 2015), under the names of published ones.
type BatchNorm struct {
	Gain *autograd.Param `weight:"weight"`
	Bias *autograd.Param `weight:"bias"`
	Mean *autograd.Param `weight:"running_mean"`
	Var  *autograd.Param `weight:"running_var"`
}

// BlankBatchNorm is a norm of blank parameters.
func BlankBatchNorm(c int) *BatchNorm {
	return &BatchNorm{Blank(autograd.Vector, c), Blank(autograd.Vector, c), Blank(autograd.Buffer, c), Blank(autograd.Buffer, c)}
}

// Forward maps [..., C] to the same shape, cut at zero when relu.
func (n *BatchNorm) Forward(x *Value, relu bool) *Value {
	t := x.Tape()
	return ops.BatchNorm(x, t.Use(n.Gain), t.Use(n.Bias), nil, ops.Running{Mean: n.Mean, Var: n.Var}, relu)
}
