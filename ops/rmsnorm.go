package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// RMSNorm scales every row of the last axis to unit root mean square and then by g + plus (Zhang and Sennrich 2019). x is
// [..., D] and g is [D]; the last axis may also be a multiple of D, as for LayerNorm. plus is 1 for networks that store the
// gain's difference from one, as Gemma does, and 0 for others.
func RMSNorm(x, g *Value, plus, eps float32) *Value {
	d := len(g.Data)
	mustBe(x.Shape.Last()%d == 0, "rmsnorm", "[..., D] and [D]", x, g)
	t, rows := x.Tape(), len(x.Data)/d
	y := newLike(t, autograd.Wants(x, g), x, x.Shape.Last())
	gain := g.Data
	if plus != 0 {
		gain = t.Scratch(d)
		for i, v := range g.Data {
			gain[i] = v + plus
		}
	}
	rstd := t.Scratch(rows)
	kernel.RMSNormRows(y.Data, rstd, x.Data, gain, rows, d, eps)
	if y.Wanted() {
		op := autograd.Node[rmsNormOp](t)
		*op = rmsNormOp{x, g, y, gain, rstd}
		t.Push(op)
	}
	return y
}

type rmsNormOp struct {
	x, g, y    *Value
	gain, rstd []float32
}

// Backward implements autograd.Op.
func (o *rmsNormOp) Backward() {
	d := len(o.gain)
	kernel.RMSNormRowsGrad(o.x.Grad(), o.g.Grad(), o.y.Grad(), o.x.Data, o.gain, o.rstd, len(o.x.Data)/d, d)
}
