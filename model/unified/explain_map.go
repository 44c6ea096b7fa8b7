package unified

import (
	"math"
	"slices"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/nn"
	"fovea/ops"
)

// Methods of explaining.
const (
	// Gradient is by how much the logarithm of the answer's probability changes with a token that goes into the first block, the norm of
	// its gradient (Simonyan et al. 2014, "Deep Inside Convolutional Networks", at the tokens instead of the pixels). It tells answers of
	// one picture apart.
	Gradient = "gradient"
	// Rollout follows attention as it is (Abnar and Zuidema 2020, "Quantifying Attention Flow in Transformers", eq. 1): in each block
	// a token's state is taken to be half its own and half the mean over the heads of what it attends to. It needs no gradient, and says
	// where information may come from, not whether it was decisive.
	Rollout = "rollout"
)

// traced is a pass of one picture, and of a prompt, whose attention can be looked at.
type traced struct {
	layout ops.Layout
	in     *Value // [N, D] what goes into the first block
	blocks []attended
	out    *Value // [N, D] final states
}

// attended are a block's queries and keys, [N, H·K] each.
type attended struct {
	heads int
	q, k  *Value
}

// enter is what goes into the first block for a picture and the answer's prompt, [N, D] of the runner's tape, and how it lies.
func (r *Runner) enter(img *imageproc.RGB, a *Answer) (*Value, ops.Layout) {
	m, c := r.m, r.m.Config
	r.t.Reset()
	x := r.t.New(false, 1, c.Size, c.Size, 3)
	m.normalize(x.Data, img.Pix)
	seq, _ := m.Stem.Forward(x)
	r.sc.layout = ops.Layout{Images: 1, Patches: c.Tokens(), Groups: r.sc.layout.Groups[:0]}
	if a.group != nil {
		seq = ops.Concat(seq, m.embed(r.t, []Prompt{{0, a.group}}, m.coords(r.t), &r.sc, c.Tokens()))
	}
	return seq, r.sc.layout
}

// trace runs the blocks over what was entered, on a tape of its own.
func (m *Model) trace(t *autograd.Tape, seq *Value, l ops.Layout) *traced {
	tr := &traced{layout: l, in: t.New(true, seq.Shape...)}
	copy(tr.in.Data, seq.Data)
	x := tr.in
	for _, b := range m.Stack.Blocks {
		h := b.Norm1.Forward(x)
		at := attended{b.Attn.Heads, b.Attn.Q.Forward(h), b.Attn.K.Forward(h)}
		if b.Attn.QNorm != nil {
			at.q, at.k = b.Attn.QNorm.Forward(at.q), b.Attn.KNorm.Forward(at.k)
		}
		y := ops.Attention(at.q, at.k, b.Attn.V.Forward(h), at.heads, &tr.layout, nil)
		x = ops.Add(x, b.Scale1.Forward(b.Attn.O.Forward(y)))
		x = ops.Add(x, b.Scale2.Forward(b.MLP.Forward(&nn.Pass{Layout: &tr.layout}, b.Norm2.Forward(x))))
		tr.blocks = append(tr.blocks, at)
	}
	tr.out = x
	if m.Stack.Norm != nil {
		tr.out = m.Stack.Norm.Forward(x)
	}
	return tr
}

// relevance is how much of an answer rests on each token that goes into the first block, in shares that sum to 1, and the method
// that it was found by: the one asked for, or Rollout where gradients say nothing.
func (r *Runner) relevance(img *imageproc.RGB, a *Answer, method string) ([]float64, string) {
	seq, l := r.enter(img, a)
	if method != Rollout && !r.m.lowered() {
		t := autograd.NewTape(r.t.Work, 0, true)
		t.Inputs = true
		tr := r.m.trace(t, seq, l)
		t.Backward(r.m.logProbability(tr.out, a), 1)
		w := tr.sensitivity()
		if slices.Max(w[:l.Patches]) > 0 && normed(w) { // 0: nothing of the picture reached the answer, as in a model that has not learnt
			return w, Gradient
		}
	}
	w := r.m.trace(autograd.NewTape(r.t.Work, 0, false), seq, l).rollout(r.m.answeredBy(a))
	normed(w)
	return w, Rollout
}

// lowered reports that weights are held in fewer bits (nn.Lower), through which no gradient comes.
func (m *Model) lowered() bool {
	for _, p := range m.params {
		if p.Data == nil {
			return true
		}
	}
	return false
}

// normed makes shares of weights; false when there are none.
func normed(w []float64) bool {
	sum := 0.
	for _, v := range w {
		sum += v
	}
	if !(sum > 0) || math.IsInf(sum, 0) {
		return false
	}
	for i := range w {
		w[i] /= sum
	}
	return true
}

// sensitivity is the norm of the gradient of each token that goes into the first block.
func (tr *traced) sensitivity() []float64 {
	d := tr.in.Shape.Last()
	w := make([]float64, tr.in.Shape.Rows())
	for i := range w {
		for _, g := range tr.in.Grad()[i*d : (i+1)*d] {
			w[i] += float64(g) * float64(g)
		}
		w[i] = math.Sqrt(w[i])
	}
	return w
}

// rollout multiplies the blocks' attention from the mean of some rows down to the tokens that go into the first block.
func (tr *traced) rollout(rows []int) []float64 {
	n := tr.in.Shape.Rows()
	weight := make([]float64, n)
	for _, row := range rows {
		weight[row] += 1 / float64(len(rows))
	}
	for i := len(tr.blocks) - 1; i >= 0; i-- {
		m, next := meanAttention(&tr.blocks[i], &tr.layout), make([]float64, n)
		for from, w := range weight {
			if w == 0 {
				continue
			}
			next[from] += w / 2
			for to, a := range m[from*n : (from+1)*n] {
				next[to] += w / 2 * a
			}
		}
		weight = next
	}
	return weight
}

// meanAttention is a block's attention, the mean over the heads: [N, N], whose rows sum to 1.
func meanAttention(at *attended, l *ops.Layout) []float64 {
	n := at.q.Shape.Rows()
	out := make([]float64, n*n)
	at.each(l, func(i, _ int, p []float64) {
		for j, v := range p {
			out[i*n+j] += v / float64(at.heads)
		}
	})
	return out
}

// each calls f with the attention of every row i and head h to the tokens that the row sees, which are the first ones.
func (at *attended) each(l *ops.Layout, f func(i, h int, p []float64)) {
	n, d := at.q.Shape.Rows(), at.q.Shape.Last()
	head := d / at.heads
	scale := 1 / math.Sqrt(float64(head))
	row := make([]float64, n)
	for i := range n {
		seen := visible(l, i)
		for h := range at.heads {
			most, sum := math.Inf(-1), 0.
			for j := range seen {
				row[j] = scale * float64(kernel.Dot(at.q.Data[i*d+h*head:i*d+(h+1)*head], at.k.Data[j*d+h*head:j*d+(h+1)*head]))
				most = max(most, row[j])
			}
			for j := range seen {
				row[j] = math.Exp(row[j] - most)
				sum += row[j]
			}
			for j := range seen {
				row[j] /= sum
			}
			f(i, h, row[:seen])
		}
	}
}

// visible is how many tokens, from the first on, row i of one picture and at most one prompt sees.
func visible(l *ops.Layout, i int) int {
	if i < l.Patches {
		return l.Patches
	}
	return l.Patches + l.Groups[0].Sees(i-l.Patches)
}
