package nn

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/ops"
)

// wave fills the network's parameters with sines, weights with variance 2/n for n inputs of a sum: what the reference
// implementation was given, too.
func wave(l *Lite) {
	for j, p := range Params(l) {
		scale := .3
		if p.Kind != autograd.Vector {
			scale = math.Sqrt(4 / float64(len(p.Data)/p.Shape[0]))
		}
		for i := range p.Data {
			p.Data[i] = float32(math.Sin(.37*float64(i)+1.3*float64(j)) * scale)
		}
	}
}

func sines(t *autograd.Tape, shape ...int) *Value {
	x := t.New(false, shape...)
	for i := range x.Data {
		x.Data[i] = float32(math.Sin(.11 * float64(i)))
	}
	return x
}

// TestLiteReference compares the maps with those of efficientnet_lite_pytorch 0.1.0 (PyTorch 2.15) for the same weights and
// pictures, whose batch norms pass their input through.
func TestLiteReference(t *testing.T) {
	l := NewLite(nil)
	wave(l)
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	m := l.Forward(sines(tape, 2, 64, 96, 3))
	for _, c := range []struct {
		name string
		got  *Value
		size float64   // mean of the absolute values
		at   []float32 // elements 0, 5, 1000 and the last three
	}{
		{"stride 4", m.S4, 10.44104524044168, []float32{-1.007725477218628, -19.137680053710938, 10.494523048400879, -3.534299612045288, 0.8755648136138916, -2.447035789489746}},
		{"stride 16", m.S16, 4.503124343317246, []float32{2.057586908340454, 2.2779603004455566, 2.050391912460327, -4.961567401885986, 0.3101968765258789, -1.2866556644439697}},
		{"stride 32", m.S32, 1.868746847032647, []float32{-0.9436956644058228, -0.6132397651672363, 0.5938434600830078, 5.499141216278076, 3.121100664138794, -2.049367904663086}},
	} {
		v := c.got.Data
		var size float64
		for _, x := range v {
			size += math.Abs(float64(x)) / float64(len(v))
		}
		if math.Abs(size-c.size) > 1e-4*c.size {
			t.Errorf("%s: mean size %g, want %g", c.name, size, c.size)
		}
		for i, at := range []int{0, 5, 1000, len(v) - 3, len(v) - 2, len(v) - 1} {
			if d := math.Abs(float64(v[at] - c.at[i])); d > 1e-3 {
				t.Errorf("%s: element %d is %g, want %g", c.name, at, v[at], c.at[i])
			}
		}
	}
}

// TestLiteFrozen: frozen layers give the same maps without keeping what they compute, no gradient, and the others learn.
func TestLiteFrozen(t *testing.T) {
	l := NewLite(rand.New(rand.NewPCG(1, 2)))
	maps := func(train bool) (sums [3]float32, bytes int) {
		tape := autograd.NewTape(kernel.NewWork(nil), 0, train)
		m := l.Forward(sines(tape, 2, 64, 64, 3))
		if train {
			one := tape.New(true, 1, Lite32) // wants a gradient, whoever else does
			Fill(&autograd.Param{Tensor: one.Tensor}, 1)
			tape.Backward(ops.Linear(ops.MeanRows(tape.View(ops.Mul(m.S32, m.S32), m.S32.Shape.Rows(), Lite32), m.S32.Shape.Rows()), one, nil), 1)
		}
		for i, v := range []*Value{m.S4, m.S16, m.S32} {
			sums[i] = kernel.Sum(v.Data)
		}
		return sums, tape.Bytes()
	}
	for _, p := range Params(l) {
		p.Replicate(1)
	}
	want, all := maps(true)
	l.Freeze(.1)
	for _, p := range Params(l) {
		clear(p.Grads[0])
	}
	got, less := maps(true)
	if got != want {
		t.Errorf("frozen maps add up to %v, want %v", got, want)
	}
	if less > all*2/3 {
		t.Errorf("%d bytes with frozen layers, %d without", less, all)
	}
	gradients := func() {
		for _, p := range Params(l) {
			if moved := kernel.MaxAbs(p.Grads[0]) > 0; moved == p.Frozen {
				t.Errorf("%s: frozen %v, has a gradient %v", p.Name, p.Frozen, moved)
			}
			clear(p.Grads[0])
		}
	}
	gradients()
	for _, p := range Params(l) {
		if p.Rate != .1 {
			t.Errorf("%s learns at %g of the rate", p.Name, p.Rate)
		}
	}
	l.Freeze(0)
	still, least := maps(true)
	if still != want || least > less {
		t.Errorf("with all layers frozen: maps add up to %v, want %v; %d bytes, %d without", still, want, least, less)
	}
	gradients()
	if n := len(Params(l)); n == 0 || !Params(l)[n-1].Frozen {
		t.Error("the last layer is not frozen")
	}
	l.Freeze(.1)
	maps(true)
	gradients()
	if p := Params(l); p[len(p)-1].Frozen {
		t.Error("the last layer stays frozen")
	}
}
