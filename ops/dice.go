package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// ClassDice returns 1 minus the mean over classes of the soft Dice coefficient (2Σwpt+1)/(Σwp+Σwt+1) between the softmax p of
// logits and target t, over all rows together (Milletari et al. 2016, by class as Sudre et al. 2017): a class of few pixels
// counts as much as one of many. logits is [N, V], target [N, V] with rows that sum to 1, weight [N]; rows of weight 0 are left
// out, and so are classes whose weighted target is 0 everywhere. The result is a scalar; it is 0 without any class. Logits
// are finite.
func ClassDice(logits *Value, target, weight []float32) *Value {
	n, v := logits.Shape.Rows(), logits.Shape.Last()
	mustBe(len(target) == n*v && len(weight) == n, "classdice", "a distribution and a weight for each row", logits)
	t := logits.Tape()
	y := t.New(autograd.Wants(logits), 1)
	prob := t.Scratch(n * v)
	sums := t.Scratch(3 * v) // Σwpt, Σwp, Σwt of each class
	clear(sums)
	both, ours, theirs := sums[:v], sums[v:2*v], sums[2*v:]
	for i, w := range weight {
		if w == 0 {
			continue
		}
		p, q := prob[i*v:(i+1)*v], target[i*v:(i+1)*v]
		x := logits.Data[i*v : (i+1)*v]
		probabilities(p, x, kernel.LogSumExp(x))
		for j, a := range p {
			both[j] += w * a * q[j]
			ours[j] += w * a
			theirs[j] += w * q[j]
		}
	}
	classes, total := 0, float32(0)
	for j, s := range theirs {
		if s > 0 {
			classes++
			total += 1 - (2*both[j]+1)/(ours[j]+s+1)
		}
	}
	y.Data[0] = total / float32(max(classes, 1))
	if y.Wanted() && classes > 0 {
		op := autograd.Node[classDiceOp](t)
		*op = classDiceOp{logits, y, target, weight, prob, sums, classes}
		t.Push(op)
	}
	return y
}

type classDiceOp struct {
	x, y           *Value
	target, weight []float32
	prob, sums     []float32
	classes        int
}

// Backward: dp = −w·(2t·den − num)/den² for each class that occurs, through the softmax: dx = p·(dp − Σ p·dp).
func (o *classDiceOp) Backward() {
	t, v := o.y.Tape(), o.x.Shape.Last()
	mark := t.Mark()
	a, b := t.Scratch(v), t.Scratch(v) // dp = w·(a − b·t)
	for j := range v {
		num, den := 2*o.sums[j]+1, o.sums[v+j]+o.sums[2*v+j]+1
		a[j], b[j] = 0, 0
		if o.sums[2*v+j] > 0 {
			g := o.y.Grad()[0] / float32(o.classes)
			a[j], b[j] = g*num/(den*den), g*2/den
		}
	}
	for i, w := range o.weight {
		if w == 0 {
			continue
		}
		p, q, dx := o.prob[i*v:(i+1)*v], o.target[i*v:(i+1)*v], o.x.Grad()[i*v:(i+1)*v]
		mean := float32(0)
		for j, s := range p {
			mean += s * (a[j] - b[j]*q[j])
		}
		for j, s := range p {
			dx[j] += w * s * (a[j] - b[j]*q[j] - mean)
		}
	}
	t.Release(mark)
}
