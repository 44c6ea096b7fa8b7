package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// Bag embeds each list of row numbers as the mean of those rows of table: [V, D] → [len(bags), D]. A name of several
// words becomes one vector. bags must stay as they are until the tape is reset.
func Bag(table *Value, bags [][]int32) *Value {
	d, t := table.Shape.Last(), table.Tape()
	y := t.New(autograd.Wants(table), len(bags), d)
	clear(y.Data)
	for i, bag := range bags {
		for _, r := range bag {
			kernel.Axpy(1/float32(len(bag)), table.Data[int(r)*d:(int(r)+1)*d], y.Data[i*d:(i+1)*d])
		}
	}
	if y.Wanted() {
		op := autograd.Node[bagOp](t)
		*op = bagOp{table, y, bags}
		t.Push(op)
	}
	return y
}

type bagOp struct {
	table, y *Value
	bags     [][]int32
}

func (o *bagOp) Backward() {
	d := o.y.Shape.Last()
	for i, bag := range o.bags {
		for _, r := range bag {
			kernel.Axpy(1/float32(len(bag)), o.y.Grad()[i*d:(i+1)*d], o.table.Grad()[int(r)*d:(int(r)+1)*d])
		}
	}
}

// Concat stacks the rows of a and b: [N, D] and [M, D] → [N+M, D].
func Concat(a, b *Value) *Value {
	d := a.Shape.Last()
	mustBe(b.Shape.Last() == d, "concat", "one width", a, b)
	t := a.Tape()
	y := t.New(autograd.Wants(a, b), a.Shape.Rows()+b.Shape.Rows(), d)
	copy(y.Data, a.Data)
	copy(y.Data[len(a.Data):], b.Data)
	if y.Wanted() {
		op := autograd.Node[concatOp](t)
		*op = concatOp{a, b, y}
		t.Push(op)
	}
	return y
}

type concatOp struct{ a, b, y *Value }

func (o *concatOp) Backward() {
	if o.a.Wanted() {
		kernel.AddTo(o.a.Grad(), o.y.Grad()[:len(o.a.Grad())])
	}
	if o.b.Wanted() {
		kernel.AddTo(o.b.Grad(), o.y.Grad()[len(o.a.Data):])
	}
}

// SigmoidMatch returns the pairwise sigmoid loss of image–text matching (SigLIP, Zhai et al. 2023): for unit vectors
// img [N, D] and txt [M, D] and a table of which pairs belong together, the mean over images of Σⱼ log(1 + e^(−z·s)) with
// s = e^scale·img·txt + bias and z = ±1. scale and bias are [1]. same[i·M+j] says that text j fits picture i.
func SigmoidMatch(img, txt, scale, bias *Value, same []bool) *Value {
	n, m, d := img.Shape.Rows(), txt.Shape.Rows(), img.Shape.Last()
	mustBe(txt.Shape.Last() == d && len(same) == n*m, "sigmoidmatch", "[N, D], [M, D] and N·M pairs", img, txt)
	t := img.Tape()
	y := t.New(autograd.Wants(img, txt, scale, bias), 1)
	dot := t.Scratch(n * m)
	kernel.Gemm(t.Work, kernel.M(dot, n, m), kernel.M(img.Data, n, d), kernel.M(txt.Data, m, d).T(), kernel.Epilogue{})
	s, total := exp(scale.Data[0]), 0.0
	for i, c := range dot {
		z := s*c + bias.Data[0]
		if same[i] {
			z = -z
		}
		total += float64(softplus(z))
	}
	y.Data[0] = float32(total / float64(n))
	if y.Wanted() {
		op := autograd.Node[matchOp](t)
		*op = matchOp{img, txt, scale, bias, y, dot, same}
		t.Push(op)
	}
	return y
}

type matchOp struct {
	img, txt, scale, bias, y *Value
	dot                      []float32
	same                     []bool
}

func (o *matchOp) Backward() {
	n, m, d := o.img.Shape.Rows(), o.txt.Shape.Rows(), o.img.Shape.Last()
	t := o.y.Tape()
	mark := t.Mark()
	g := t.Scratch(n * m) // d loss / d (s·dot + bias)
	s, w := exp(o.scale.Data[0]), o.y.Grad()[0]/float32(n)
	for i, c := range o.dot {
		z := s*c + o.bias.Data[0]
		g[i] = w * sigmoid(z)
		if o.same[i] {
			g[i] = -w * sigmoid(-z)
		}
	}
	if o.scale.Wanted() {
		o.scale.Grad()[0] += s * kernel.Dot(g, o.dot)
	}
	if o.bias.Wanted() {
		o.bias.Grad()[0] += kernel.Sum(g)
	}
	kernel.Scale(g, s)
	add := kernel.Epilogue{Beta: 1}
	if o.img.Wanted() {
		kernel.Gemm(t.Work, kernel.M(o.img.Grad(), n, d), kernel.M(g, n, m), kernel.M(o.txt.Data, m, d), add)
	}
	if o.txt.Wanted() {
		kernel.Gemm(t.Work, kernel.M(o.txt.Grad(), m, d), kernel.M(g, n, m).T(), kernel.M(o.img.Data, n, d), add)
	}
	t.Release(mark)
}
