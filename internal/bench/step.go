// Package bench measures this program on the machine that it runs on. Its cases are those that comparisons with other
// programs use, so that a figure here can stand beside one of theirs.
package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/nn"
	"fovea/ops"
	"fovea/train"
)

// Step is one training step of a fixed model on fixed data: forward, backward and AdamW.
type Step struct {
	Batch  int     // pictures a step
	GFLOP  float64 // matrix products of a step, what the mask forbids left out
	Losses []float32

	params   []*autograd.Param
	replicas []*replica
	opt      *train.AdamW
}

type replica struct {
	tape *autograd.Tape
	loss func(t *autograd.Tape) *autograd.Value
	last float32
}

// StepCases lists the cases that NewStep knows.
func StepCases() []string { return []string{"joint", "vit384", "cct"} }

// NewStep builds a case: "joint" is 256 image tokens and four text groups of 48, width 192, 8 blocks, batch 8; "vit384" is
// a classifier of 400 tokens, width 384, 12 blocks, batch 4; "cct" is CCT-2/3×2 over pictures of 32 pixels, batch 128. threads replicas share the batch. The precision is f32, or bf16
// for products of rounded operands, as in training.
func NewStep(name, precision string, threads int) (*Step, error) {
	build, ok := map[string]func(s *Step, rng *rand.Rand, replicas int){"joint": buildJoint, "vit384": buildViT, "cct": buildCCT}[name]
	if !ok {
		return nil, fmt.Errorf("bench: unknown training case %q; there are %v", name, StepCases())
	}
	if precision != "f32" && precision != "bf16" {
		return nil, fmt.Errorf("bench: precision %q, want f32 or bf16", precision)
	}
	s := &Step{opt: train.NewAdamW(threads)}
	s.opt.Decay = .05
	for i := range threads {
		work := kernel.NewWork(nil)
		if precision == "bf16" {
			work.RoundBF16()
		}
		s.replicas = append(s.replicas, &replica{tape: autograd.NewTape(work, i, true)})
	}
	build(s, rand.New(rand.NewPCG(0, 0)), threads)
	for _, p := range s.params {
		p.Replicate(threads)
	}
	return s, nil
}

// Run does one step.
func (s *Step) Run() {
	var wg sync.WaitGroup
	for i, r := range s.replicas {
		wg.Add(1)
		go func() {
			defer wg.Done()
			r.tape.Reset()
			for _, p := range s.params {
				clear(p.Grads[i])
			}
			loss := r.loss(r.tape)
			r.last = loss.Data[0]
			r.tape.Backward(loss, 1/float32(len(s.replicas)))
		}()
	}
	wg.Wait()
	for _, p := range s.params {
		for i := range s.replicas[1:] {
			kernel.AddTo(p.Grads[0], p.Grads[i+1])
		}
	}
	s.opt.Step(s.params, 1e-3)
	if len(s.Losses) < 4 {
		var l float32
		for _, r := range s.replicas {
			l += r.last / float32(len(s.replicas))
		}
		s.Losses = append(s.Losses, l)
	}
}

// share cuts n pictures into parts for the replicas.
func share(n, replicas, i int) (from, to int) { return n * i / replicas, n * (i + 1) / replicas }

func noise(rng *rand.Rand, n int, std float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64() * std)
	}
	return x
}

// blockFLOP is the matrix products of L blocks of width d over n tokens that see pairs keys in all.
func blockFLOP(n, d, layers, mlp, pairs int) float64 {
	return float64(layers) * (float64(n)*float64(d)*float64(d)*float64(8+4*mlp) + 4*float64(pairs)*float64(d))
}

// trunk is a stack with a patch embedding and learned positions.
type trunk struct {
	Patch *nn.Dense       `weight:"patch"`
	Pos   *autograd.Param `weight:"pos"`
	Stack *nn.Stack       `weight:"stack"`
	Head  *nn.Dense       `weight:"head"`
}

