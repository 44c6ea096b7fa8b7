package ops

import (
	"fovea/autograd"
	"fovea/internal/kernel"
)

// Ref names one row of one of several tables.
type Ref struct{ Table, Row int32 }

// Gather builds a matrix from rows of tables: result row i is tables[refs[i].Table][refs[i].Row]. It is how words,
// coordinates, positions and image tokens become one sequence, and how read-outs pick the tokens that answer. All tables
// have the same last axis D; the result is [len(refs), D]. refs must stay as it is until the tape is reset.
func Gather(t *autograd.Tape, refs []Ref, tables ...*Value) *Value {
	d := tables[0].Shape.Last()
	for _, v := range tables {
		mustBe(v.Shape.Last() == d, "gather", "tables of one width", tables...)
	}
	y := t.New(autograd.Wants(tables...), len(refs), d)
	for i, r := range refs {
		copy(y.Data[i*d:(i+1)*d], tables[r.Table].Data[int(r.Row)*d:])
	}
	if y.Wanted() {
		op := autograd.Node[gatherOp](t)
		op.refs, op.y = refs, y
		op.tables = append(op.tables[:0], tables...)
		t.Push(op)
	}
	return y
}

type gatherOp struct {
	refs   []Ref
	tables []*Value
	y      *Value
}

func (o *gatherOp) Backward() {
	d := o.y.Shape.Last()
	for i, r := range o.refs {
		if g := o.tables[r.Table].Grad(); g != nil {
			kernel.AddTo(g[int(r.Row)*d:(int(r.Row)+1)*d], o.y.Grad()[i*d:(i+1)*d])
		}
	}
}

// Slice is rows [from, to) of the merged leading axes of x, as a view.
func Slice(x *Value, from, to int) *Value {
	d := x.Shape.Last()
	t := x.Tape()
	v := t.Part(x, from*d, to*d)
	return t.View(v, to-from, d)
}

// MeanRows averages groups of n consecutive rows: [G·n, D] → [G, D]. It pools the tokens of each picture.
func MeanRows(x *Value, n int) *Value {
	d, t := x.Shape.Last(), x.Tape()
	g := x.Shape.Rows() / n
	y := t.New(autograd.Wants(x), g, d)
	clear(y.Data)
	for i := range g {
		addRows(y.Data[i*d:(i+1)*d], x.Data[i*n*d:(i+1)*n*d])
	}
	kernel.Scale(y.Data, 1/float32(n))
	if y.Wanted() {
		op := autograd.Node[meanRowsOp](t)
		*op = meanRowsOp{x, y, n}
		t.Push(op)
	}
	return y
}

type meanRowsOp struct {
	x, y *Value
	n    int
}

func (o *meanRowsOp) Backward() {
	d := o.x.Shape.Last()
	for i := range o.x.Shape.Rows() {
		kernel.Axpy(1/float32(o.n), o.y.Grad()[i/o.n*d:(i/o.n+1)*d], o.x.Grad()[i*d:(i+1)*d])
	}
}
