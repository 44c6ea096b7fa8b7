package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// Retrieve asks image features where a token's vector is found: result[i, p] = e[i, :C]·feat[image[i], p] + e[i, C].
// e is [N, C+1], the last column being an offset; feat is [B, H, W, C]; the result is [N, H·W]. It is how masks and joints
// are read out without a decoder of their own (UFO, arXiv 2503.01342). image must be sorted.
func Retrieve(e, feat *Value, image []int32) *Value {
	n, c := e.Shape.Rows(), feat.Shape.Last()
	p := feat.Shape[1] * feat.Shape[2]
	mustBe(e.Shape.Last() == c+1 && len(image) == n, "retrieve", "[N, C+1] and [B, H, W, C]", e, feat)
	t := e.Tape()
	y := t.New(autograd.Wants(e, feat), n, p)
	op := autograd.Node[retrieveOp](t)
	*op = retrieveOp{e, feat, y, image}
	op.runs(func(o *retrieveOp, b, i, m int) {
		kernel.Gemm(t.Work, kernel.M(o.y.Data[i*p:], m, p), kernel.Mat{Data: o.e.Data[i*(c+1):], Rows: m, Cols: c, RS: c + 1, CS: 1},
			kernel.M(o.feat.Data[b*p*c:], p, c).T(), kernel.Epilogue{})
	})
	for i := range n {
		off, row := e.Data[i*(c+1)+c], y.Data[i*p:(i+1)*p]
		for j := range row {
			row[j] += off
		}
	}
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type retrieveOp struct {
	e, feat, y *Value
	image      []int32
}

// runs calls f for each run of tokens of the same picture: picture b, tokens [i, i+m).
func (o *retrieveOp) runs(f func(o *retrieveOp, b, i, m int)) {
	for i := 0; i < len(o.image); {
		m := 1
		for i+m < len(o.image) && o.image[i+m] == o.image[i] {
			m++
		}
		f(o, int(o.image[i]), i, m)
		i += m
	}
}

func (o *retrieveOp) Backward() {
	o.runs(func(o *retrieveOp, b, i, m int) {
		c, p := o.feat.Shape.Last(), o.y.Shape.Last()
		t, add := o.y.Tape(), kernel.Epilogue{Beta: 1}
		dy := kernel.M(o.y.Grad()[i*p:], m, p)
		if o.e.Wanted() {
			kernel.Gemm(t.Work, kernel.Mat{Data: o.e.Grad()[i*(c+1):], Rows: m, Cols: c, RS: c + 1, CS: 1}, dy, kernel.M(o.feat.Data[b*p*c:], p, c), add)
			for j := range m {
				o.e.Grad()[(i+j)*(c+1)+c] += kernel.Sum(o.y.Grad()[(i+j)*p : (i+j+1)*p])
			}
		}
		if o.feat.Wanted() {
			kernel.Gemm(t.Work, kernel.M(o.feat.Grad()[b*p*c:], p, c), dy.T(), kernel.Mat{Data: o.e.Data[i*(c+1):], Rows: m, Cols: c, RS: c + 1, CS: 1}, add)
		}
	})
}

// MaskLoss returns Σᵢ weight[i]·(dice + bce) of mask logits against targets in [0, 1]; logits is [N, P]. Dice is
// 1 − (2Σpt+1)/(Σp+Σt+1) (Milletari et al. 2016); the cross-entropy is summed and divided by 4·Σt+8, so that a small
// object counts as much as a large one.
func MaskLoss(logits *Value, target, weight []float32) *Value {
	n, p := logits.Shape.Rows(), logits.Shape.Last()
	mustBe(len(target) == n*p && len(weight) == n, "maskloss", "a target for each logit and a weight for each row", logits)
	t := logits.Tape()
	y := t.New(autograd.Wants(logits), 1)
	prob := t.Scratch(n * p)
	kernel.Sigmoid(prob, logits.Data)
	total := 0.0
	for i, w := range weight {
		x, q, g := logits.Data[i*p:(i+1)*p], prob[i*p:(i+1)*p], target[i*p:(i+1)*p]
		area := kernel.Sum(g)
		dice := 1 - (2*kernel.Dot(q, g)+1)/(kernel.Sum(q)+area+1)
		bce := float32(0)
		for j, v := range x {
			bce += softplusFast(v, q[j]) - g[j]*v
		}
		total += float64(w) * float64(dice+bce/(4*area+8))
	}
	y.Data[0] = float32(total)
	if y.Wanted() {
		op := autograd.Node[maskLossOp](t)
		*op = maskLossOp{logits, y, target, weight, prob}
		t.Push(op)
	}
	return y
}

// softplusFast is log(1+eˣ) given s = sigmoid(x): −log(1−s), exact enough away from saturation and x or 0 beyond.
func softplusFast(x, s float32) float32 {
	if x > 8 {
		return x
	}
	return -log(max(1-s, 1e-12))
}

type maskLossOp struct {
	x, y           *Value
	target, weight []float32
	prob           []float32
}

func (o *maskLossOp) Backward() {
	p := o.x.Shape.Last()
	for i, w := range o.weight {
		w *= o.y.Grad()[0]
		q, g, dx := o.prob[i*p:(i+1)*p], o.target[i*p:(i+1)*p], o.x.Grad()[i*p:(i+1)*p]
		area := kernel.Sum(g)
		num, den := 2*kernel.Dot(q, g)+1, kernel.Sum(q)+area+1
		c := w / (4*area + 8)
		for j, s := range q {
			dice := (num/den - 2*g[j]) / den * s * (1 - s)
			dx[j] += w*dice + c*(s-g[j])
		}
	}
}
