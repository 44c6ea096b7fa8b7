package nn

import (
	"math"
	"math/rand/v2"

	"fovea/autograd"
	"fovea/ops"
)

// Adapted is a dense layer that stays as it is, with a low-rank map learned beside it: x·Weightᵀ + Bias + (x·Aᵀ)·Bᵀ
// (LoRA, Hu et al. 2021, with α = rank). B starts at zero, so that a new adapter changes nothing.
type Adapted struct {
	Base *Dense          `weight:""`
	A    *autograd.Param `weight:"lora_a"` // [R, In]
	B    *autograd.Param `weight:"lora_b"` // [Out, R]
}

// Adapt freezes a layer and puts an adapter of the given rank beside it.
func Adapt(rng *rand.Rand, d *Dense, rank int) *Adapted {
	in, out := d.Dims()
	d.freeze(true)
	a := &Adapted{Base: d, A: autograd.NewParam(autograd.Matrix, rank, in), B: autograd.NewParam(autograd.Matrix, out, rank)}
	Normal(rng, a.A, 1/math.Sqrt(float64(in)))
	return a
}

// Forward implements Linear.
func (a *Adapted) Forward(x *Value) *Value {
	t := x.Tape()
	return ops.Add(a.Base.Forward(x), ops.Linear(ops.Linear(x, t.Use(a.A), nil), t.Use(a.B), nil))
}

// Dims implements Linear.
func (a *Adapted) Dims() (in, out int) { return a.Base.Dims() }

// Merge adds the adapter into the layer's weight and returns the layer, trainable again: the same map without the cost.
func (a *Adapted) Merge() *Dense {
	in, out := a.Dims()
	rank := a.A.Shape[0]
	for o := range out {
		row := a.Base.Weight.Data[o*in : (o+1)*in]
		for r := range rank {
			b := a.B.Data[o*rank+r]
			for i, v := range a.A.Data[r*in : (r+1)*in] {
				row[i] += b * v
			}
		}
	}
	a.Base.freeze(false)
	return a.Base
}

func (d *Dense) freeze(frozen bool) {
	d.Weight.Frozen = frozen
	if d.Bias != nil {
		d.Bias.Frozen = frozen
	}
}

// linears are the slots of a stack's dense maps: of attention and of plain feed-forward layers.
func (s *Stack) linears() []*Linear {
	var out []*Linear
	for _, b := range s.Blocks {
		out = append(out, &b.Attn.Q, &b.Attn.K, &b.Attn.V, &b.Attn.O)
		if m, ok := b.MLP.(*MLP); ok {
			out = append(out, &m.Up, &m.Down)
		}
	}
	return out
}

// Adapt puts adapters beside all dense maps of the stack.
func (s *Stack) Adapt(rng *rand.Rand, rank int) {
	for _, l := range s.linears() {
		if d, ok := (*l).(*Dense); ok {
			*l = Adapt(rng, d, rank)
		}
	}
}

// Merge takes the adapters of the stack into its weights.
func (s *Stack) Merge() {
	for _, l := range s.linears() {
		if a, ok := (*l).(*Adapted); ok {
			*l = a.Merge()
		}
	}
}
