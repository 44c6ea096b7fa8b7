package train

import (
	"fmt"

	"fovea/autograd"
)

// Optimizer changes parameters along their gradients.
type Optimizer interface {
	// Step does one update of every parameter that is neither frozen nor a buffer. Its gradient is Grads[0], complete (all
	// replicas added up) and clipped. lr is the step's learning rate. Step keeps state for each parameter by identity.
	Step(params []*autograd.Param, lr float32)
	// Settings are the values that decide what Step does; a snapshot records them to notice a change.
	Settings() map[string]any
	// State is the memory that Step keeps, made zero if there is none yet. Arrays are shared, not copied.
	State(params []*autograd.Param) State
	// Load sets the memory from a snapshot: read fills dst from the array called name.
	Load(params []*autograd.Param, steps int, read func(name string, dst []float32) error) error
}

// State is what an optimiser remembers between steps.
type State struct {
	Steps int // updates done so far
	Slots []Slot
}

// Slot is one array of an optimiser's state, named by its role and its parameter: "momentum/stack.0.up.weight".
type Slot struct {
	Name string
	Data []float32
}

// NewOptimizer makes the optimiser that a Config names: "muon" (the default) or "adamw". workers is the number of
// goroutines that share a step. A nil decay chooses the optimiser's own (.01 for Muon's matrices, .02 for AdamW).
func NewOptimizer(name string, decay *float64, workers int) (Optimizer, error) {
	switch name {
	case "", "muon":
		o := NewMuon(workers)
		if decay != nil {
			o.Decay, o.Inner.Decay = float32(*decay), float32(*decay)
		}
		return o, nil
	case "adamw":
		o := NewAdamW(workers)
		if decay != nil {
			o.Decay = float32(*decay)
		}
		return o, nil
	}
	return nil, fmt.Errorf("train: unknown optimizer %q; there are \"muon\" and \"adamw\"", name)
}

// trained reports that optimisers change p.
func trained(p *autograd.Param) bool { return !p.Frozen && p.Kind != autograd.Buffer }

// share is a parameter's share of the learning rate.
func share(p *autograd.Param) float32 {
	if p.Rate == 0 {
		return 1
	}
	return p.Rate
}
