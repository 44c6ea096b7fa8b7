package ops

import (
	"math"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// CrossEntropy returns Σᵢ weight[i]·(−log softmax(logits[i])[target[i]]), a scalar, with label smoothing: a share smooth
// of the target's mass is spread evenly over all classes (Szegedy et al. 2016). logits is [N, V]. Rows with target < 0
// or weight 0 are left out. The caller divides: weights usually sum to 1 or to the number of objects.
func CrossEntropy(logits *Value, target []int32, weight []float32, smooth float32) *Value {
	n, v := logits.Shape.Rows(), logits.Shape.Last()
	mustBe(len(target) == n && len(weight) == n, "crossentropy", "a target and a weight for each row", logits)
	t := logits.Tape()
	y := t.New(autograd.Wants(logits), 1)
	lse := t.Scratch(n)
	total := 0.0
	for i, c := range target {
		if c < 0 || weight[i] == 0 {
			continue
		}
		row := logits.Data[i*v : (i+1)*v]
		lse[i] = kernel.LogSumExp(row)
		l := lse[i] - (1-smooth)*row[c]
		if smooth > 0 {
			l -= smooth * kernel.Sum(row) / float32(v)
		}
		total += float64(weight[i]) * float64(l)
	}
	y.Data[0] = float32(total)
	if y.Wanted() {
		op := autograd.Node[crossEntropyOp](t)
		*op = crossEntropyOp{logits, y, target, weight, lse, smooth}
		t.Push(op)
	}
	return y
}

type crossEntropyOp struct {
	x, y   *Value
	target []int32
	weight []float32
	lse    []float32
	smooth float32
}

// Backward: dlogits = weight·(softmax − target distribution).
func (o *crossEntropyOp) Backward() {
	t, v := o.y.Tape(), o.x.Shape.Last()
	mark := t.Mark()
	p := t.Scratch(v)
	for i, c := range o.target {
		if c < 0 || o.weight[i] == 0 {
			continue
		}
		w := o.weight[i] * o.y.Grad()[0]
		dx := o.x.Grad()[i*v : (i+1)*v]
		probabilities(p, o.x.Data[i*v:(i+1)*v], o.lse[i])
		kernel.Axpy(w, p, dx)
		dx[c] -= w * (1 - o.smooth)
		if o.smooth > 0 {
			u := w * o.smooth / float32(v)
			for j := range dx {
				dx[j] -= u
			}
		}
	}
	t.Release(mark)
}

// probabilities writes softmax(x) given log Σ exp x.
func probabilities(p, x []float32, lse float32) {
	for j, v := range x {
		p[j] = v - lse
	}
	kernel.Exp(p, p)
}

// SoftCrossEntropy is CrossEntropy against whole distributions: Σᵢ weight[i]·(−Σⱼ target[i][j]·log softmax(logits[i])[j]).
// target is [N, V] with rows that sum to 1. Logits are finite: what cannot be is a large negative number, not −Inf.
func SoftCrossEntropy(logits *Value, target []float32, weight []float32) *Value {
	n, v := logits.Shape.Rows(), logits.Shape.Last()
	mustBe(len(target) == n*v && len(weight) == n, "softcrossentropy", "a distribution and a weight for each row", logits)
	t := logits.Tape()
	y := t.New(autograd.Wants(logits), 1)
	lse := t.Scratch(n)
	total := 0.0
	for i := range n {
		row, q := logits.Data[i*v:(i+1)*v], target[i*v:(i+1)*v]
		lse[i] = kernel.LogSumExp(row)
		total += float64(weight[i]) * float64(lse[i]-kernel.Dot(row, q))
	}
	y.Data[0] = float32(total)
	if y.Wanted() {
		op := autograd.Node[softCrossEntropyOp](t)
		*op = softCrossEntropyOp{logits, y, target, weight, lse}
		t.Push(op)
	}
	return y
}

type softCrossEntropyOp struct {
	x, y           *Value
	target, weight []float32
	lse            []float32
}

func (o *softCrossEntropyOp) Backward() {
	t, v := o.y.Tape(), o.x.Shape.Last()
	mark := t.Mark()
	p := t.Scratch(v)
	for i, w := range o.weight {
		w *= o.y.Grad()[0]
		if w == 0 {
			continue
		}
		dx := o.x.Grad()[i*v : (i+1)*v]
		probabilities(p, o.x.Data[i*v:(i+1)*v], o.lse[i])
		kernel.Axpy(w, p, dx)
		kernel.Axpy(-w, o.target[i*v:(i+1)*v], dx)
	}
	t.Release(mark)
}

// BinaryCrossEntropy returns Σᵢ weight[i]·(softplus(xᵢ) − targetᵢ·xᵢ), the negative log likelihood of independent yes/no
// answers with logits x and targets in [0, 1].
func BinaryCrossEntropy(x *Value, target, weight []float32) *Value {
	mustBe(len(target) == len(x.Data) && len(weight) == len(x.Data), "binarycrossentropy", "a target and a weight for each logit", x)
	t := x.Tape()
	y := t.New(autograd.Wants(x), 1)
	total := 0.0
	for i, v := range x.Data {
		if weight[i] != 0 {
			total += float64(weight[i]) * float64(softplus(v)-target[i]*v)
		}
	}
	y.Data[0] = float32(total)
	if y.Wanted() {
		op := autograd.Node[binaryOp](t)
		*op = binaryOp{x, y, target, weight}
		t.Push(op)
	}
	return y
}

type binaryOp struct {
	x, y           *Value
	target, weight []float32
}

func (o *binaryOp) Backward() {
	for i, v := range o.x.Data {
		if w := o.weight[i]; w != 0 {
			o.x.Grad()[i] += o.y.Grad()[0] * w * (sigmoid(v) - o.target[i])
		}
	}
}

// AbsoluteError returns Σᵢ weight[i]·|xᵢ − targetᵢ|.
func AbsoluteError(x *Value, target, weight []float32) *Value {
	mustBe(len(target) == len(x.Data) && len(weight) == len(x.Data), "absoluteerror", "a target and a weight for each element", x)
	t := x.Tape()
	y := t.New(autograd.Wants(x), 1)
	total := 0.0
	for i, v := range x.Data {
		total += float64(weight[i]) * math.Abs(float64(v-target[i]))
	}
	y.Data[0] = float32(total)
	if y.Wanted() {
		op := autograd.Node[absoluteOp](t)
		*op = absoluteOp{x, y, target, weight}
		t.Push(op)
	}
	return y
}

type absoluteOp struct {
	x, y           *Value
	target, weight []float32
}

func (o *absoluteOp) Backward() {
	for i, v := range o.x.Data {
		w := o.weight[i] * o.y.Grad()[0]
		switch {
		case v > o.target[i]:
			o.x.Grad()[i] += w
		case v < o.target[i]:
			o.x.Grad()[i] -= w
		}
	}
}
