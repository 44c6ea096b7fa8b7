package main

import (
	"bytes"
	"fmt"
	"log"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

// fewPass is the largest number of rows that a kernel multiplies by weights in one pass over them.
const fewPass = 4

// gemvFiles emits the products of few rows by weights that stream from memory, which writing a text word by word is bound by,
// into files of their own.
func gemvFiles(files map[string][]byte) {
	convert := []kernel{{"fromF16", "dst []float32, src []uint16", "", fromF16}}
	files["dispatch_gemv_amd64.go"] = append(dispatchKernels(convert), dispatchRows()...)
	files["dispatch_gemv_noasm.go"] = dispatchGeneric(convert, "!amd64 || noasm")
	for _, s := range append([]set{vnni}, sets...) {
		g := newGen(s)
		emit := func(k kernel) {
			g.function(k.name+s.title, k.signature())
			k.emit(g)
			g.VZEROUPPER()
			g.RET()
		}
		if s.title == "AVX512" {
			g.bf12Kernels(emit)
		} else {
			g.quantKernels(emit)
		}
		if s != vnni {
			for _, k := range convert {
				emit(k)
			}
			for _, l := range layouts {
				for m := 1; m <= fewPass; m++ {
					emit(kernel{l.kernel(m), rowsParams("float32", l.elem), "", func(g *gen) { g.gemvRows(m, l) }})
				}
			}
			for m := 1; m <= fewPass; m++ {
				emit(kernel{fmt.Sprintf("mixBF16%d", m), mixParams, "", func(g *gen) { g.mixRows(m) }})
			}
		}
		f, err := g.Result()
		if err != nil {
			log.Fatal(err)
		}
		if err := pass.Compile.Execute(f); err != nil {
			log.Fatal(err)
		}
		refuseSSE(f)
		cfg := printer.Config{Argv: []string{"_asm"}, Name: "_asm", Pkg: "kernel"}
		name := "gemv_" + strings.ToLower(s.title) + "_amd64"
		files[name+".s"], files[name+".go"] = render(printer.NewGoAsm(cfg), f), gofmt(render(printer.NewStubs(cfg), f))
	}
}

func rowsParams(x, w string) string {
	return fmt.Sprintf("y []float32, x []%s, w []%s, n, k, ldw, ldy, ldx int", x, w)
}

// kernel is the name of the kernel of m rows.
func (l layout) kernel(m int) string { return fmt.Sprintf("gemv%s%d", l.name, m) }

// dispatchRows returns the functions that pick the kernel for a number of rows.
func dispatchRows() []byte {
	var b bytes.Buffer
	for _, l := range layouts {
		params := rowsParams("float32", l.elem)
		fmt.Fprintf(&b, "\n// gemv%s multiplies m rows.\nfunc gemv%s(m int, %s) {\n", l.name, l.name, params)
		dispatchHeights(&b, params, l.kernel)
		fmt.Fprintf(&b, "gemvGeneric(m, y, x, Rows{%s: w}, n, k, ldw, ldy, ldx)\n}\n", l.name)
	}
	fmt.Fprintf(&b, "\n// mixBF16 mixes for m rows.\nfunc mixBF16(m int, %s) {\n", mixParams)
	dispatchHeights(&b, mixParams, func(m int) string { return fmt.Sprintf("mixBF16%d", m) })
	b.WriteString("mixBF16Generic(m, y, s, v, n, k, ldv, ldy, lds)\n}\n")
	return gofmt(b.Bytes())
}

// dispatchHeights writes calls of the kernel for m rows, where there is one.
func dispatchHeights(b *bytes.Buffer, params string, name func(m int) string) {
	for _, s := range sets {
		fmt.Fprintf(b, "if use%s {\nswitch m {\n", s.title)
		for m := 1; m <= fewPass; m++ {
			fmt.Fprintf(b, "case %d:\n%s\n", m, kernel{params: params}.call(name(m)+s.title))
		}
		b.WriteString("}\nreturn\n}\n")
	}
}

// layout is how a row-major matrix holds its weights. load returns the weights of one step, each register to be multiplied by
// the next lanes of x; kept holds the constant keep in every lane.
type layout struct {
	name, elem string
	size       int // bytes of an element
	regs       int // registers of float32 in a step
	keep       uint32
	load       func(g *gen, at mem, kept vec) []vec
}

var layouts = []layout{
	{"F32", "float32", 4, 1, 0, func(g *gen, at mem, _ vec) []vec { return []vec{g.load(at, nil)} }},
	{"F16", "uint16", 2, 1, 0, func(g *gen, at mem, _ vec) []vec {
		t := g.vec()
		g.VCVTPH2PS(at, t)
		return []vec{t}
	}},
	// A word holds two bfloat16, the first in its lower half: x has the elements of even number before those of odd number,
	// step by step.
	{"BF16", "uint16", 2, 2, 0xffff0000, func(g *gen, at mem, high vec) []vec {
		t, even, odd := g.load(at, nil), g.vec(), g.vec()
		g.VPSLLD(imm(16), t, even)
		if g.lanes == 16 {
			g.VPANDD(high, t, odd)
		} else {
			g.VPAND(high, t, odd)
		}
		return []vec{even, odd}
	}},
}

// How far ahead of their use weights are asked for, in bytes, into the first and the second level of cache: the processor's own
// prefetching ends with the page, and memory takes longer than the kilobyte that fits the first level beside all else.
const (
	soon  = 1024
	later = 6144
)

// ahead asks for the weights that come after those at a place.
func (g *gen) ahead(at mem) {
	near, far := at, at
	near.Disp += soon
	far.Disp += later
	g.PREFETCHT0(near)
	if g.lanes == 16 { // with half as many bytes to a step, asking twice costs more than it brings
		g.PREFETCHT1(far)
	}
}

// gemvRows sets y[j·ldy+i] = Σ w[i·ldw+l]·x[j·ldx+l] for l < k, m rows j and n rows i. k is a multiple of the elements of a
// step, and neither it nor n is 0.
func (g *gen) gemvRows(m int, f layout) {
	y, w := g.list("y").base, g.list("w").base
	n, k, ldw, ldy, ldx := g.arg("n"), g.arg("k"), g.arg("ldw"), g.arg("ldy"), g.arg("ldx")
	g.SHLQ(imm(2), ldx)
	g.SHLQ(imm(2), ldy)
	xs := g.rowsOfX(m, ldx)
	var fixed vec
	if f.keep != 0 {
		fixed = g.keep(g.word(f.keep))
	}
	unroll := max(1, 4/(m*f.regs))
	step := f.regs * g.lanes
	i, left := g.GP64(), g.GP64()
	row := g.label("row")
	g.Label(row)
	sums := make([][]vec, m) // of row j, one for each register of the unrolled step
	for j := range sums {
		sums[j] = g.sums(unroll * f.regs)
	}
	g.XORQ(i, i)
	g.MOVQ(k, left)
	for _, u := range []int{unroll, 1} {
		loop, out := g.label("loop"), g.label("out")
		g.SUBQ(operand.U32(u*step), left)
		g.JLT(ref(out))
		g.Label(loop)
		for v := range u {
			at := mem{Base: w, Index: i, Scale: uint8(f.size), Disp: v * step * f.size}
			if (v*step*f.size)%64 == 0 {
				g.ahead(at)
			}
			for r, t := range f.load(g, at, fixed) {
				for j := range m {
					g.VFMADD231PS(mem{Base: xs[j], Index: i, Scale: 4, Disp: 4 * (v*step + r*g.lanes)}, t, sums[j][v*f.regs+r])
				}
			}
		}
		g.ADDQ(operand.U32(u*step), i)
		g.SUBQ(operand.U32(u*step), left)
		g.JGE(ref(loop))
		g.Label(out)
		g.ADDQ(operand.U32(u*step), left)
		if unroll == 1 {
			break
		}
	}
	to := g.GP64()
	g.MOVQ(y, to)
	for j := range m {
		g.VMOVSS(g.fold(g.merge(sums[j], g.VADDPS), g.VADDPS).AsX(), mem{Base: to})
		if j < m-1 {
			g.ADDQ(ldy, to)
		}
	}
	g.ADDQ(imm(4), y)
	g.LEAQ(mem{Base: w, Index: ldw, Scale: uint8(f.size)}, w)
	g.DECQ(n)
	g.JNZ(ref(row))
}

const mixParams = "y, s []float32, v []uint16, n, k, ldv, ldy, lds int"

// mixRows adds Σ s[j·lds+t]·v[t·ldv+l] over t < n to y[j·ldy+l], for m rows j and l < k, two registers of l at a time, then one. k is a
// multiple of the lanes, and neither it nor n is 0.
func (g *gen) mixRows(m int) {
	y, s, v := g.list("y").base, g.list("s").base, g.list("v").base
	n, k, ldv, ldy, lds := g.arg("n"), g.arg("k"), g.arg("ldv"), g.arg("ldy"), g.arg("lds")
	for _, ld := range []gp{ldy, lds} {
		g.SHLQ(imm(2), ld)
	}
	g.ADDQ(ldv, ldv)
	rows := func(first, ld gp) []gp {
		at := []gp{first}
		for range m - 1 {
			next := g.GP64()
			g.LEAQ(mem{Base: at[len(at)-1], Index: ld, Scale: 1}, next)
			at = append(at, next)
		}
		return at
	}
	ss := rows(s, lds)
	i, from, to := g.GP64(), g.GP64(), g.GP64()
	for _, u := range []int{2, 1} {
		block, loop, out := g.label("block"), g.label("loop"), g.label("out")
		g.Label(block)
		g.CMPQ(k, operand.U32(u*g.lanes))
		g.JLT(ref(out))
		g.MOVQ(y, to)
		sums := make([][]vec, m)
		for j := range sums {
			for r := range u {
				sums[j] = append(sums[j], g.load(mem{Base: to, Disp: 4 * r * g.lanes}, nil))
			}
			if j < m-1 {
				g.ADDQ(ldy, to)
			}
		}
		g.XORQ(i, i)
		g.MOVQ(v, from)
		g.Label(loop)
		var weights []vec
		for r := range u {
			weights = append(weights, g.bf16(mem{Base: from, Disp: 2 * r * g.lanes}))
		}
		for j := range m {
			t := g.vec()
			g.VBROADCASTSS(mem{Base: ss[j], Index: i, Scale: 4}, t)
			for r := range u {
				g.VFMADD231PS(weights[r], t, sums[j][r])
			}
		}
		g.ADDQ(ldv, from)
		g.INCQ(i)
		g.CMPQ(i, n)
		g.JLT(ref(loop))
		g.MOVQ(y, to)
		for j := range sums {
			for r := range u {
				g.store(sums[j][r], mem{Base: to, Disp: 4 * r * g.lanes}, nil)
			}
			if j < m-1 {
				g.ADDQ(ldy, to)
			}
		}
		g.ADDQ(operand.U32(4*u*g.lanes), y)
		g.ADDQ(operand.U32(2*u*g.lanes), v)
		g.SUBQ(operand.U32(u*g.lanes), k)
		g.JMP(ref(block))
		g.Label(out)
	}
}

// bf16 returns bfloat16 in memory, one for each lane, as float32.
func (g *gen) bf16(at mem) vec {
	t := g.vec()
	g.VPMOVZXWD(at, t)
	g.VPSLLD(imm(16), t, t)
	return t
}

// arg loads an int parameter.
func (g *gen) arg(name string) gp { return g.Load(g.Param(name), g.GP64()).(gp) }

// fromF16 widens IEEE 754 binary16.
func fromF16(g *gen) {
	dst, src := g.list("dst"), g.listOf("src", 2)
	g.vectors(g.length("dst"), func(c cursor) {
		t := g.vec()
		g.VCVTPH2PS(c.of(src), t)
		g.put(t, dst, c)
	}, func(c cursor) {
		r, x := g.GP32(), g.XMM()
		g.MOVWLZX(c.of(src), r)
		g.VMOVD(r, x)
		g.VCVTPH2PS(x, x)
		g.VMOVSS(x, c.of(dst))
	})
}
