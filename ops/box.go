package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// Expect returns the mean of centers under softmax(logits[i]): a coordinate finer than its bins. logits is [N, V],
// centers has V values; the result is [N].
func Expect(logits *Value, centers []float32) *Value {
	n, v := logits.Shape.Rows(), logits.Shape.Last()
	mustBe(len(centers) == v, "expect", "a centre for each column", logits)
	t := logits.Tape()
	y := t.New(autograd.Wants(logits), n)
	p := t.Scratch(n * v)
	copy(p, logits.Data)
	kernel.SoftmaxRows(p, n, v, v, 1)
	for i := range n {
		y.Data[i] = kernel.Dot(p[i*v:(i+1)*v], centers)
	}
	if y.Wanted() {
		op := autograd.Node[expectOp](t)
		*op = expectOp{logits, y, p, centers}
		t.Push(op)
	}
	return y
}

type expectOp struct {
	x, y       *Value
	p, centers []float32
}

// Backward: dE/dlogit_j = p_j·(center_j − E).
func (o *expectOp) Backward() {
	v := len(o.centers)
	for i, g := range o.y.Grad() {
		if g == 0 {
			continue
		}
		e, dx, p := o.y.Data[i], o.x.Grad()[i*v:(i+1)*v], o.p[i*v:(i+1)*v]
		for j := range dx {
			dx[j] += g * p[j] * (o.centers[j] - e)
		}
	}
}

// GIoULoss returns Σᵢ weight[i]·(1 − GIoU(boxᵢ, targetᵢ)) (Rezatofighi et al. 2019). box is [N, 4] (y0, x0, y1, x1) in
// any unit; target has as many values.
func GIoULoss(box *Value, target, weight []float32) *Value {
	n := len(box.Data) / 4
	mustBe(len(box.Data) == 4*n && len(target) == 4*n && len(weight) == n, "giou", "[N, 4] and N weights", box)
	t := box.Tape()
	y := t.New(autograd.Wants(box), 1)
	total := 0.0
	for i, w := range weight {
		l, _ := giou([4]float32(box.Data[4*i:]), [4]float32(target[4*i:]))
		total += float64(w) * float64(l)
	}
	y.Data[0] = float32(total)
	if y.Wanted() {
		op := autograd.Node[giouOp](t)
		*op = giouOp{box, y, target, weight}
		t.Push(op)
	}
	return y
}

type giouOp struct {
	x, y           *Value
	target, weight []float32
}

func (o *giouOp) Backward() {
	for i, w := range o.weight {
		_, d := giou([4]float32(o.x.Data[4*i:]), [4]float32(o.target[4*i:]))
		for j := range d {
			o.x.Grad()[4*i+j] += w * o.y.Grad()[0] * d[j]
		}
	}
}

// giou is 1 − GIoU and its derivative by the four coordinates of a. Sides are cut at zero, as in areas of boxes that are
// inside out.
func giou(a, b [4]float32) (loss float32, grad [4]float32) {
	const eps = 1e-6
	ah, aw := max(a[2]-a[0], 0), max(a[3]-a[1], 0)
	ih, iw := max(min(a[2], b[2])-max(a[0], b[0]), 0), max(min(a[3], b[3])-max(a[1], b[1]), 0)
	ch, cw := max(max(a[2], b[2])-min(a[0], b[0]), 0), max(max(a[3], b[3])-min(a[1], b[1]), 0)
	inter := ih * iw
	union := ah*aw + max(b[2]-b[0], 0)*max(b[3]-b[1], 0) - inter + eps
	hull := ch*cw + eps
	loss = 2 - inter/union - union/hull
	// by the areas: d/dinter (with union = … − inter), d/d(area of a), d/dhull
	dUnion := inter/(union*union) - 1/hull
	dInter := -1/union - dUnion
	dHull := union / (hull * hull)
	for j := range 4 {
		axis := j % 2 // 0: y, 1: x
		sign := float32(-1)
		if j >= 2 {
			sign = 1
		}
		other := func(h, w float32) float32 {
			if axis == 0 {
				return w
			}
			return h
		}
		if (axis == 0 && ah > 0) || (axis == 1 && aw > 0) {
			grad[j] += sign * dUnion * other(ah, aw)
		}
		inner := (j < 2 && a[j] > b[j]) || (j >= 2 && a[j] < b[j]) // a's edge bounds the intersection
		if side := [2]float32{ih, iw}[axis]; inner && side > 0 {
			grad[j] += sign * dInter * other(ih, iw)
		}
		outer := (j < 2 && a[j] < b[j]) || (j >= 2 && a[j] > b[j]) // a's edge bounds the hull
		if side := [2]float32{ch, cw}[axis]; outer && side > 0 {
			grad[j] += sign * dHull * other(ch, cw)
		}
	}
	return loss, grad
}
