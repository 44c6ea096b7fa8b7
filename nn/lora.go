package nn

import (
	"math"
	"math/rand/v2"
	"reflect"

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

var linearType = reflect.TypeFor[Linear]()

// linears calls f for every slot of a Linear below v, found as Walk finds parameters.
func linears(v reflect.Value, f func(l *Linear)) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			linears(v.Elem(), f)
		}
	case reflect.Slice:
		for i := range v.Len() {
			linears(v.Index(i), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			field := v.Type().Field(i)
			_, tagged := field.Tag.Lookup("weight")
			switch {
			case !tagged:
			case field.Type != linearType:
				linears(v.Field(i), f)
			case !v.Field(i).IsNil():
				f(v.Field(i).Addr().Interface().(*Linear))
			}
		}
	}
}

// AdaptAll puts adapters of the given rank beside the dense maps of m's attention and feed-forward layers: all that are
// declared as Linear.
func AdaptAll(rng *rand.Rand, m any, rank int) {
	linears(reflect.ValueOf(m), func(l *Linear) {
		if d, ok := (*l).(*Dense); ok {
			*l = Adapt(rng, d, rank)
		}
	})
}

// MergeAll takes the adapters of m into its weights.
func MergeAll(m any) {
	linears(reflect.ValueOf(m), func(l *Linear) {
		if a, ok := (*l).(*Adapted); ok {
			*l = a.Merge()
		}
	})
}

// Adapt puts adapters beside all dense maps of the stack.
func (s *Stack) Adapt(rng *rand.Rand, rank int) { AdaptAll(rng, s, rank) }

// Merge takes the adapters of the stack into its weights.
func (s *Stack) Merge() { MergeAll(s) }
