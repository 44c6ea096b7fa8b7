package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// Running are a batch norm's statistics for inference: mean and variance, [C] each, parameters of kind Buffer. While
// training, an operation leaves its batch's statistics in the gradient slot of its replica; the training loop averages
// the slots into the running values, so that the result does not depend on the order in which replicas finish.
type Running struct{ Mean, Var *autograd.Param }

// BatchNorm normalises each channel over the batch and all positions (Ioffe & Szegedy 2015), scales by g, shifts by b,
// adds res (a shortcut, may be nil) and, with relu, cuts at zero. x is [..., C]. On a tape that does not train, the
// running statistics are used instead of the batch's.
func BatchNorm(x, g, b, res *Value, run Running, relu bool) *Value {
	const eps = 1e-5
	t, c := x.Tape(), x.Shape.Last()
	mustBe(len(g.Data) == c && len(b.Data) == c && (res == nil || len(res.Data) == len(x.Data)), "batchnorm", "[..., C], [C], [C]", x, g, b, res)
	y := newLike(t, autograd.Wants(x, g, b, res), x, c)
	mean, scale := t.Scratch(c), t.Scratch(c) // scale is 1/√(var+eps)
	if t.Train {
		variance := t.Scratch(c)
		moments(mean, variance, x.Data, t.Scratch(c), t.Scratch(c))
		for i, v := range variance {
			scale[i] = 1 / sqrt(v+eps)
		}
		observe(run.Mean, t.Replica, mean)
		observe(run.Var, t.Replica, variance)
	} else {
		copy(mean, run.Mean.Data)
		for i, v := range run.Var.Data {
			scale[i] = 1 / sqrt(v+eps)
		}
	}
	mul, add := t.Scratch(c), t.Scratch(c)
	for i := range mul {
		mul[i] = g.Data[i] * scale[i]
		add[i] = b.Data[i] - mean[i]*mul[i]
	}
	for i := 0; i < len(x.Data); i += c {
		out := y.Data[i : i+c]
		kernel.Mul(out, x.Data[i:i+c], mul)
		kernel.AddTo(out, add)
		if res != nil {
			kernel.AddTo(out, res.Data[i:i+c])
		}
	}
	if relu {
		kernel.ReLU(y.Data, y.Data)
	}
	if y.Grad != nil {
		op := autograd.Node[batchNormOp](t)
		*op = batchNormOp{x, g, b, res, y, mean, scale, relu}
		t.Push(op)
	}
	return y
}

func observe(p *autograd.Param, replica int, v []float32) {
	p.Replicate(replica + 1)
	copy(p.Grads[replica], v)
}

// moments are the mean and (biased) variance of each column, taken in two passes; shift and row are scratch of the same
// length.
func moments(mean, variance, x, shift, row []float32) {
	c := len(mean)
	n := float32(len(x) / c)
	clear(mean)
	clear(variance)
	addRows(mean, x)
	kernel.Scale(mean, 1/n)
	for i := range mean {
		shift[i] = -mean[i]
	}
	for i := 0; i < len(x); i += c {
		kernel.Add(row, x[i:i+c], shift)
		kernel.MulTo(variance, row, row)
	}
	kernel.Scale(variance, 1/n)
}

type batchNormOp struct {
	x, g, b, res, y *Value
	mean, scale     []float32
	relu            bool
}

// Backward uses x̂ = (x−mean)·scale: dx = g·scale·(dy − mean(dy) − x̂·mean(dy·x̂)).
func (o *batchNormOp) Backward() {
	t, c := o.y.Tape(), o.x.Shape.Last()
	mark := t.Mark()
	defer t.Release(mark)
	grad := o.y.Grad
	if o.relu { // y > 0 exactly where its input was
		grad = t.Zeros(len(o.y.Data))
		kernel.ReLUGrad(grad, o.y.Data, o.y.Grad)
	}
	if o.res != nil && o.res.Grad != nil {
		kernel.AddTo(o.res.Grad, grad)
	}
	sum, dot := t.Zeros(c), t.Zeros(c) // Σ dy and Σ dy·x̂
	shift, row := t.Scratch(c), t.Scratch(c)
	for j, m := range o.mean {
		shift[j] = -m
	}
	for i := 0; i < len(grad); i += c {
		kernel.AddTo(sum, grad[i:i+c])
		kernel.Add(row, o.x.Data[i:i+c], shift)
		kernel.MulTo(dot, grad[i:i+c], row)
	}
	kernel.Mul(dot, dot, o.scale)
	if o.g.Grad != nil {
		kernel.AddTo(o.g.Grad, dot)
	}
	if o.b.Grad != nil {
		kernel.AddTo(o.b.Grad, sum)
	}
	if o.x.Grad == nil {
		return
	}
	n := float32(len(o.x.Data) / c)
	// dx = A·dy + B·x + C with per-channel A, B, C
	a, bx, cc := t.Scratch(c), t.Scratch(c), t.Scratch(c)
	for j := range a {
		a[j] = o.g.Data[j] * o.scale[j]
		bx[j] = -a[j] * o.scale[j] * dot[j] / n
		cc[j] = -a[j]*sum[j]/n - bx[j]*o.mean[j]
	}
	for i := 0; i < len(o.x.Data); i += c {
		dx := o.x.Grad[i : i+c]
		kernel.AddTo(dx, cc)
		kernel.MulTo(dx, a, grad[i:i+c])
		kernel.MulTo(dx, bx, o.x.Data[i:i+c])
	}
}
