// Package autograd records differentiable operations on a tape and runs them backwards (reverse-mode differentiation).
//
// A Tape belongs to one goroutine. Training runs one tape per replica: each replica computes the gradient of its share
// of the batch into its own slot of every Param, and the optimiser adds the slots up in a fixed order, so that a step
// gives the same bits however the goroutines were scheduled.
//
// All memory of a step comes from the tape's arena and slabs and is reused by the next one: a step in steady state
// allocates nothing.
package autograd

import (
	"fmt"
	"reflect"
	"sync"

	"fovea/internal/kernel"
	"fovea/internal/memory"
	"fovea/tensor"
)

// Value is a node of the computation: its data, and its gradient when one is wanted.
type Value struct {
	tensor.Tensor
	grad *gradient // nil when not wanted; views share it
	tape *Tape
	of   *Param // set for a fixed parameter, see Fix

	spare bool
}

// gradient is dLoss/dData. Its memory is not cleared before someone looks: mostly the first who gives one gives all of it.
type gradient struct {
	sum   []float32
	fresh bool // nothing was given yet, and sum holds whatever the memory held before
}

// Wanted reports whether a gradient of v is wanted.
func (v *Value) Wanted() bool { return v.grad != nil }

// Grad is the gradient of v as given so far, as long as Data, for looking at or adding to; nil when none is wanted.
func (v *Value) Grad() []float32 {
	g, fresh := v.FirstGrad()
	if fresh {
		clear(g)
	}
	return g
}

// FirstGrad is Grad for an operation that gives every element: when fresh, nothing was given before and the memory holds no numbers, so
// the operation must set each element; else it must add. It may ask once.
func (v *Value) FirstGrad() (g []float32, fresh bool) {
	if v.grad == nil {
		return nil, false
	}
	fresh, v.grad.fresh = v.grad.fresh, false
	return v.grad.sum, fresh
}

// Tape is where operations on v are recorded.
func (v *Value) Tape() *Tape { return v.tape }

// Spare says that nothing but the next operation will look at v: on a tape that does not train, it may work in place.
func (v *Value) Spare() *Value {
	v.spare = !v.tape.Train
	return v
}

// IsSpare reports whether an operation may put its result in place of v.
func (v *Value) IsSpare() bool { return v.spare }

// Param is a trainable tensor that outlives steps.
type Param struct {
	Name string // dotted path in the model, set by nn.Name
	tensor.Tensor
	Grads  [][]float32 // one slot a replica, each as long as Data
	Frozen bool        // no gradient is computed
	Stored Stored      // where a parameter without Data finds its values, see Load; nil: nowhere
	// Kind tells the optimiser how to treat the parameter.
	Kind Kind
	// Rate is the parameter's share of the learning rate, for weights that were trained before; 0 means all of it.
	Rate float32

	fixed  bool
	once   sync.Once
	packed *kernel.Packed
}

// Load gives a parameter that is stored its Data.
func (p *Param) Load() error {
	if p.Data != nil || p.Stored == nil {
		return nil
	}
	p.Data = memory.Make[float32](p.Shape.Size())
	err := p.Stored.Float32(p.Data)
	p.Stored.Done()
	p.Stored = nil
	return err
}

// Fix promises that the parameter's values change no more. Products by a fixed matrix use a copy in the kernels' own
// layout, made at the first one.
func (p *Param) Fix() { p.fixed = true }

// Fixed reports whether Fix was called.
func (p *Param) Fixed() bool { return p.fixed }

// Pack makes the copy of a fixed parameter [Out, In] now.
func (p *Param) Pack() {
	p.once.Do(func() { p.packed = kernel.Pack(kernel.M(p.Data, p.Shape[0], p.Shape[1]).T()) })
}

// Packed is the transpose of a fixed parameter [Out, In], ready to be multiplied by, or nil: the parameter is not fixed, or
// the tape trains.
func (v *Value) Packed() *kernel.Packed {
	p := v.of
	if p == nil {
		return nil
	}
	p.Pack()
	if !p.packed.Fits() { // another implementation of the kernels was chosen since
		return nil
	}
	return p.packed
}

// Kind of parameter, as far as optimisers care.
type Kind uint8

const (
	// Matrix maps features to features (attention and feed-forward weights, convolution kernels as out × rest): Muon's case.
	Matrix Kind = iota
	// Table is looked up or read out by row (embeddings, positions, first convolution, small read-outs): AdamW with decay.
	Table
	// Vector is a gain or bias: AdamW without decay.
	Vector
	// Buffer is not trained at all but saved with the model (running statistics).
	Buffer
)

// NewParam makes a zero parameter.
func NewParam(kind Kind, shape ...int) *Param {
	return &Param{Tensor: *tensor.New(shape...), Kind: kind, Frozen: kind == Buffer}
}

// Op is a recorded operation. Backward adds its inputs' gradients from its output's.
type Op interface{ Backward() }

// Tape records what Backward will undo.
type Tape struct {
	Work    *kernel.Work // scratch and threads for the kernels
	Replica int          // slot of Param.Grads that this tape fills
	Train   bool         // gradients are wanted, batch statistics are taken, dropout drops
	// Inputs wants gradients of what New is told to alone, and none of parameters: how an answer depends on what goes in.
	Inputs bool

	arena  tensor.Arena
	ops    []Op
	values slab[Value]
	ints   slab[[4]int]

	gradients slab[gradient]

	used  map[*Param]*Value
	nodes map[reflect.Type]resetter
	sides sides
}

// NewTape makes a tape. With train false nothing is recorded and no gradient memory is taken.
func NewTape(w *kernel.Work, replica int, train bool) *Tape {
	return &Tape{Work: w, Replica: replica, Train: train, used: map[*Param]*Value{}, nodes: map[reflect.Type]resetter{}}
}

