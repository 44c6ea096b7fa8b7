package nn

import (
	"math"
	"math/rand/v2"

	"fovea/autograd"
	"fovea/ops"
)

// Conv is a k×k convolution without bias, followed by a batch norm: the pair folds into one convolution for inference.
type Conv struct {
	Weight *autograd.Param `weight:"weight"` // [Out, k·k·In]
	Gain   *autograd.Param `weight:"norm.weight"`
	Bias   *autograd.Param `weight:"norm.bias"`
	Mean   *autograd.Param `weight:"norm.running_mean"`
	Var    *autograd.Param `weight:"norm.running_var"`

	Kernel, Stride int
	Pool           int // side of the squares of which the largest value stays, between convolution and norm; 0 or 1: none
}

// NewConv makes a convolution with weights from N(0, 2/(k²·in)) (He et al. 2015).
func NewConv(rng *rand.Rand, in, out, k, stride int) *Conv {
	c := &Conv{
		Weight: autograd.NewParam(autograd.Matrix, out, k*k*in), Gain: autograd.NewParam(autograd.Vector, out), Bias: autograd.NewParam(autograd.Vector, out),
		Mean: autograd.NewParam(autograd.Buffer, out), Var: autograd.NewParam(autograd.Buffer, out), Kernel: k, Stride: stride,
	}
	Normal(rng, c.Weight, math.Sqrt(2/float64(k*k*in)))
	Fill(c.Gain, 1)
	Fill(c.Var, 1)
	return c
}

// Forward maps [B, H, W, In] to [B, ⌈H/s⌉, ⌈W/s⌉, Out], or to so many parts less when it pools: convolution, norm, + res when given,
// ReLU when relu.
func (c *Conv) Forward(x, res *Value, relu bool) *Value {
	t := x.Tape()
	y := ops.Conv2D(x, t.Use(c.Weight), nil, c.Kernel, c.Stride)
	if c.Pool > 1 {
		y = ops.MaxPool(y, c.Pool, c.Pool, 0)
	}
	return ops.BatchNorm(y, t.Use(c.Gain), t.Use(c.Bias), res, ops.Running{Mean: c.Mean, Var: c.Var}, relu)
}

// Residual is two convolutions with a shortcut around them (He et al. 2016).
type Residual struct {
	A *Conv `weight:"a"`
	B *Conv `weight:"b"`
}

// NewResidual makes a block that keeps the number of channels.
func NewResidual(rng *rand.Rand, c int) *Residual {
	return &Residual{NewConv(rng, c, c, 3, 1), NewConv(rng, c, c, 3, 1)}
}

// Forward maps [B, H, W, C] to the same shape.
func (r *Residual) Forward(x *Value) *Value { return r.B.Forward(r.A.Forward(x, nil, true), x, true) }
