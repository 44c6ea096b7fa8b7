package recipe

import (
	"math/rand/v2"

	"fovea/autograd"
	"fovea/model/unified"
	"fovea/task"
	"fovea/train"
)

// objective is the joint loss of all tasks, as train.Loop wants it.
type objective struct {
	m       *unified.Model
	weights unified.Weights
	scratch []unified.Scratch // one a replica
	parts   [][]train.Part
}

func newObjective(m *unified.Model, w unified.Weights, replicas int) *objective {
	return &objective{m: m, weights: w, scratch: make([]unified.Scratch, replicas), parts: make([][]train.Part, replicas)}
}

// Params implements train.Objective.
func (o *objective) Params() []*autograd.Param { return o.m.Params() }

// Loss implements train.Objective.
func (o *objective) Loss(t *autograd.Tape, samples []*task.Sample, rng *rand.Rand) (*autograd.Value, []train.Part) {
	loss, parts := o.m.Loss(t, samples, o.weights, rng, &o.scratch[t.Replica])
	out := o.parts[t.Replica][:0]
	for _, p := range parts {
		out = append(out, train.Part{Name: p.Name, Value: p.Value, Weight: p.Weight})
	}
	o.parts[t.Replica] = out
	return loss, out
}
