package compress

import (
	"context"
	"fmt"
	"math"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/model/unified"
	"fovea/nn"
)

// unitStep is what the number of a layer's units stays a multiple of: the width of the kernels' panels.
const unitStep = 16

// Prune is a model without the given share of the units of its feed-forward layers, those without which each layer's output,
// as far as seen while run puts pictures to the model, can be had best from the units that stay. It is structured Optimal
// Brain Surgeon (Hassibi and Stork 1993; Kurtić et al. 2023, "ZipLM"): with H the second moments of a layer's units, and of a
// constant for its bias, the unit i whose outgoing weights w have the least |w|² / H⁻¹[i,i] goes, and the weights of those that stay
// are changed so that the mean squared error of the output is the least possible. So units that others can stand in for go
// first, and most of what they did is kept. No gradient is needed.
//
// share is in (0, 1); each layer keeps a multiple of 16 units, at least 16. The model itself is not changed, and must not be in
// use elsewhere meanwhile. run should ask for the tasks that the model is wanted for, with some dozen pictures or more.
func Prune(ctx context.Context, m *unified.Model, share float64, run func(*unified.Model) error) (*unified.Model, error) {
	if !(share > 0 && share < 1) {
		return nil, fmt.Errorf("compress: a share of %g is to be pruned, want more than 0 and less than 1", share)
	}
	n := m.Config.FeedForward()
	keep := max(int(math.Round(float64(n)*(1-share)/unitStep)), 1) * unitStep
	if keep >= n {
		return nil, fmt.Errorf("compress: feed-forward layers of %d units, in steps of %d, are not made smaller by a share of %g", n, unitStep, share)
	}
	watched := make([]*watcher, len(m.Stack.Blocks))
	for i, b := range m.Stack.Blocks {
		w := &watcher{mlp: b.MLP, n: n, moments: make([]float64, (n+1)*(n+1))}
		if err := w.check(); err != nil {
			return nil, fmt.Errorf("compress: block %d: %w", i, err)
		}
		watched[i], b.MLP = w, w
	}
	err := run(m)
	for i, b := range m.Stack.Blocks {
		b.MLP = watched[i].mlp
	}
	if err != nil {
		return nil, err
	}
	out, err := m.WithFeedForward(keep)
	if err != nil {
		return nil, err
	}
	for i, w := range watched {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if w.rows < keep {
			return nil, fmt.Errorf("compress: %d tokens went through block %d, too few to choose %d units by; give more pictures", w.rows, i, keep)
		}
		w.settle()
		down, bias := w.down()
		s, err := newSurgeon(w.moments, n, down, bias)
		if err != nil {
			return nil, fmt.Errorf("compress: block %d: %w", i, err)
		}
		for range n - keep {
			s.remove()
		}
		s.finish()
		w.fill(out.Stack.Blocks[i].MLP, s)
	}
	return out, nil
}

// watcher is a feed-forward layer that adds up the second moments of its units.
type watcher struct {
	mlp     nn.FeedForward
	n       int       // units
	rows    int       // tokens that were seen
	moments []float64 // [n+1, n+1], the last one of a constant 1
	sum     []float32 // [n, n] of the last tokens, before they go to moments
	held    int       // tokens in sum
}

// heldTokens is how many tokens are added up in float32 before their sum goes to float64.
const heldTokens = 1024

// parts are the layer's maps: into the units (of a gated layer two) and out of them.
func (w *watcher) parts() (in []nn.Linear, out nn.Linear) {
	switch m := w.mlp.(type) {
	case *nn.MLP:
		return []nn.Linear{m.Up}, m.Down
	case *nn.GatedMLP:
		return []nn.Linear{m.Gate, m.Up}, m.Down
	}
	return nil, nil
}

func (w *watcher) check() error {
	in, out := w.parts()
	for _, l := range append(in, out) {
		if d, ok := l.(*nn.Dense); !ok || d.Weight.Data == nil {
			return fmt.Errorf("its feed-forward layer %T has maps %T, which cannot be pruned", w.mlp, l)
		}
	}
	return nil
}

// Forward implements nn.FeedForward.
func (w *watcher) Forward(p *nn.Pass, x *autograd.Value) *autograd.Value {
	_, out := w.parts()
	h := w.hidden(x)
	w.add(x.Tape().Work, h.Data, h.Shape.Rows())
	return out.Forward(h)
}

// hidden is what the units say.
func (w *watcher) hidden(x *autograd.Value) *autograd.Value {
	if m, ok := w.mlp.(*nn.MLP); ok {
		return m.Hidden(x)
	}
	return w.mlp.(*nn.GatedMLP).Hidden(x)
}

func (w *watcher) add(work *kernel.Work, h []float32, rows int) {
	if w.sum == nil {
		w.sum = make([]float32, w.n*w.n)
	}
	x := kernel.M(h, rows, w.n)
	kernel.Gemm(work, kernel.M(w.sum, w.n, w.n), x.T(), x, kernel.Epilogue{Beta: 1})
	last := w.moments[w.n*(w.n+1):]
	for r := range rows {
		for i, v := range h[r*w.n : (r+1)*w.n] {
			last[i] += float64(v)
		}
	}
	w.rows, w.held = w.rows+rows, w.held+rows
	if w.held >= heldTokens {
		w.flush()
	}
}

func (w *watcher) flush() {
	for i := range w.n {
		row := w.moments[i*(w.n+1):]
		for j, v := range w.sum[i*w.n : (i+1)*w.n] {
			row[j] += float64(v)
		}
	}
	clear(w.sum)
	w.held = 0
}

// settle makes means of the sums.
func (w *watcher) settle() {
	w.flush()
	n := w.n + 1
	last := w.moments[w.n*n:]
	last[w.n] = float64(w.rows)
	for i := range n {
		w.moments[i*n+w.n] = last[i]
	}
	for i := range w.moments {
		w.moments[i] /= float64(w.rows)
	}
	w.sum = nil
}

// down are the weights out of the units, [n, D], and the bias [D].
func (w *watcher) down() (weights, bias []float64) {
	_, out := w.parts()
	d := out.(*nn.Dense)
	width := d.Weight.Shape[0]
	weights, bias = make([]float64, w.n*width), make([]float64, width)
	for o := range width {
		for i := range w.n {
			weights[i*width+o] = float64(d.Weight.Data[o*w.n+i])
		}
		if d.Bias != nil {
			bias[o] = float64(d.Bias.Data[o])
		}
	}
	return weights, bias
}

// fill writes the units that stayed into a smaller layer.
func (w *watcher) fill(to nn.FeedForward, s *surgeon) {
	small := &watcher{mlp: to}
	from, _ := w.parts()
	in, out := small.parts()
	for k := range in {
		a, b := from[k].(*nn.Dense), in[k].(*nn.Dense)
		width := a.Weight.Shape[1]
		for j, i := range s.left {
			copy(b.Weight.Data[j*width:(j+1)*width], a.Weight.Data[i*width:(i+1)*width])
			if a.Bias != nil {
				b.Bias.Data[j] = a.Bias.Data[i]
			}
		}
	}
	d := out.(*nn.Dense)
	for o := range s.width {
		for j, i := range s.left {
			d.Weight.Data[o*len(s.left)+j] = float32(s.w[i*s.width+o])
		}
		if d.Bias != nil {
			d.Bias.Data[o] = float32(s.w[s.n*s.width+o])
		}
	}
}
