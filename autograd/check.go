package autograd

import (
	"fmt"
	"math"
	"math/rand/v2"

	"fovea/internal/kernel"
)

// Check compares the gradients of f with central finite differences. f builds a value from the inputs; the loss is its
// inner product with fixed random weights. Every element of every input is tried when there are few, a random sample of
// 40 otherwise. The error is |analytic − numeric| / (1 + |numeric|) and must not exceed tol; the worst one is returned
// with the first element that exceeds it as an error.
func Check(f func(t *Tape, in []*Value) *Value, inputs []*Param, eps, tol float64) (worst float64, err error) {
	w := kernel.NewWork(nil)
	var weights []float32
	rng := rand.New(rand.NewPCG(1, 2))
	loss := func(t *Tape) (float64, *Value) {
		t.Reset()
		vs := make([]*Value, len(inputs))
		for i, p := range inputs {
			vs[i] = t.Use(p)
		}
		out := f(t, vs)
		if weights == nil {
			weights = make([]float32, len(out.Data))
			for i := range weights {
				weights[i] = float32(rng.NormFloat64())
			}
		}
		s := 0.0
		for i, x := range out.Data {
			s += float64(x) * float64(weights[i])
		}
		return s, out
	}
	t := NewTape(w, 0, true)
	for _, p := range inputs {
		p.Replicate(1)
		clear(p.Grads[0])
	}
	_, out := loss(t)
	copy(out.Grad(), weights)
	for i := len(t.ops) - 1; i >= 0; i-- {
		t.ops[i].Backward()
	}
	if err := checkFirst(t, f, inputs, weights); err != nil {
		return math.Inf(1), err
	}
	for n, p := range inputs {
		if p.Frozen {
			continue
		}
		for trial := range min(len(p.Data), 40) {
			j := trial
			if len(p.Data) > 40 {
				j = rng.IntN(len(p.Data))
			}
			x := p.Data[j]
			p.Data[j] = x + float32(eps)
			hi, _ := loss(t)
			up := float64(p.Data[j])
			p.Data[j] = x - float32(eps)
			lo, _ := loss(t)
			num := (hi - lo) / (up - float64(p.Data[j]))
			p.Data[j] = x
			got := float64(p.Grads[0][j])
			e := math.Abs(got-num) / (1 + math.Abs(num))
			if !(e <= tol) && err == nil {
				err = fmt.Errorf("autograd: input %d element %d: gradient %g, finite difference %g", n, j, got, num)
			}
			worst = max(worst, e)
		}
	}
	return worst, err
}

// checkFirst takes the gradients again, by inputs whose gradients have memory that holds NaN until the first is given, and compares.
func checkFirst(t *Tape, f func(t *Tape, in []*Value) *Value, inputs []*Param, weights []float32) error {
	nan := float32(math.NaN())
	t.Reset()
	for _, chunk := range t.arena.Chunks() {
		for i := range chunk {
			chunk[i] = nan
		}
	}
	vs := make([]*Value, len(inputs))
	for i, p := range inputs {
		vs[i] = t.New(!p.Frozen, p.Shape...)
		copy(vs[i].Data, p.Data)
		t.used[p] = vs[i] // for those that do not take it from in
	}
	out := f(t, vs)
	copy(out.Grad(), weights)
	for i := len(t.ops) - 1; i >= 0; i-- {
		t.ops[i].Backward()
	}
	for n, p := range inputs {
		for j, g := range vs[n].Grad() {
			if want := p.Grads[0][j]; !(math.Abs(float64(g-want)) <= 1e-5*(1+math.Abs(float64(want)))) {
				return fmt.Errorf("autograd: input %d element %d: gradient %g, %g when it is the first", n, j, want, g)
			}
		}
	}
	return nil
}
