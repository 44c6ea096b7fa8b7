package train

import (
	"fmt"
	"math"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2017): decay applies to Matrix and Table parameters,
// none to Vectors. Make it with NewAdamW; the fields may be changed before the first step.
type AdamW struct {
	Beta1, Beta2, Eps, Decay float32

	steps   int
	moments map[*autograd.Param]*moments
	crew    *crew
	todo    []*autograd.Param
	lr      float32
	c1, c2  float32 // bias corrections of the step at hand
	job     func(worker, i int)
}

// moments are the running means of a parameter's gradient and of its square.
type moments struct{ m, v []float32 }

// NewAdamW returns AdamW with betas (.9, .95), eps 1e-8 and decay .02. workers goroutines share a step.
func NewAdamW(workers int) *AdamW {
	a := &AdamW{Beta1: .9, Beta2: .95, Eps: 1e-8, Decay: .02, moments: map[*autograd.Param]*moments{}, crew: newCrew(workers)}
	a.job = func(_, i int) { a.update(a.todo[i]) }
	return a
}

// Step implements Optimizer.
func (a *AdamW) Step(params []*autograd.Param, lr float32) {
	a.todo = a.todo[:0]
	for _, p := range params {
		if trained(p) {
			a.remember(p)
			a.todo = append(a.todo, p)
		}
	}
	a.begin(lr)
	a.crew.must(len(a.todo), a.job)
}

// begin counts a step.
func (a *AdamW) begin(lr float32) {
	a.steps++
	a.lr = lr
	a.c1 = float32(1 - math.Pow(float64(a.Beta1), float64(a.steps)))
	a.c2 = float32(1 - math.Pow(float64(a.Beta2), float64(a.steps)))
}

// update changes one parameter; remember must have been called for it. Different parameters may be updated side by side.
func (a *AdamW) update(p *autograd.Param) {
	s, decay := a.moments[p], a.Decay
	if p.Kind == autograd.Vector {
		decay = 0
	}
	kernel.AdamW(p.Data, p.Grads[0], s.m, s.v, a.lr*share(p), a.Beta1, a.Beta2, a.Eps, decay, a.c1, a.c2)
}

func (a *AdamW) remember(p *autograd.Param) *moments {
	s, ok := a.moments[p]
	if !ok {
		s = &moments{make([]float32, len(p.Data)), make([]float32, len(p.Data))}
		a.moments[p] = s
	}
	return s
}

// Settings implements Optimizer.
func (a *AdamW) Settings() map[string]any {
	return map[string]any{"name": "adamw", "beta1": a.Beta1, "beta2": a.Beta2, "eps": a.Eps, "decay": a.Decay}
}

// State implements Optimizer.
func (a *AdamW) State(params []*autograd.Param) State {
	s := State{Steps: a.steps}
	for _, p := range params {
		if trained(p) {
			m := a.remember(p)
			s.Slots = append(s.Slots, Slot{"m/" + p.Name, m.m}, Slot{"v/" + p.Name, m.v})
		}
	}
	return s
}

// Load implements Optimizer.
func (a *AdamW) Load(params []*autograd.Param, steps int, read func(name string, dst []float32) error) error {
	a.steps = steps
	return loadSlots(a.State(params).Slots, read)
}

func loadSlots(slots []Slot, read func(name string, dst []float32) error) error {
	for _, s := range slots {
		if err := read(s.Name, s.Data); err != nil {
			return fmt.Errorf("train: optimizer state %q: %w", s.Name, err)
		}
	}
	return nil
}
