package nn

import (
	"fmt"

	"fovea/autograd"
	"fovea/internal/memory"
	"fovea/ops"
	"fovea/tensor"
)

// Blank makes a parameter without data: its shape says what a checkpoint must hold, and checkpoint.Bind gives it memory
// once the checkpoint does. A configuration that lies about its size therefore costs nothing.
func Blank(kind autograd.Kind, shape ...int) *autograd.Param {
	return &autograd.Param{Tensor: tensor.Tensor{Shape: append(tensor.Shape{}, shape...)}, Kind: kind, Frozen: kind == autograd.Buffer}
}

// Allot gives the blank parameters of m memory, zero: they are to be trained, or copied to.
func Allot(m any) {
	for p := range Walk(m) {
		if q := *p.Slot; q != nil && q.Data == nil {
			q.Data = memory.Make[float32](q.Shape.Size())
		}
	}
}

// BlankDense is a Dense layer of blank parameters.
func BlankDense(in, out int, bias bool) *Dense {
	d := &Dense{Weight: Blank(autograd.Matrix, out, in)}
	if bias {
		d.Bias = Blank(autograd.Vector, out)
	}
	return d
}

// BlankNorm is a LayerNorm of blank parameters, with a bias.
func BlankNorm(d int, eps float32) *LayerNorm {
	return &LayerNorm{Gain: Blank(autograd.Vector, d), Bias: Blank(autograd.Vector, d), Eps: eps}
}

// Scale multiplies every feature by a number of its own (LayerScale, Touvron et al. 2021).
type Scale struct {
	Weight *autograd.Param `weight:"weight"` // [D]
}

// Forward maps [..., D] to the same shape; a nil Scale changes nothing.
func (s *Scale) Forward(x *Value) *Value {
	if s == nil {
		return x
	}
	return ops.Mul(x, x.Tape().Use(s.Weight))
}

// Activation finds an activation by the name that published configurations have for it (hidden_act).
func Activation(name string) (func(*Value) *Value, error) {
	switch name {
	case "gelu":
		return ops.GELUExact, nil
	case "gelu_new", "gelu_fast", "gelu_pytorch_tanh":
		return ops.GELU, nil
	case "quick_gelu":
		return ops.QuickGELU, nil
	case "relu":
		return ops.ReLU, nil
	case "silu", "swish":
		return ops.SiLU, nil
	}
	return nil, fmt.Errorf("nn: unknown hidden_act %q; there are gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, quick_gelu, relu, silu and swish", name)
}
