// Package nn provides the layers that models are built from. A layer holds parameters and says, in Forward, how values
// pass through it; weight tags give every parameter its name in a checkpoint.
package nn

import (
	"math"
	"math/rand/v2"

	"fovea/autograd"
	"fovea/ops"
)

// Value is shorthand for a node of the computation.
type Value = autograd.Value

// Linear maps [..., In] to [..., Out]. Dense is the ordinary one; low-rank adapters and quantised weights are others.
type Linear interface {
	Forward(x *Value) *Value
	Dims() (in, out int)
}

// Dense is x·Weightᵀ + Bias.
type Dense struct {
	Weight *autograd.Param `weight:"weight"`        // [Out, In]
	Bias   *autograd.Param `weight:"bias,optional"` // [Out]

	narrow *ops.Narrow // in place of Weight's data, see Lower
}

// NewDense makes a layer with weights drawn from N(0, 1/in) and a zero bias.
func NewDense(rng *rand.Rand, in, out int, bias bool) *Dense {
	d := &Dense{Weight: autograd.NewParam(autograd.Matrix, out, in)}
	Normal(rng, d.Weight, 1/math.Sqrt(float64(in)))
	if bias {
		d.Bias = autograd.NewParam(autograd.Vector, out)
	}
	return d
}

// Forward implements Linear.
func (d *Dense) Forward(x *Value) *Value {
	t := x.Tape()
	if d.narrow != nil {
		return ops.NarrowLinear(x, d.narrow, use(t, d.Bias))
	}
	return ops.Linear(x, t.Use(d.Weight), use(t, d.Bias))
}

// Dims implements Linear.
func (d *Dense) Dims() (in, out int) { return d.Weight.Shape[1], d.Weight.Shape[0] }

// As says how the optimiser treats the weight, for layers that are read-outs or tables rather than hidden maps.
func (d *Dense) As(k autograd.Kind) *Dense {
	d.Weight.Kind = k
	return d
}

// together is what two or three maps make of x: as one job where they are ordinary ones and x has few rows.
func together(x *Value, layers ...Linear) (ys [3]*Value) {
	var maps [3]ops.Map
	dense := true
	for i, l := range layers {
		d, ok := l.(*Dense)
		if dense = dense && ok; !dense {
			break
		}
		maps[i] = ops.Map{Narrow: d.narrow, Bias: use(x.Tape(), d.Bias)}
		if d.narrow == nil {
			maps[i].W = x.Tape().Use(d.Weight)
		}
	}
	if dense && ops.Together(ys[:], x, maps[:len(layers)]) {
		return ys
	}
	for i, l := range layers {
		ys[i] = l.Forward(x)
	}
	return ys
}

func use(t *autograd.Tape, p *autograd.Param) *Value {
	if p == nil {
		return nil
	}
	return t.Use(p)
}

// Normal fills a parameter from N(0, std²). A nil rng leaves it zero: a checkpoint will fill it.
func Normal(rng *rand.Rand, p *autograd.Param, std float64) {
	if rng == nil {
		return
	}
	for i := range p.Data {
		p.Data[i] = float32(rng.NormFloat64() * std)
	}
}

// Fill sets every element.
func Fill(p *autograd.Param, v float32) {
	for i := range p.Data {
		p.Data[i] = v
	}
}

// LayerNorm normalises the last axis (Ba et al. 2016).
type LayerNorm struct {
	Gain *autograd.Param `weight:"weight"`
	Bias *autograd.Param `weight:"bias,optional"`
	Eps  float32
}

// NewLayerNorm makes a norm over d features with gain 1.
func NewLayerNorm(d int, bias bool) *LayerNorm {
	n := &LayerNorm{Gain: autograd.NewParam(autograd.Vector, d), Eps: 1e-5}
	Fill(n.Gain, 1)
	if bias {
		n.Bias = autograd.NewParam(autograd.Vector, d)
	}
	return n
}

// Forward normalises x [..., n·D]; each run of D features is one row.
func (n *LayerNorm) Forward(x *Value) *Value {
	t := x.Tape()
	return ops.LayerNorm(x, t.Use(n.Gain), use(t, n.Bias), n.Eps)
}

// FeedForward is the second half of a transformer block: it maps [N, D] to [N, D], row by row.
type FeedForward interface {
	Forward(p *Pass, x *Value) *Value
}

// MLP is the feed-forward layer: Down(Act(Up(x))).
type MLP struct {
	Up   Linear              `weight:"up"`
	Down Linear              `weight:"down"`
	Act  func(*Value) *Value // nil: ops.GELU
}

// Forward implements FeedForward; it does not look at the pass.
func (m *MLP) Forward(_ *Pass, x *Value) *Value { return m.Down.Forward(m.Hidden(x)) }

// Hidden is what the units between the maps say of x: Act(Up(x)).
func (m *MLP) Hidden(x *Value) *Value { return m.act()(m.Up.Forward(x).Spare()) }

func (m *MLP) act() func(*Value) *Value {
	if m.Act == nil {
		return ops.GELU
	}
	return m.Act
}

// GatedMLP is Down(Act(Gate(x))·Up(x)), also called SwiGLU or, with GELU, GeGLU (Shazeer 2020).
type GatedMLP struct {
	Gate Linear              `weight:"gate"`
	Up   Linear              `weight:"up"`
	Down Linear              `weight:"down"`
	Act  func(*Value) *Value // nil: ops.SiLU
}

// Forward implements FeedForward; it does not look at the pass.
func (m *GatedMLP) Forward(_ *Pass, x *Value) *Value { return m.Down.Forward(m.Hidden(x)) }

// Hidden is what the units between the maps say of x: Act(Gate(x))·Up(x).
func (m *GatedMLP) Hidden(x *Value) *Value {
	act := m.Act
	if act == nil {
		act = ops.SiLU
	}
	y := together(x, m.Gate, m.Up)
	return ops.Mul(act(y[0].Spare()), y[1])
}
