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
		return &Simple{Conv: nn.BlankConv2D(d, k, 3), factor: c.Factor}
	}
	const n = 256
	return &Classic{
		Up1: nn.BlankConvTranspose2D(d, n, 4, 2, 1, false), Norm1: nn.BlankBatchNorm(n),
		Up2: nn.BlankConvTranspose2D(n, n, 4, 2, 1, false), Norm2: nn.BlankBatchNorm(n), Conv: nn.BlankConv2D(n, k, 1),
	}
}

// Simple enlarges the tokens and reads them out with one convolution.
type Simple struct {
	Conv   *nn.Conv2D `weight:"conv"`
	factor int
}

// Forward implements Head.
func (s *Simple) Forward(x *autograd.Value) *autograd.Value {
	rows := nn.Taps(x.Shape[1], s.factor*x.Shape[1], imageproc.Bilinear, false)
	cols := nn.Taps(x.Shape[2], s.factor*x.Shape[2], imageproc.Bilinear, false)
	return s.Conv.Forward(ops.Resize(ops.ReLU(x), rows, cols))
}

// Classic enlarges the tokens with two transposed convolutions (Xiao et al. 2018).
type Classic struct {
	Up1   *nn.ConvTranspose2D `weight:"deconv1"`
	Norm1 *nn.BatchNorm       `weight:"batchnorm1"`
	Up2   *nn.ConvTranspose2D `weight:"deconv2"`
	Norm2 *nn.BatchNorm       `weight:"batchnorm2"`
	Conv  *nn.Conv2D          `weight:"conv"`
}

// Forward implements Head.
func (c *Classic) Forward(x *autograd.Value) *autograd.Value {
	x = c.Norm1.Forward(c.Up1.Forward(x), true)
	x = c.Norm2.Forward(c.Up2.Forward(x), true)
	return c.Conv.Forward(x)
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