func newTrunk(rng *rand.Rand, tokens, d, heads, layers, classes int, headBias bool) trunk {
	t := trunk{Patch: nn.NewDense(rng, 768, d, true), Pos: autograd.NewParam(autograd.Table, tokens, d),
		Stack: &nn.Stack{Norm: nn.NewLayerNorm(d, true)}, Head: nn.NewDense(rng, d, classes, headBias)}
	nn.Normal(rng, t.Pos, .02)
	for range layers {
		t.Stack.Blocks = append(t.Stack.Blocks, nn.NewBlock(rng, nn.BlockConfig{Width: d, Heads: heads, MLPRatio: 4, Bias: true}))
	}
	return t
}

func buildJoint(s *Step, rng *rand.Rand, replicas int) {
	const (
		batch, patches, text, groups, vocab, d, layers = 8, 256, 48, 4, 4096, 192, 8
	)
	type joint struct {
		Trunk trunk           `weight:"trunk"`
		Words *autograd.Param `weight:"words"`
		TPos  *autograd.Param `weight:"text_pos"`
	}
	m := joint{Trunk: newTrunk(rng, patches, d, 3, layers, vocab, false), Words: autograd.NewParam(autograd.Table, vocab, d), TPos: autograd.NewParam(autograd.Table, text, d)}
	nn.Normal(rng, m.Words, 1)
	nn.Normal(rng, m.TPos, .02)
	s.params = nn.Params(&m)
	s.Batch = batch
	s.GFLOP = 3e-9 * batch * (2*patches*768*d + blockFLOP(patches+groups*text, d, layers, 4, patches*patches+groups*text*(patches+text)) + 2*groups*text*vocab*d)
	for i, r := range s.replicas {
		from, to := share(batch, replicas, i)
		n := to - from
		x := noise(rng, n*patches*768, 1)
		lay := &ops.Layout{Images: n, Patches: patches}
		refs, target := make([]ops.Ref, n*groups*text), make([]int32, n*groups*text)
		weight := make([]float32, len(target))
		for j := range refs {
			refs[j].Row, target[j], weight[j] = rng.Int32N(vocab), rng.Int32N(vocab), 1/float32(len(target))
		}
		for b := range n {
			for g := range groups {
				lay.Groups = append(lay.Groups, ops.Group{Image: b, Start: n*patches + (b*groups+g)*text, Len: text, Causal: true})
			}
		}
		r.loss = func(t *autograd.Tape) *autograd.Value {
			img := ops.Add(m.Trunk.Patch.Forward(t.Input(x, n*patches, 768)), t.Use(m.Trunk.Pos))
			txt := ops.Add(ops.Gather(t, refs, t.Use(m.Words)), t.Use(m.TPos))
			h := m.Trunk.Stack.Forward(&nn.Pass{Layout: lay}, ops.Concat(img, txt))
			return ops.CrossEntropy(m.Trunk.Head.Forward(ops.Slice(h, n*patches, h.Shape.Rows())), target, weight, 0)
		}
	}
}

func buildViT(s *Step, rng *rand.Rand, replicas int) {
	const batch, patches, classes, d, layers = 4, 400, 1000, 384, 12
	m := newTrunk(rng, patches, d, 6, layers, classes, true)
	s.params = nn.Params(&m)
	s.Batch = batch
	s.GFLOP = 3e-9 * batch * (2*patches*768*d + blockFLOP(patches, d, layers, 4, patches*patches) + 2*classes*d)
	for i, r := range s.replicas {
		from, to := share(batch, replicas, i)
		n := to - from
		x := noise(rng, n*patches*768, 1)
		target, weight := make([]int32, n), slices.Repeat([]float32{1 / float32(max(n, 1))}, n)
		for j := range target {
			target[j] = rng.Int32N(classes)
		}
		lay := &ops.Layout{Images: n, Patches: patches}
		r.loss = func(t *autograd.Tape) *autograd.Value {
			h := m.Stack.Forward(&nn.Pass{Layout: lay}, ops.Add(m.Patch.Forward(t.Input(x, n*patches, 768)), t.Use(m.Pos)))
			return ops.CrossEntropy(m.Head.Forward(ops.MeanRows(h, patches)), target, weight, 0)
		}
	}
}
