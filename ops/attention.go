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
	op.forward()
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

// attentionOp works task by task, so that only one task's scores are in memory at a time. For the backward pass it keeps two
// numbers a row and head, from which the probabilities are computed again (Dao et al. 2022, "FlashAttention").
type attentionOp struct {
	q, k, v, y *Value
	heads      int
	l          *Layout
	mem        *Memory

	tasks  []attentionTask
	scores int // of the largest task
}

// attentionTask is one head of some rows of a block.
type attentionTask struct {
	image, row, rows, g0, g1, h int
	top, inv                    []float32 // of each row, see kernel.SoftmaxRowsKept; nil: not kept
}

// keys are the image tokens' keys and values.
func (o *attentionOp) keys() (k, v []float32) {
	if o.mem != nil {
		return o.mem.K, o.mem.V
	}
	n := o.l.Images * o.l.Patches * o.q.Shape.Last()
	return o.k.Data[:n], o.v.Data[:n]
}

// keysGrad is where the gradients of keys and values go.
func (o *attentionOp) keysGrad() (dk, dv []float32) {
	if o.mem != nil {
		return nil, nil
	}
	n := o.l.Images * o.l.Patches * o.q.Shape.Last()
	return o.k.Grad()[:n], o.v.Grad()[:n]
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

// taskRows bounds the rows of a task, and with them the memory for scores: many rows need no square of it. Groups are not cut.
const taskRows = 256

// plan lists a block's tasks.
func (o *attentionOp) plan(image, row, rows, g0, g1 int) {
	if g0 == g1 {
		n := max((rows+taskRows-1)/taskRows, 1)
		for i := range n {
			from, to := rows*i/n, rows*(i+1)/n
			o.add(attentionTask{image: image, row: row + from, rows: to - from})
		}
		return
	}
	for g0 < g1 {
		t := attentionTask{image: image, row: o.l.Groups[g0].Start, g0: g0}
		for ; g0 < g1 && (t.rows == 0 || t.rows+o.l.Groups[g0].Len <= taskRows); g0++ {
			t.rows += o.l.Groups[g0].Len
		}
		t.g1 = g0
		o.add(t)
	}
}

// add lists a task for every head.
func (o *attentionOp) add(t attentionTask) {
	_, w := o.width(t.image, t.g0, t.g1)
	o.scores = max(o.scores, t.rows*w)
	for t.h = range o.heads {
		if o.y.Wanted() {
			t.top, t.inv = o.y.Tape().Scratch(t.rows), o.y.Tape().Scratch(t.rows)
		}
		o.tasks = append(o.tasks, t)
	}
}

// forward does the tasks, side by side where the tape has threads, each share with memory for its scores.
func (o *attentionOp) forward() {
	t := o.y.Tape()
	o.tasks, o.scores = o.tasks[:0], 0
	o.blocks((*attentionOp).plan)
	mark := t.Mark()
	if n := len(o.tasks); t.Work.Wide(n * o.scores) {
		s := t.Scratch(t.Work.Parts(n) * o.scores)
		t.Work.SplitWork(n, func(own *kernel.Work, part, from, to int) {
			for i := from; i < to; i++ {
				o.forwardHead(own, s[part*o.scores:(part+1)*o.scores], &o.tasks[i])
			}
		})
	} else {
		s := t.Scratch(o.scores)
		for i := range o.tasks {
			o.forwardHead(t.Work, s, &o.tasks[i])
		}
	}
	t.Release(mark)
}

// headView is what a task reads and writes: views of one head's columns, and of scores.
type headView struct {
	d, kd, patches, width int
	scale                 float32
	ik, iv                kernel.Mat // of the picture
}

func (o *attentionOp) view(task *attentionTask) (v headView) {
	v.d = o.q.Shape.Last()
	v.kd = v.d / o.heads
	v.scale = float32(1 / math.Sqrt(float64(v.kd)))
	v.patches, v.width = o.width(task.image, task.g0, task.g1)
	if v.patches > 0 {
		ik, iv := o.keys()
		v.ik, v.iv = v.rows(ik, task.image*v.patches, v.patches, task.h), v.rows(iv, task.image*v.patches, v.patches, task.h)
	}
	return v
}

// rows are head h's columns of some rows.
func (v *headView) rows(x []float32, row, rows, h int) kernel.Mat {
	return head(x, row, rows, v.d, h, v.kd)
}

// picture are a task's scores of the picture's tokens.
func (v *headView) picture(s []float32, rows int) kernel.Mat {
	return kernel.Mat{Data: s, Rows: rows, Cols: v.patches, RS: v.width, CS: 1}
}

// own are a group's scores of its own tokens.
func (v *headView) own(s []float32, task *attentionTask, g *Group) kernel.Mat {
	return kernel.Mat{Data: s[(g.Start-task.row)*v.width+v.patches:], Rows: g.Len, Cols: g.Len, RS: v.width, CS: 1}
}

// probabilities leaves those of a task in s: they are computed the first time, or again.
func (o *attentionOp) probabilities(work *kernel.Work, s []float32, task *attentionTask, v *headView, again bool) {
	if v.patches > 0 {
		kernel.Gemm(work, v.picture(s, task.rows), v.rows(o.q.Data, task.row, task.rows, task.h), v.ik.T(), kernel.Epilogue{})
	}
	soft := func(row, rows, cols int) {
		x := s[row*v.width:]
		switch {
		case task.top == nil:
			kernel.SoftmaxRows(x, rows, cols, v.width, v.scale)
		case again:
			kernel.SoftmaxRowsAgain(x, task.top[row:row+rows], task.inv[row:row+rows], rows, cols, v.width, v.scale)
		default:
			kernel.SoftmaxRowsKept(x, task.top[row:row+rows], task.inv[row:row+rows], rows, cols, v.width, v.scale)
		}
	}
	for i := task.g0; i < task.g1; i++ {
		g := &o.l.Groups[i]
		kernel.Gemm(work, v.own(s, task, g), v.rows(o.q.Data, g.Start, g.Len, task.h), v.rows(o.k.Data, g.Start, g.Len, task.h).T(), kernel.Epilogue{})
		for j := range g.Len {
			r, n := g.Start-task.row+j, v.patches+g.Sees(j)
			soft(r, 1, n)
			clear(s[r*v.width+n : (r+1)*v.width])
		}
	}
	if task.g0 == task.g1 {
		soft(0, task.rows, v.width)
	}
}

// forwardHead computes a task.
func (o *attentionOp) forwardHead(work *kernel.Work, s []float32, task *attentionTask) {
	v := o.view(task)
	if task.g0 == task.g1 && kernel.Attend(work, v.rows(o.y.Data, task.row, task.rows, task.h), v.rows(o.q.Data, task.row, task.rows, task.h), v.ik, v.iv, v.scale, task.top, task.inv) {
		return
	}
	o.probabilities(work, s, task, &v, false)
	beta := float32(0)
	if v.patches > 0 {
		kernel.Gemm(work, v.rows(o.y.Data, task.row, task.rows, task.h), v.picture(s, task.rows), v.iv, kernel.Epilogue{})
		beta = 1
	}
	for i := task.g0; i < task.g1; i++ {
		g := &o.l.Groups[i]
		kernel.Gemm(work, v.rows(o.y.Data, g.Start, g.Len, task.h), v.own(s, task, g), v.rows(o.v.Data, g.Start, g.Len, task.h), kernel.Epilogue{Beta: beta})
	}
}

// Backward implements autograd.Op.
func (o *attentionOp) Backward() {
	t := o.y.Tape()
	mark := t.Mark()
	s, ds := t.Scratch(o.scores), t.Scratch(o.scores)
	for i := range o.tasks {
		o.backwardHead(t.Work, s, ds, &o.tasks[i])
	}
	t.Release(mark)
}

func (o *attentionOp) backwardHead(work *kernel.Work, s, ds []float32, task *attentionTask) {
	v, add := o.view(task), kernel.Epilogue{Beta: 1}
	o.probabilities(work, s, task, &v, true)
	dik, div := o.keysGrad()
	dy, p, dp := v.rows(o.y.Grad(), task.row, task.rows, task.h), v.picture(s, task.rows), v.picture(ds, task.rows)
	if v.patches > 0 {
		kernel.Gemm(work, dp, dy, v.iv.T(), kernel.Epilogue{})
		if div != nil {
			kernel.Gemm(work, v.rows(div, task.image*v.patches, v.patches, task.h), p.T(), dy, add)
		}
	}
	for i := task.g0; i < task.g1; i++ {
		g := &o.l.Groups[i]
		gy := v.rows(o.y.Grad(), g.Start, g.Len, task.h)
		kernel.Gemm(work, v.own(ds, task, g), gy, v.rows(o.v.Data, g.Start, g.Len, task.h).T(), kernel.Epilogue{})
		kernel.Gemm(work, v.rows(o.v.Grad(), g.Start, g.Len, task.h), v.own(s, task, g).T(), gy, add)
		for r := g.Start - task.row; r < g.Start-task.row+g.Len; r++ { // columns past the group are of no one: their probability is 0, their gradient must be too
			clear(ds[r*v.width+v.patches+g.Len : (r+1)*v.width])
		}
	}
	// dS = scale·P ∘ (dP − Σ P∘dP): where P is 0 (unseen) it stays 0
	kernel.SoftmaxRowsGrad(ds, s, ds, task.rows, v.width, v.width, v.scale)
	if v.patches > 0 {
		kernel.Gemm(work, v.rows(o.q.Grad(), task.row, task.rows, task.h), dp, v.ik, add)
		if dik != nil {
			kernel.Gemm(work, v.rows(dik, task.image*v.patches, v.patches, task.h), dp.T(), v.rows(o.q.Data, task.row, task.rows, task.h), add)
		}
	}
	for i := task.g0; i < task.g1; i++ {
		g := &o.l.Groups[i]
		down := v.own(ds, task, g)
		kernel.Gemm(work, v.rows(o.q.Grad(), g.Start, g.Len, task.h), down, v.rows(o.k.Data, g.Start, g.Len, task.h), add)
		kernel.Gemm(work, v.rows(o.k.Grad(), g.Start, g.Len, task.h), down.T(), v.rows(o.q.Data, g.Start, g.Len, task.h), add)
	}
}
