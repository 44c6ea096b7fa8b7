package ops

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/internal/memory"
)

// Narrow is a matrix [Out, In] of weights that take two bytes each, one, or half of one. Many rows are multiplied by bfloat16, by
// binary16 rounded to it where that is faster, and by bytes as such, rounded to them themselves; else weights become float32 panel by panel, when they are multiplied by.
type Narrow struct {
	Out, In int

	bf16  []uint16
	f16   []uint16
	int8  []int8    // with a capacity of kernel.Pad more
	scale []float32 // of int8: one for each row
	int4  *kernel.Int4
	file  autograd.Stored // whose memory it is: that of a file, or of whoever read one
	fast  narrowCopy
	tight tightCopy
}

// Narrowed is the matrix of a parameter in fewer bits, one of Precisions. A parameter that lies in a file as bfloat16 or
// binary16 becomes "bf16" by using the file's bytes as they are; everything else is read row by row, and never is as
// float32 as a whole.
func Narrowed(p *autograd.Param, precision string) (*Narrow, error) {
	n := &Narrow{Out: p.Shape[0], In: p.Shape.Size() / max(p.Shape[0], 1)}
	if p.Stored != nil && precision == "bf16" {
		if n.bf16, n.f16 = p.Stored.BF16(), p.Stored.F16(); n.bf16 != nil || n.f16 != nil {
			n.file = p.Stored
			return n, nil
		}
	}
	if err := n.reserve(precision); err != nil {
		return nil, err
	}
	if p.Stored == nil {
		n.fill(p.Data, 0)
		return n, nil
	}
	if err := n.read(p.Stored); err != nil {
		return nil, err
	}
	p.Stored.Done()
	return n, nil
}

// read rounds rows of a file, some on each core. A panel of 4-bit weights is one goroutine's.
func (n *Narrow) read(from autograd.Stored) error {
	const align = 16
	step := max(panelFloats/max(n.In, 1)/align, 1) * align
	var next atomic.Int64
	errs := make(chan error)
	workers := min(runtime.GOMAXPROCS(0), (n.Out+step-1)/step)
	for range workers {
		go func() {
			buf, _ := rowBuffers.Get().(*[]float32)
			if size := min(step, n.Out) * n.In; buf == nil || cap(*buf) < size {
				buf = new(make([]float32, size))
			}
			defer rowBuffers.Put(buf)
			rows := (*buf)[:cap(*buf)]
			for {
				o := int(next.Add(int64(step))) - step
				if o >= n.Out {
					errs <- nil
					return
				}
				end := min(o+step, n.Out)
				if err := from.Rows(rows[:(end-o)*n.In], o, end); err != nil {
					errs <- err
					return
				}
				n.fill(rows[:(end-o)*n.In], o)
			}
		}()
	}
	var err error
	for range workers {
		err = errors.Join(err, <-errs)
	}
	return err
}

// rowBuffers are *[]float32 that read uses again: new ones for each of a model's hundreds of matrices would be tens of megabytes of
// garbage beside the weights before they are collected.
var rowBuffers sync.Pool

// NewBF16 rounds a matrix [out, in] to bfloat16.
func NewBF16(w []float32, out, in int) *Narrow { return narrow(w, out, in, "bf16") }

// NewInt8 rounds a matrix [out, in] to 255 steps a row, symmetric around 0, the largest of which is the row's largest weight
// (Wu et al. 2020, per-channel scales).
func NewInt8(w []float32, out, in int) *Narrow { return narrow(w, out, in, "int8") }

func narrow(w []float32, out, in int, precision string) *Narrow {
	n := &Narrow{Out: out, In: in}
	if err := n.reserve(precision); err != nil {
		panic(err) // the two above know their names
	}
	n.fill(w, 0)
	return n
}

// reserve takes the memory that a precision needs.
func (n *Narrow) reserve(precision string) error {
	switch precision {
	case "bf16":
		n.bf16 = memory.Make[uint16](n.Out * n.In)
	case "int8":
		n.int8, n.scale = memory.Make[int8](n.Out*n.In + kernel.Pad)[:n.Out*n.In], make([]float32, n.Out)
	case "int4":
		n.int4 = kernel.NewInt4(n.Out, n.In)
	default:
		return fmt.Errorf("ops: there is no precision %q", precision)
	}
	return nil
}

// fill rounds rows w from row `from` on.
func (n *Narrow) fill(w []float32, from int) {
	if n.bf16 != nil {
		kernel.ToBF16(n.bf16[from*n.In:from*n.In+len(w)], w)
		return
	}
	for o := from; len(w) > 0; o, w = o+1, w[n.In:] {
		if n.int4 != nil {
			n.int4.SetRow(o, w[:n.In])
		} else {
			n.scale[o] = kernel.RoundInt8(n.int8[o*n.In:(o+1)*n.In], w[:n.In])
		}
	}
}

