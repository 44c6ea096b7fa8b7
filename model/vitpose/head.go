package vitpose

import (
	"fovea/autograd"
	"fovea/imageproc"
	"fovea/nn"
	"fovea/ops"
)

// Head turns the grid of tokens [B, H, W, D] into heat maps [B, 4·H, 4·W, K].
type Head interface {
	Forward(x *autograd.Value) *autograd.Value
}

func newHead(c Config) Head {
	d, k := c.Backbone.Width, len(c.Labels)
	if c.Simple {
		return &Simple{Conv: newConv(d, k, 3), factor: c.Factor}
	}
	return &Classic{Up1: newUp(d), Norm1: newNorm(), Up2: newUp(classicWidth), Norm2: newNorm(), Conv: newConv(classicWidth, k, 1)}
}

// Conv is a k×k convolution with its weights as published, [Out, In, k, k].
type Conv struct {
	Weight *autograd.Param `weight:"weight"`
	Bias   *autograd.Param `weight:"bias"`
}

func newConv(in, out, k int) *Conv {
	return &Conv{Weight: nn.Blank(autograd.Matrix, out, in, k, k), Bias: nn.Blank(autograd.Vector, out)}
}

// Forward keeps height and width.
func (c *Conv) Forward(x *autograd.Value) *autograd.Value {
	t := x.Tape()
	return ops.Conv2D(x, ops.ChannelsLast(t.Use(c.Weight)), t.Use(c.Bias), c.Weight.Shape[2], 1)
}

// Simple enlarges the tokens and reads them out with one convolution.
type Simple struct {
	Conv   *Conv `weight:"conv"`
	factor int
}

// Forward implements Head.
func (s *Simple) Forward(x *autograd.Value) *autograd.Value {
	rows := nn.Taps(x.Shape[1], s.factor*x.Shape[1], imageproc.Bilinear, false)
	cols := nn.Taps(x.Shape[2], s.factor*x.Shape[2], imageproc.Bilinear, false)
	return s.Conv.Forward(ops.Resize(ops.ReLU(x), rows, cols))
}

// classicWidth is the number of features of the classic head.
const classicWidth = 256

// Classic enlarges the tokens with two transposed convolutions (Xiao et al. 2018).
type Classic struct {
	Up1   *autograd.Param `weight:"deconv1.weight"` // [In, 256, 4, 4]
	Norm1 *Norm           `weight:"batchnorm1"`
	Up2   *autograd.Param `weight:"deconv2.weight"`
	Norm2 *Norm           `weight:"batchnorm2"`
	Conv  *Conv           `weight:"conv"`
}

// Norm is a batch norm.
type Norm struct {
	Gain *autograd.Param `weight:"weight"`
	Bias *autograd.Param `weight:"bias"`
	Mean *autograd.Param `weight:"running_mean"`
	Var  *autograd.Param `weight:"running_var"`
}

func newUp(in int) *autograd.Param { return nn.Blank(autograd.Matrix, in, classicWidth, 4, 4) }

func newNorm() *Norm {
	n := classicWidth
	return &Norm{nn.Blank(autograd.Vector, n), nn.Blank(autograd.Vector, n), nn.Blank(autograd.Buffer, n), nn.Blank(autograd.Buffer, n)}
}

// Forward implements Head.
func (c *Classic) Forward(x *autograd.Value) *autograd.Value {
	x = up(up(x, c.Up1, c.Norm1), c.Up2, c.Norm2)
	return c.Conv.Forward(x)
}

// up doubles height and width.
func up(x *autograd.Value, w *autograd.Param, n *Norm) *autograd.Value {
	t := x.Tape()
	x = ops.ConvTranspose2D(x, ops.ChannelsLast(t.Use(w)), nil, 4, 2, 1)
	return ops.BatchNorm(x, t.Use(n.Gain), t.Use(n.Bias), nil, ops.Running{Mean: n.Mean, Var: n.Var}, true)
}

// channelsFirst turns [B, H, W, K] into [B, K, H, W], without a gradient.
func channelsFirst(x *autograd.Value) *autograd.Value {
	b, n, k := x.Shape[0], x.Shape[1]*x.Shape[2], x.Shape[3]
	y := x.Tape().New(false, b, k, x.Shape[1], x.Shape[2])
	for i, v := range x.Data {
		p, j := i/k, i%k
		y.Data[(p/n*k+j)*n+p%n] = v
	}
	return y
}

// mirror turns pictures [B, H, W, 3] round, left to right.
func mirror(x *autograd.Value) *autograd.Value {
	y := x.Tape().New(false, x.Shape...)
	w := x.Shape[2]
	for i := 0; i < len(x.Data); i += 3 {
		p := i / 3
		copy(y.Data[3*(p/w*w+w-1-p%w):], x.Data[i:i+3])
	}
	return y
}

// mirrorBack turns heat maps [B, K, H, W] of a mirrored picture round, and joints of a pair into each other.
func mirrorBack(x *autograd.Value, pairs []float32) *autograd.Value {
	y := x.Tape().New(false, x.Shape...)
	k, w, n := x.Shape[1], x.Shape[3], x.Shape[2]*x.Shape[3]
	from := make([]int, k)
	for i := range from {
		from[i] = i
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		a, b := int(pairs[i]), int(pairs[i+1])
		from[a], from[b] = b, a
	}
	for m := range x.Shape[0] * k {
		src, dst := x.Data[(m/k*k+from[m%k])*n:], y.Data[m*n:]
		for p := range n {
			dst[p] = src[p/w*w+w-1-p%w]
		}
	}
	return y
}
