package nn

import (
	"fovea/ops"
)

// Deformable is a layer of deformable attention (Zhu et al. 2021): what a query is says where it looks, and how it weighs
// what it finds there.
type Deformable struct {
	Offsets *Dense `weight:"sampling_offsets"`
	Weights *Dense `weight:"attention_weights"`
	Value   *Dense `weight:"value_proj"`  // nil: the features themselves (D-FINE)
	Out     *Dense `weight:"output_proj"` // nil: what was read itself
}

// BlankDeformable is a layer of blank parameters in which every head looks at so many points; projected is with Value and Out.
func BlankDeformable(d, heads, points int, projected bool) *Deformable {
	l := &Deformable{Offsets: BlankDense(d, heads*points*2, true), Weights: BlankDense(d, heads*points, true)}
	if projected {
		l.Value, l.Out = BlankDense(d, d, true), BlankDense(d, d, true)
	}
	return l
}

// Forward has queries x [N, D] with their boxes look at rows y [B·S, D] as c says; see ops.DeformableAttention.
func (l *Deformable) Forward(x, y *Value, boxes []float32, c *ops.Deformable) *Value {
	if l.Value != nil {
		y = l.Value.Forward(y)
	}
	z := ops.DeformableAttention(y, l.Offsets.Forward(x), l.Weights.Forward(x), boxes, c)
	if l.Out != nil {
		z = l.Out.Forward(z)
	}
	return z
}
