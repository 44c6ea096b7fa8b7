package ops

import (
	"math"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// Group is one run of text tokens (a prompt with its answer) that looks at one picture.
type Group struct {
	Image  int  // index of the picture it sees, or -1: it sees only itself
	Start  int  // first row of the group among the query rows
	Len    int  // rows
	Causal bool // token i sees tokens ≤ i of its group; otherwise all of them
	Prefix int  // of a causal group: the first so many tokens see each other both ways (a prefix LM, Raffel et al. 2020)
}

// Sees is the number of its group's tokens that token i sees, from the first on.
func (g *Group) Sees(i int) int {
	if !g.Causal {
		return g.Len
	}
	return min(max(i+1, g.Prefix), g.Len)
}

// Layout says which rows see which. Rows 0 … Images·Patches−1 of the sequence are image tokens, picture after picture;
// the groups' rows follow, ordered by picture and without gaps. With two pictures of two tokens and one causal and one
// full group on the first (■ sees, · does not):
//
//	        p0 p0 p1 p1 a a b b
//	p0       ■  ■  ·  ·  · · · ·
//	p1       ·  ·  ■  ■  · · · ·
//	a (caus) ■  ■  ·  ·  ■ · · ·
//	a        ■  ■  ·  ·  ■ ■ · ·
//	b (full) ■  ■  ·  ·  · · ■ ■
//
// What is not seen is skipped, not computed and masked.
type Layout struct {
	Images, Patches int
	Groups          []Group
}

// Rows is the number of tokens of the sequence.
func (l *Layout) Rows() int {
	n := l.Images * l.Patches
	for _, g := range l.Groups {
		n += g.Len
	}
	return n
}

// Memory holds keys and values of image tokens that were computed in an earlier pass: [Images·Patches, H·K] each.
type Memory struct{ K, V []float32 }

// Attention returns softmax(q·kᵀ/√K)·v, head by head (Vaswani et al. 2017, eq. 1), restricted to what the layout lets
// each row see. q, k, v are [N, H·K]. Without mem the rows are those of the layout, image tokens first; with mem the
// image tokens are not among the rows (Group.Start counts from the first row) and their keys and values come from mem.
func Attention(q, k, v *Value, heads int, l *Layout, mem *Memory) *Value {
	t, d := q.Tape(), q.Shape.Last()
	mustBe(q.Shape.Equal(k.Shape) && k.Shape.Equal(v.Shape) && d%heads == 0, "attention", "q, k, v of one shape [N, H·K]", q, k, v)
	y := t.New(autograd.Wants(q, k, v), q.Shape.Rows(), d)
	op := autograd.Node[attentionOp](t)
	op.q, op.k, op.v, op.y, op.heads, op.l, op.mem = q, k, v, y, heads, l, mem
	op.probs = op.probs[:0]
	if y.Grad == nil {
		op.answer()
		return y
	}
	op.blocks((*attentionOp).forwardBlock)
	t.Push(op)
	return y
}

type attentionOp struct {
	q, k, v, y *Value
	heads      int
	l          *Layout
	mem        *Memory
	probs      [][]float32 // softmax of each block in order of computation, kept for the backward pass
	next       int         // block at hand in the backward pass

	tasks  []attentionTask
	scores int // of the largest task
}

// keys are the image tokens' keys, values and where their gradients go.
func (o *attentionOp) keys() (k, v, dk, dv []float32) {
	if o.mem != nil {
		return o.mem.K, o.mem.V, nil, nil
	}
	n := o.l.Images * o.l.Patches * o.q.Shape.Last()
	if o.y.Grad != nil {
		return o.k.Data[:n], o.v.Data[:n], o.k.Grad[:n], o.v.Grad[:n]
	}
	return o.k.Data[:n], o.v.Data[:n], nil, nil
}

// blocks calls f for every block of query rows that share their image keys: first each picture's own tokens, then the
// run of groups [g0, g1) on each picture.
func (o *attentionOp) blocks(f func(o *attentionOp, image, row, rows, g0, g1 int)) {
	if o.mem == nil {
		for b := range o.l.Images {
			f(o, b, b*o.l.Patches, o.l.Patches, 0, 0)
		}
	}
	for g0 := 0; g0 < len(o.l.Groups); {
		g1, rows := g0, 0
		for ; g1 < len(o.l.Groups) && o.l.Groups[g1].Image == o.l.Groups[g0].Image; g1++ {
			rows += o.l.Groups[g1].Len
		}
		f(o, o.l.Groups[g0].Image, o.l.Groups[g0].Start, rows, g0, g1)
		g0 = g1
	}
}

// Backward implements autograd.Op.
func (o *attentionOp) Backward() {
	o.next = 0
	o.blocks((*attentionOp).backwardBlock)
}

// width is the number of columns of a block's score matrix: the picture's tokens, then the longest group's own.
func (o *attentionOp) width(image, g0, g1 int) (patches, w int) {
	if image >= 0 {
		patches = o.l.Patches
	}
	w = patches
	for _, g := range o.l.Groups[g0:g1] {
		w = max(w, patches+g.Len)
	}
	return patches, w
}

// head is the view of one head's columns in rows [row, row+rows) of a [N, H·K] matrix.
func head(x []float32, row, rows, d, h, kd int) kernel.Mat {
	return kernel.Mat{Data: x[row*d+h*kd:], Rows: rows, Cols: kd, RS: d, CS: 1}
}

// forwardBlock computes a block and keeps the heads' probabilities for the backward pass.
func (o *attentionOp) forwardBlock(image, row, rows, g0, g1 int) {
	t := o.y.Tape()
	_, w := o.width(image, g0, g1)
	for h := range o.heads {
		s := t.Scratch(rows * w)
		o.forwardHead(t.Work, s, attentionTask{image, row, rows, g0, g1, h})
		o.probs = append(o.probs, s)
	}
}

// attentionTask is one head of some rows of a block.
type attentionTask struct{ image, row, rows, g0, g1, h int }

// taskRows bounds the rows of a task without groups, and with them the memory for scores: many rows need no square of it.
const taskRows = 256

// plan lists a block's tasks.
func (o *attentionOp) plan(image, row, rows, g0, g1 int) {
	n := 1
	if g0 == g1 {
		n = max((rows+taskRows-1)/taskRows, 1)
	}
	_, w := o.width(image, g0, g1)
	o.scores = max(o.scores, (rows+n-1)/n*w)
	for h := range o.heads {
		for i := range n {
			from, to := rows*i/n, rows*(i+1)/n
			o.tasks = append(o.tasks, attentionTask{image, row + from, to - from, g0, g1, h})
		}
	}
}

// answer is the forward pass when there will be no backward pass: tasks side by side, each share with memory for its scores.
func (o *attentionOp) answer() {
	t := o.y.Tape()
	o.tasks, o.scores = o.tasks[:0], 0
	o.blocks((*attentionOp).plan)
	mark := t.Mark()
	if n := len(o.tasks); t.Work.Wide(n * o.scores) {
		s := t.Scratch(t.Work.Parts(n) * o.scores)
		t.Work.SplitWork(n, func(own *kernel.Work, part, from, to int) {
			for _, task := range o.tasks[from:to] {
				o.forwardHead(own, s[part*o.scores:(part+1)*o.scores], task)
			}
		})
	} else {
		s := t.Scratch(o.scores)
		for _, task := range o.tasks {
			o.forwardHead(t.Work, s, task)
		}
	}
	t.Release(mark)
}

// forwardHead computes a task and leaves its probabilities in s.
func (o *attentionOp) forwardHead(work *kernel.Work, s []float32, task attentionTask) {
	image, row, rows, g0, g1, h := task.image, task.row, task.rows, task.g0, task.g1, task.h
	d := o.q.Shape.Last()
	kd := d / o.heads
	scale := float32(1 / math.Sqrt(float64(kd)))
	ik, iv, _, _ := o.keys()
	p, w := o.width(image, g0, g1)
	q, out := head(o.q.Data, row, rows, d, h, kd), head(o.y.Data, row, rows, d, h, kd)
	sp := kernel.Mat{Data: s, Rows: rows, Cols: p, RS: w, CS: 1}
	if p > 0 {
		kernel.Gemm(work, sp, q, head(ik, image*p, p, d, h, kd).T(), kernel.Epilogue{})
	}
	for _, g := range o.l.Groups[g0:g1] {
		r := g.Start - row
		own := kernel.Mat{Data: s[r*w+p:], Rows: g.Len, Cols: g.Len, RS: w, CS: 1}
		kernel.Gemm(work, own, head(o.q.Data, g.Start, g.Len, d, h, kd), head(o.k.Data, g.Start, g.Len, d, h, kd).T(), kernel.Epilogue{})
		for i := range g.Len {
			n := p + g.Sees(i)
			kernel.SoftmaxRows(s[(r+i)*w:], 1, n, w, scale)
			clear(s[(r+i)*w+n : (r+i+1)*w])
		}
	}
	if g0 == g1 {
		kernel.SoftmaxRows(s, rows, w, w, scale)
	}
	beta := float32(0)
	if p > 0 {
		kernel.Gemm(work, out, sp, head(iv, image*p, p, d, h, kd), kernel.Epilogue{})
		beta = 1
	}
	for _, g := range o.l.Groups[g0:g1] {
		r := g.Start - row
		own := kernel.Mat{Data: s[r*w+p:], Rows: g.Len, Cols: g.Len, RS: w, CS: 1}
		kernel.Gemm(work, head(o.y.Data, g.Start, g.Len, d, h, kd), own, head(o.v.Data, g.Start, g.Len, d, h, kd), kernel.Epilogue{Beta: beta})
	}
}

func (o *attentionOp) backwardBlock(image, row, rows, g0, g1 int) {
	t, d := o.y.Tape(), o.q.Shape.Last()
	kd := d / o.heads
	scale := float32(1 / math.Sqrt(float64(kd)))
	ik, iv, dik, div := o.keys()
	p, w := o.width(image, g0, g1)
	add := kernel.Epilogue{Beta: 1}
	for h := range o.heads {
		mark := t.Mark()
		s := o.probs[o.next]
		o.next++
		ds := t.Scratch(rows * w)
		dy := head(o.y.Grad, row, rows, d, h, kd)
		sp := kernel.Mat{Data: s, Rows: rows, Cols: p, RS: w, CS: 1}
		dsp := kernel.Mat{Data: ds, Rows: rows, Cols: p, RS: w, CS: 1}
		if p > 0 {
			kernel.Gemm(t.Work, dsp, dy, head(iv, image*p, p, d, h, kd).T(), kernel.Epilogue{})
			if div != nil {
				kernel.Gemm(t.Work, head(div, image*p, p, d, h, kd), sp.T(), dy, add)
			}
		}
		for _, g := range o.l.Groups[g0:g1] {
			r := g.Start - row
			own := kernel.Mat{Data: s[r*w+p:], Rows: g.Len, Cols: g.Len, RS: w, CS: 1}
			down := kernel.Mat{Data: ds[r*w+p:], Rows: g.Len, Cols: g.Len, RS: w, CS: 1}
			gy := head(o.y.Grad, g.Start, g.Len, d, h, kd)
			kernel.Gemm(t.Work, down, gy, head(o.v.Data, g.Start, g.Len, d, h, kd).T(), kernel.Epilogue{})
			kernel.Gemm(t.Work, head(o.v.Grad, g.Start, g.Len, d, h, kd), own.T(), gy, add)
			for i := range g.Len { // columns past the group are of no one: their probability is 0, their gradient must be too
				clear(ds[(r+i)*w+p+g.Len : (r+i+1)*w])
			}
		}
		// dS = scale·P ∘ (dP − Σ P∘dP): where P is 0 (unseen) it stays 0
		kernel.SoftmaxRowsGrad(ds, s, ds, rows, w, w, scale)
		if p > 0 {
			kernel.Gemm(t.Work, head(o.q.Grad, row, rows, d, h, kd), dsp, head(ik, image*p, p, d, h, kd), add)
			if dik != nil {
				kernel.Gemm(t.Work, head(dik, image*p, p, d, h, kd), dsp.T(), head(o.q.Data, row, rows, d, h, kd), add)
			}
		}
		for _, g := range o.l.Groups[g0:g1] {
			r := g.Start - row
			down := kernel.Mat{Data: ds[r*w+p:], Rows: g.Len, Cols: g.Len, RS: w, CS: 1}
			kernel.Gemm(t.Work, head(o.q.Grad, g.Start, g.Len, d, h, kd), down, head(o.k.Data, g.Start, g.Len, d, h, kd), add)
			kernel.Gemm(t.Work, head(o.k.Grad, g.Start, g.Len, d, h, kd), down.T(), head(o.q.Data, g.Start, g.Len, d, h, kd), add)
		}
		t.Release(mark)
	}
}
