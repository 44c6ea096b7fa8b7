package train

import (
	"fmt"
	"math"
	"math/rand/v2"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// bufferMomentum is the share of a step's batch statistics that goes into the running ones.
const bufferMomentum = .05

// stepper does the numeric work of a step: forward, backward, adding replicas up, clipping, updating.
type stepper[S any] struct {
	cfg       Config
	objective Objective[S]
	opt       Optimizer
	params    []*autograd.Param
	buffers   []*autograd.Param
	trained   []*autograd.Param
	average   *average
	replicas  []*replica[S]
	crew      *crew

	step, micro int // counted from 0
	norms       []float32
	factor      float32 // of clipping
	tally       tally   // of the step at hand

	forward, clear, reduce, scale func(worker, i int)
}

type replica[S any] struct {
	tape    *autograd.Tape
	pcg     *rand.PCG
	rng     *rand.Rand
	samples []S
	loss    float32
	parts   []Part
}

func newStepper[S any](cfg Config, objective Objective[S], opt Optimizer) *stepper[S] {
	s := &stepper[S]{cfg: cfg, objective: objective, opt: opt, params: objective.Params(), crew: newCrew(cfg.Replicas)}
	for _, p := range s.params {
		switch {
		case p.Kind == autograd.Buffer:
			s.buffers = append(s.buffers, p)
			p.Replicate(cfg.Replicas)
		case !p.Frozen:
			s.trained = append(s.trained, p)
			p.Replicate(cfg.Replicas)
		}
	}
	if m, ok := opt.(*Muon); ok && cfg.Precision == "bf16" {
		m.RoundBF16()
	}
	s.average = newAverage(s.params, cfg.EMA)
	s.norms = make([]float32, len(s.trained))
	for i := range cfg.Replicas {
		pcg := rand.NewPCG(0, 0)
		work := kernel.NewWork(nil)
		if cfg.Precision == "bf16" {
			work.RoundBF16()
		}
		s.replicas = append(s.replicas, &replica[S]{tape: autograd.NewTape(work, i, true), pcg: pcg, rng: rand.New(pcg)})
	}
	s.forward = func(_, i int) { s.runReplica(s.replicas[i], i) }
	s.clear = func(_, i int) {
		for _, g := range s.trained[i].Grads[:cfg.Replicas] {
			clear(g)
		}
	}
	s.reduce = func(_, i int) {
		g := s.trained[i].Grads
		for r := 1; r < cfg.Replicas; r++ {
			kernel.AddTo(g[0], g[r])
		}
		s.norms[i] = kernel.SumSq(g[0])
	}
	s.scale = func(_, i int) { kernel.Scale(s.trained[i].Grads[0], s.factor) }
	return s
}

// run does one step on the batch and returns the gradient's norm before clipping. On an error parameters are unchanged.
func (s *stepper[S]) run(step int, batch []S) (norm float64, err error) {
	s.step = step
	s.tally.reset()
	s.crew.must(len(s.trained), s.clear)
	n := len(batch) / (s.cfg.Accumulate * s.cfg.Replicas)
	for s.micro = range s.cfg.Accumulate {
		s.unobserve()
		for _, r := range s.replicas {
			r.samples, batch = batch[:n:n], batch[n:]
		}
		if p := s.crew.run(len(s.replicas), s.forward); p != nil {
			return 0, &PanicError{step + 1, fmt.Sprintf("replica %d", p.job), p.value, p.stack}
		}
		for _, r := range s.replicas {
			if err := s.finite(r); err != nil {
				return 0, err
			}
			s.tally.add(float64(r.loss), r.parts)
		}
		s.observe()
	}
	s.crew.must(len(s.trained), s.reduce)
	sum := 0.0
	for i, q := range s.norms {
		if !finite(q) && !kernel.IsFinite(s.trained[i].Grads[0]) {
			return 0, &NonFinite{Step: step + 1, What: fmt.Sprintf("the gradient of parameter %q is not finite", s.trained[i].Name)}
		}
		sum += float64(q)
	}
	norm = math.Sqrt(sum)
	if math.IsInf(norm, 1) {
		return 0, &NonFinite{Step: step + 1, What: "the norm of the gradient is too large for its number format"}
	}
	if s.cfg.Clip > 0 && norm > s.cfg.Clip {
		s.factor = float32(s.cfg.Clip / norm)
		s.crew.must(len(s.trained), s.scale)
	}
	s.opt.Step(s.params, float32(s.cfg.Rate(step)))
	s.average.update(s.crew, step)
	return norm, nil
}

func (s *stepper[S]) runReplica(r *replica[S], i int) {
	r.tape.Reset()
	r.pcg.Seed(mix(s.cfg.Seed)+uint64(s.step), uint64(s.micro)<<32|uint64(i))
	loss, parts := s.objective.Loss(r.tape, r.samples, r.rng)
	r.loss, r.parts = loss.Data[0], append(r.parts[:0], parts...)
	if finite(r.loss) && loss.Wanted() { // a batch that teaches nothing has no gradient
		r.tape.Backward(loss, 1/float32(s.cfg.Accumulate*s.cfg.Replicas))
	}
}

// finite names the first part of a replica's loss that is not finite.
func (s *stepper[S]) finite(r *replica[S]) error {
	for _, p := range r.parts {
		if !finite(p.Value) {
			return &NonFinite{Step: s.step + 1, What: fmt.Sprintf("part %q of the loss is %v", p.Name, p.Value)}
		}
	}
	if !finite(r.loss) {
		return &NonFinite{Step: s.step + 1, What: fmt.Sprintf("the loss is %v, though each of its parts is finite", r.loss)}
	}
	return nil
}

func finite(v float32) bool { return v-v == 0 }

// unobserve marks the buffers' slots as not filled: a model that leaves a normalisation out of a step must not pull its
// running statistics anywhere.
func (s *stepper[S]) unobserve() {
	for _, b := range s.buffers {
		for _, g := range b.Grads[:s.cfg.Replicas] {
			if len(g) > 0 {
				g[0] = float32(math.NaN())
			}
		}
	}
}

// observe moves the running statistics towards the mean of those that the replicas observed.
func (s *stepper[S]) observe() {
	for _, b := range s.buffers {
		var seen []float32
		n := 0
		for _, g := range b.Grads[:s.cfg.Replicas] {
			if len(g) == 0 || g[0] != g[0] {
				continue
			}
			if n++; n == 1 {
				seen = g
			} else {
				kernel.AddTo(seen, g)
			}
		}
		if n > 0 {
			kernel.Scale(seen, 1/float32(n))
			kernel.Lerp(b.Data, seen, bufferMomentum)
		}
	}
}

// mix spreads a seed over 64 bits (splitmix64; Steele et al. 2014), so that neighbouring seeds do not meet at
// neighbouring steps.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