// Precisions are the number formats that there are.
var Precisions = []string{"bf16", "int8", "int4"}

// Mapped reports that the weights are those of a file.
func (n *Narrow) Mapped() bool { return n.file != nil && n.file.Owner() != nil }

// Bytes is the memory that the matrix takes.
func (n *Narrow) Bytes() int {
	if n.int4 != nil {
		return n.int4.Bytes()
	}
	return 2*(len(n.bf16)+len(n.f16)) + len(n.int8) + 4*len(n.scale)
}

// widen writes rows [from, to) as float32.
func (n *Narrow) widen(dst []float32, from, to int) {
	if n.bf16 != nil {
		kernel.FromBF16(dst, n.bf16[from*n.In:to*n.In])
		return
	}
	if n.f16 != nil {
		kernel.FromF16(dst, n.f16[from*n.In:to*n.In])
		return
	}
	for o := from; o < to; o++ {
		if n.int4 != nil {
			n.int4.Row(dst[(o-from)*n.In:(o-from+1)*n.In], o)
			continue
		}
		kernel.DequantInt8(dst[(o-from)*n.In:(o-from+1)*n.In], n.int8[o*n.In:(o+1)*n.In], n.scale[o])
	}
}

// panelFloats bounds the weights that are widened at a time (256 KiB), so that they are still in the second-level cache when
// they are multiplied by.
const panelFloats = 64 << 10

// NarrowLinear is Linear by a narrow matrix: x·wᵀ + bias for x [..., In], bias [Out] or nil. It passes no gradients on and
// is for tapes that do not train.
func NarrowLinear(x *Value, w *Narrow, bias *Value) *Value {
	t := x.Tape()
	mustBe(x.Shape.Last() == w.In && !t.Train && (bias == nil || len(bias.Data) == w.Out), "narrowlinear", "[..., In] on a tape that does not train, and [Out]", x, bias)
	y := newLike(t, false, x, w.Out)
	w.linear(t, y, x, bias)
	return y
}

// linear sets y to rows x times the weights, and the bias.
func (w *Narrow) linear(t *autograd.Tape, y, x, bias *Value) {
	rows := x.Shape.Rows()
	in, out := kernel.M(x.Data, rows, w.In), kernel.M(y.Data, rows, w.Out)
	if w.few(t.Work, out, in, bias) || w.gemm(t.Work, out, in, kernel.Epilogue{Bias: dataOf(bias)}) {
		return
	}
	step := min(max(panelFloats/w.In, 1), w.Out)
	mark := t.Mark()
	panel := t.Scratch(step * w.In)
	for o := 0; o < w.Out; o += step {
		end := min(o+step, w.Out)
		w.widen(panel[:(end-o)*w.In], o, end)
		ep := kernel.Epilogue{}
		if bias != nil {
			ep.Bias = bias.Data[o:end]
		}
		kernel.Gemm(t.Work, out.Slice(0, rows, o, end), in, kernel.M(panel, end-o, w.In).T(), ep)
	}
	t.Release(mark)
}

// NarrowLinearInto is NarrowLinear whose result takes y's place, or is added to y.
func NarrowLinearInto(y, x *Value, w *Narrow, bias *Value, add bool) {
	t, rows := x.Tape(), x.Shape.Rows()
	mustBe(x.Shape.Last() == w.In && !t.Train && len(y.Data) == rows*w.Out && (bias == nil || len(bias.Data) == w.Out), "narrowlinearinto", "[..., Out] and [..., In] on a tape that does not train, and [Out]", y, x, bias)
	if !add {
		w.linear(t, y, x, bias)
		return
	}
	if rows > kernel.FewRows && w.int8 == nil && w.int4 == nil &&
		w.gemm(t.Work, kernel.M(y.Data, rows, w.Out), kernel.M(x.Data, rows, w.In), kernel.Epilogue{Bias: dataOf(bias), Beta: 1}) {
		return
	}
	into(t, y, true, func() *Value { return NarrowLinear(x, w, bias) })
}

// NarrowGather is Gather from one narrow table: row i of the result is row rows[i] of w.
func NarrowGather(t *autograd.Tape, rows []Ref, w *Narrow) *Value {
	y := t.New(false, len(rows), w.In)
	for i, r := range rows {
		w.widen(y.Data[i*w.In:(i+1)*w.In], int(r.Row), int(r.Row)+1)
	}
	return y
}