// Reset forgets the step: all Values made on the tape die and their memory is reused.
func (t *Tape) Reset() {
	t.arena.Reset()
	t.ops = t.ops[:0]
	t.values.reset()
	t.ints.reset()
	t.gradients.reset()
	clear(t.used)
	for _, n := range t.nodes {
		n.reset()
	}
}

// Bytes is the arena memory that the step has used so far.
func (t *Tape) Bytes() int { return t.arena.Bytes() }

// Held is the memory that the tape has for the largest pass so far.
func (t *Tape) Held() int { return t.arena.Held() + t.sides.held() }

// Scratch is memory that lives until Reset, with arbitrary contents. Operations keep what their backward pass needs in it.
func (t *Tape) Scratch(n int) []float32 { return t.arena.Alloc(n) }

// Mark and Release free scratch early, as a stack; only memory that nothing recorded refers to may be released.
func (t *Tape) Mark() [3]int     { return t.arena.Mark() }
func (t *Tape) Release(m [3]int) { t.arena.Release(m) }

// New makes a value of at most four axes with arbitrary data and, when grad, a gradient, zero at first.
func (t *Tape) New(grad bool, shape ...int) *Value {
	if len(shape) > 4 {
		panic(fmt.Sprintf("autograd: %d axes, at most 4", len(shape)))
	}
	dims := t.ints.next()
	copy(dims[:], shape)
	v := t.values.next()
	n := tensor.Shape(shape).Size()
	*v = Value{Tensor: tensor.Tensor{Shape: dims[:len(shape)], Data: t.arena.Alloc(n)}, tape: t}
	if grad && t.Train {
		v.grad = t.gradient(t.arena.Alloc(n), true)
	}
	return v
}

func (t *Tape) gradient(sum []float32, fresh bool) *gradient {
	g := t.gradients.next()
	*g = gradient{sum, fresh}
	return g
}

// View is v with another shape over the same data and gradient.
func (t *Tape) View(v *Value, shape ...int) *Value {
	dims := t.ints.next()
	copy(dims[:], shape)
	s := tensor.Shape(dims[:len(shape)])
	if s.Size() != len(v.Data) {
		panic(&tensor.ShapeError{Op: "view", Args: []tensor.Shape{v.Shape, append(tensor.Shape(nil), shape...)}, Want: "the same size"})
	}
	o := t.values.next()
	*o = Value{Tensor: tensor.Tensor{Shape: s, Data: v.Data}, grad: v.grad, tape: t}
	return o
}

// Part is a flat view of elements [from, to) of v's data and gradient.
func (t *Tape) Part(v *Value, from, to int) *Value {
	dims := t.ints.next()
	dims[0] = to - from
	o := t.values.next()
	*o = Value{Tensor: tensor.Tensor{Shape: dims[:1], Data: v.Data[from:to]}, tape: t}
	if v.Wanted() {
		o.grad = t.gradient(v.Grad()[from:to], false)
	}
	return o
}

// Rows are rows [from, to) of v [..., D] as a value of this tape, whatever v's is.
func (t *Tape) Rows(v *Value, from, to int) *Value {
	d := v.Shape.Last()
	return t.View(t.Part(v, from*d, to*d), to-from, d)
}

// Zeros is Scratch that is cleared.
func (t *Tape) Zeros(n int) []float32 { return t.arena.Zeros(n) }

// Input copies data onto the tape as a constant.
func (t *Tape) Input(data []float32, shape ...int) *Value {
	v := t.New(false, shape...)
	if copy(v.Data, data) != len(v.Data) || len(data) != len(v.Data) {
		panic(&tensor.ShapeError{Op: "input", Args: []tensor.Shape{{len(data)}, v.Shape}, Want: "as many values as the shape holds"})
	}
	return v
}

// Use brings a parameter onto the tape; its gradient goes to the tape's replica slot.
func (t *Tape) Use(p *Param) *Value {
	if v, ok := t.used[p]; ok {
		return v
	}
	v := t.values.next()
	*v = Value{Tensor: p.Tensor, tape: t}
	if p.fixed && !t.Train && len(p.Shape) == 2 {
		v.of = p
	}
	if t.Train && !t.Inputs && !p.Frozen {
		v.grad = t.gradient(p.grad(t.Replica), false)
	}
	t.used[p] = v
	return v
}

// grad is replica i's gradient slot. Slots are made by Replicate before replicas run side by side.
func (p *Param) grad(i int) []float32 {
	if i >= len(p.Grads) {
		p.Replicate(i + 1)
	}
	return p.Grads[i]
}

// Replicate makes sure that n gradient slots exist.
func (p *Param) Replicate(n int) {
	for len(p.Grads) < n {
		p.Grads = append(p.Grads, make([]float32, len(p.Data)))
	}
}

// Push records an operation to be undone; call it only when some input wants a gradient.
func (t *Tape) Push(op Op) { t.ops = append(t.ops, op) }

// Backward seeds dLoss/dLoss = scale and runs the tape backwards. loss has one element.
func (t *Tape) Backward(loss *Value, scale float32) {
	if len(loss.Data) != 1 {
		panic(&tensor.ShapeError{Op: "backward", Args: []tensor.Shape{loss.Shape}, Want: "[1]"})
	}
	loss.Grad()[0] += scale
	for i := len(t.ops) - 1; i >= 0; i-- {
		t.ops[i].Backward()
	}
}

// Wants reports that any of the values has a gradient.
func Wants(vs ...*Value) bool {
	for _, v := range vs {
		if v != nil && v.Wanted() {
			return true
		}
	}
	return false
}
