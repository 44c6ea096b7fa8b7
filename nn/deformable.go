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

// DeformableBlock is a block of a detector's decoder: attention among the queries, deformable attention to the maps, and a feed-forward
// layer, each added to its input and normed. D-FINE's weighs what it was and what it saw instead of adding them.
type DeformableBlock struct {
	Attn      *Attention  `weight:"attn"`
	Norm1     *LayerNorm  `weight:"norm1"`
	Cross     *Deformable `weight:"cross"`
	CrossNorm *LayerNorm  `weight:"cross_norm"` // nil in D-FINE
	Gate      *Gateway    `weight:"gateway"`    // nil in RT-DETR
	MLP       *MLP        `weight:"mlp"`
	Norm2     *LayerNorm  `weight:"norm2"`
}

// Gateway weighs, feature by feature, what a query was and what it saw.
type Gateway struct {
	Gate *Dense     `weight:"gate"`
	Norm *LayerNorm `weight:"norm"`
}

// BlankDeformableBlock is a block of blank parameters, of a configuration that has been checked, in which every head looks at so many
// points; gated is D-FINE's.
func BlankDeformableBlock(c EncoderConfig, points int, gated bool) *DeformableBlock {
	d := c.Width
	act, _ := Activation(c.Act)
	b := &DeformableBlock{
		Attn: BlankAttention(d, c.Heads, true), Norm1: BlankNorm(d, c.Eps), Cross: BlankDeformable(d, c.Heads, points, !gated),
		MLP: BlankMLP(d, c.Inner, act), Norm2: BlankNorm(d, c.Eps),
	}
	if gated {
		b.Gate = &Gateway{BlankDense(2*d, 2*d, true), BlankNorm(d, 1e-5)}
	} else {
		b.CrossNorm = BlankNorm(d, c.Eps)
	}
	return b
}

// Forward maps queries x [B·Q, D], whose boxes are embedded as pos, to the same shape; they look at the maps' rows y.
func (b *DeformableBlock) Forward(p *Pass, x, pos, y *Value, boxes []float32, c *ops.Deformable) *Value {
	x = b.Norm1.Forward(ops.Add(x, b.Attn.Placed(p, x, pos)))
	seen := b.Cross.Forward(ops.Add(x, pos), y, boxes, c)
	if b.Gate != nil {
		x = b.Gate.Forward(x, seen)
	} else {
		x = b.CrossNorm.Forward(ops.Add(x, seen))
	}
	x = ops.Add(x, b.MLP.Forward(p, x))
	if b.Gate != nil {
		x = ops.Clamp(x, -65504, 65504) // as the reference, for binary16
	}
	return b.Norm2.Forward(x)
}

// Forward maps both to one of their shape.
func (g *Gateway) Forward(x, seen *Value) *Value {
	d := x.Shape.Last()
	w := ops.Sigmoid(g.Gate.Forward(ops.Join(x, seen)))
	return g.Norm.Forward(ops.Add(ops.Mul(ops.Columns(w, 0, d), x), ops.Mul(ops.Columns(w, d, 2*d), seen)))
}
