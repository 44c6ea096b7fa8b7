package bench

import (
	"math"
	"math/rand/v2"
	"slices"

	"fovea/autograd"
	"fovea/nn"
	"fovea/ops"
)

// cct is CCT-2/3×2 (Hassani et al. 2021): two convolutions with max-pooling, two blocks, and a mean of the tokens that is weighted by
// what each of them says of its importance.
type cct struct {
	Conv1 *autograd.Param `weight:"conv1"` // [64, 3·3·3]
	Conv2 *autograd.Param `weight:"conv2"` // [D, 3·3·64]
	Pos   *autograd.Param `weight:"pos"`
	Stack *nn.Stack       `weight:"stack"`
	Pool  *autograd.Param `weight:"pool"` // [1, D]; a bias would change no weight
	Head  *nn.Dense       `weight:"head"`
}

func buildCCT(s *Step, rng *rand.Rand, replicas int) {
	const batch, side, classes, first, d, tokens = 128, 32, 10, 64, 128, 64
	m := cct{Conv1: autograd.NewParam(autograd.Table, first, 27), Conv2: autograd.NewParam(autograd.Matrix, d, 9*first), Pos: autograd.NewParam(autograd.Table, tokens, d),
		Stack: &nn.Stack{Norm: nn.NewLayerNorm(d, true)}, Pool: autograd.NewParam(autograd.Table, 1, d), Head: nn.NewDense(rng, d, classes, true)}
	nn.Normal(rng, m.Conv1, math.Sqrt(2./27))
	nn.Normal(rng, m.Conv2, math.Sqrt(2./(9*first)))
	nn.Normal(rng, m.Pos, .02)
	nn.Normal(rng, m.Pool, 1/math.Sqrt(d))
	for range 2 {
		m.Stack.Blocks = append(m.Stack.Blocks, nn.NewBlock(rng, nn.BlockConfig{Width: d, Heads: 2, MLPRatio: 1, Bias: true}))
	}
	s.params = nn.Params(&m)
	s.Batch = batch
	s.GFLOP = 3e-9 * batch * (2*(side*side*27*first+side*side/4*9*first*d) + blockFLOP(tokens, d, 2, 1, tokens*tokens))
	for i, r := range s.replicas {
		from, to := share(batch, replicas, i)
		n := to - from
		x := noise(rng, n*side*side*3, 1)
		target, weight := make([]int32, n), slices.Repeat([]float32{1 / float32(max(n, 1))}, n)
		refs, spans := make([]ops.Ref, n), make([]ops.Span, n)
		for j := range target {
			target[j], spans[j] = rng.Int32N(classes), ops.Span{Row: j, Rows: 1, Key: j * tokens, Keys: tokens}
		}
		lay := &ops.Layout{Images: n, Patches: tokens}
		r.loss = func(t *autograd.Tape) *autograd.Value {
			h := t.Input(x, n, side, side, 3)
			for _, w := range []*autograd.Param{m.Conv1, m.Conv2} {
				h = ops.MaxPool(ops.ReLU(ops.Conv2D(h, t.Use(w), nil, 3, 1)), 3, 2, 1)
			}
			h = m.Stack.Forward(&nn.Pass{Layout: lay}, ops.Add(t.View(h, n*tokens, d), t.Use(m.Pos)))
			ask := ops.Gather(t, refs, ops.Scale(t.Use(m.Pool), float32(math.Sqrt(d)))) // attention divides by that
			return ops.CrossEntropy(m.Head.Forward(ops.CrossAttention(ask, h, h, 1, spans)), target, weight, 0)
		}
	}
}
