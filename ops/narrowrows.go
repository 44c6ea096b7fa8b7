package ops

import (
	"sync/atomic"

	"fovea/internal/kernel"
)

// tightCopy is a matrix of bfloat16 in 12 bits, or what it takes to know when one is worth being made.
type tightCopy struct {
	wanted bool
	uses   atomic.Int32 // by products of few rows
	copy   atomic.Pointer[kernel.BF12]
}

// Tighten lets products of one row, and on several cores of three, read a copy of a matrix of bfloat16 in 12 bits, without loss, which takes three quarters of
// the memory again. It is for models that no cache holds: only then is reading what a product costs.
func (n *Narrow) Tighten() { n.tight.wanted = n.bf16 != nil }

// Spared is how many bytes less than Bytes a product of one row reads by now.
func (n *Narrow) Spared() int {
	if b := n.tight.copy.Load(); b != nil {
		return n.Bytes() - b.Bytes()
	}
	return 0
}

// tightAfter is the number of products of few rows after which the copy is made: when reading 16 bits has cost about as much more as making it, so that
// nobody who stops has lost more than half (ski rental: Karlin et al. 1988). That is 20 words where memory is at hand, and 170 in a virtual machine whose host has to find it first.
const tightAfter = 64

// rows is the matrix as the kernels read it for so many rows of x.
func (n *Narrow) rows(w *kernel.Work, rows int) kernel.Rows {
	if n.tight.wanted {
		b := n.tight.copy.Load()
		if b == nil && n.tight.uses.Load() < tightAfter && n.tight.uses.Add(1) == tightAfter {
			b = kernel.PackBF12(w, n.bf16, n.Out, n.In)
			if n.tight.copy.Store(b); b != nil && n.file != nil {
				n.file.Done() // a text that is being written needs it no more; the next prompt brings its pages back
			}
		}
		if b != nil && b.Pays(w, rows) {
			return kernel.Rows{N: n.Out, K: n.In, BF12: b}
		}
	}
	return kernel.Rows{N: n.Out, K: n.In, BF16: n.bf16, F16: n.f16}
}

// few computes y = x·wᵀ + bias where reading the weights is what it costs: for few rows, and by weights of 4 bits always.
// It reports false, and does nothing, when that is not the best way.
func (n *Narrow) few(w *kernel.Work, y, x kernel.Mat, bias *Value) bool {
	switch {
	case n.int4 != nil && !n.passes(x.Rows):
		kernel.MulInt4(w, y, x, n.int4, dataOf(bias))
	case n.int8 != nil && !n.many(x.Rows) && !n.passes(x.Rows):
		kernel.MulInt8(w, y, x, n.int8, n.scale, dataOf(bias))
	case x.Rows <= kernel.FewRows:
		kernel.MulRows(w, y, x, n.rows(w, x.Rows), dataOf(bias))
	default:
		return false
	}
	return true
}

// dataOf is the data of a value that may be nil.
func dataOf(v *Value) []float32 {
	if v == nil {
		return nil
	}
	return v.Data
}

// Map is a matrix of Together: W [Out, In] or, in fewer bits, Narrow; Bias is [Out] or nil.
type Map struct {
	W      *Value
	Narrow *Narrow
	Bias   *Value
}

// mostMaps is how many maps Together takes.
const mostMaps = 4

// Together sets ys[i] to Linear, or NarrowLinear, of x by maps[i], where x has so few rows that reading the weights is what it costs: as
// one job. It reports false, and does nothing, where that is not the best way, and on a tape that trains.
func Together(ys []*Value, x *Value, maps []Map) bool {
	t, rows, in := x.Tape(), x.Shape.Rows(), x.Shape.Last()
	if t.Train || rows > kernel.FewRows || len(maps) > mostMaps {
		return false
	}
	var products [mostMaps]kernel.Product
	for i := range maps {
		m := &maps[i]
		out := 0
		switch p := &products[i]; {
		case m.Narrow == nil:
			mustBe(len(m.W.Shape) == 2 && m.W.Shape[1] == in, "linear", "[..., In] and [Out, In]", x, m.W)
			out = m.W.Shape[0]
			p.Rows = kernel.Rows{N: out, K: in, F32: m.W.Data}
		default:
			mustBe(m.Narrow.In == in, "narrowlinear", "[..., In]", x)
			if m.Narrow.int8 != nil && m.Narrow.many(rows) {
				return false
			}
			out = m.Narrow.Out
			p.Int8, p.Scale, p.Int4 = m.Narrow.int8, m.Narrow.scale, m.Narrow.int4
			if p.Rows = m.Narrow.rows(t.Work, rows); p.Int8 != nil || p.Int4 != nil {
				p.Rows = kernel.Rows{}
			}
		}
		mustBe(m.Bias == nil || len(m.Bias.Data) == out, "linear", "a bias [Out]", x, m.Bias)
		ys[i] = newLike(t, false, x, out)
		products[i].Y, products[i].Bias = kernel.M(ys[i].Data, rows, out), dataOf(m.Bias)
	}
	kernel.MulTogether(t.Work, kernel.M(x.Data, rows, in), products[:len(maps)])
	return true
}
