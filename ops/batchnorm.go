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
		kernel.Moments(mean, variance, x.Data, t.Scratch(c))
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
	var shortcut []float32
	if res != nil {
		shortcut = res.Data
	}
	kernel.Affine(y.Data, x.Data, shortcut, mul, add, relu)
	if y.Wanted() {
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
	dy := o.y.Grad()
	if o.res != nil && o.res.Wanted() {
		if o.relu { // y > 0 exactly where its input was
			dres, fresh := o.res.FirstGrad()
			kernel.Above(dres, o.y.Data, dy, !fresh)
		} else {
			give(o.res, dy)
		}
	}
	sum, dot := t.Zeros(c), t.Zeros(c) // Σ dy and Σ dy·x̂
	kernel.AffineSums(sum, dot, o.x.Data, o.y.Data, dy, o.mean, o.relu)
	kernel.Mul(dot, dot, o.scale)
	if o.g.Wanted() {
		kernel.AddTo(o.g.Grad(), dot)
	}
	if o.b.Wanted() {
		kernel.AddTo(o.b.Grad(), sum)
	}
	if !o.x.Wanted() {
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
	dx, fresh := o.x.FirstGrad()
	kernel.AffineGrad(dx, o.x.Data, o.y.Data, dy, a, bx, cc, o.relu, !fresh)
}
