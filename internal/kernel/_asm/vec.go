package main

import (
	"fmt"
	"log"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// set is an instruction set.
type set struct {
	title    string // ends the names of its functions
	lanes    int    // float32 in a register
	tileRows int    // height of the largest matrix tile
	first    bool   // carries what exists once
	factors  factors
}

// factors is what one lane of a matrix product's instruction multiplies and adds up.
type factors uint8

const (
	float32s   factors = iota // one of each side
	bf16Pairs                 // two bfloat16
	int8Quads                 // four bytes: of a without sign, of b with one
	int16Pairs                // two integers of 16 bits
)

// sets have every kernel.
var sets = []set{
	{title: "AVX512", lanes: 16, tileRows: 14},
	{title: "AVX2", lanes: 8, tileRows: 6, first: true},
}

// narrowSets have the matrix product of a narrow number format and a list of kernels of their own. Each is there in addition
// to AVX-512, or to AVX2 where registers have 8 lanes.
var narrowSets = []struct {
	set
	kernels []kernel
}{
	{set{title: "BF16", lanes: 16, tileRows: 14, factors: bf16Pairs}, bf16Kernels},
	{set{title: "VNNI", lanes: 16, tileRows: 14, factors: int8Quads}, int8Kernels(encodeBytes)},
	{set{title: "Int16", lanes: 8, tileRows: 6, factors: int16Pairs}, append(int8Kernels(encodeWords), wordKernels...)},
}

func (s set) tileName(h, v int) string { return fmt.Sprintf("gemm%dx%d%s", h, v, s.title) }

type (
	vec = reg.VecVirtual
	gp  = reg.GPVirtual
	mem = operand.Mem
	imm = operand.U8
)

// gen emits instructions for one set. The methods of the embedded Context are avo's, one for each instruction, with operands
// in the order of Go's assembler: sources first, the second source before the first, destination last.
type gen struct {
	*build.Context
	set
	constants map[uint32]mem
	labels    int
}

func newGen(s set) *gen {
	g := &gen{build.NewContext(), s, map[uint32]mem{}, 0}
	g.ConstraintExpr("amd64,!noasm")
	return g
}

func (g *gen) function(name, signature string) {
	g.Function(name)
	g.Attributes(attr.NOSPLIT)
	g.Pragma("noescape")
	if signature == "func(args *gemmArgs)" {
		// avo would need the package's types; a pointer is a pointer.
		g.Signature(gotypes.NewSignature(nil, gemmArgsSignature()))
		return
	}
	g.SignatureExpr(signature)
}

// label returns a name that is new in the file.
func (g *gen) label(s string) string {
	g.labels++
	return fmt.Sprintf("%s%d", s, g.labels)
}

func ref(s string) operand.LabelRef { return operand.LabelRef(s) }

func (g *gen) vec() vec {
	if g.lanes == 16 {
		return g.ZMM()
	}
	return g.YMM()
}

// mask chooses the first lanes of a register: an opmask, or a vector of all-ones words. A nil *mask means all.
type mask struct {
	k reg.Register
	v vec
}

// tailMask returns the mask of the first n lanes, 0 ≤ n ≤ lanes.
func (g *gen) tailMask(n gp) *mask {
	if g.lanes == 16 {
		ones, k := g.GP32(), g.K()
		g.MOVL(operand.U32(math.MaxUint32), ones)
		g.BZHIL(n.As32(), ones, ones)
		g.KMOVW(ones, k)
		return &mask{k: k}
	}
	at, t := g.GP64(), g.vec()
	g.LEAQ(g.maskTable(), at)
	g.SHLQ(imm(2), n)
	g.SUBQ(n, at)
	g.SHRQ(imm(2), n)
	g.VMOVUPS(mem{Base: at, Disp: 4 * g.lanes}, t)
	return &mask{v: t}
}

// maskTable is lanes words of ones, then as many zeros: a load that starts n words before the zeros has n ones.
func (g *gen) maskTable() mem {
	const key = 0xdeadbeef // no constant of ours
	if m, ok := g.constants[key]; ok {
		return m
	}
	m := g.StaticGlobal("tail" + g.title)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 2 * g.lanes {
		var w uint32
		if i < g.lanes {
			w = math.MaxUint32
		}
		g.AddDatum(4*i, operand.U32(w))
	}
	g.constants[key] = m
	return m
}

// load returns the vector at m; lanes outside the mask are zero and are not read.
func (g *gen) load(at mem, m *mask) vec {
	t := g.vec()
	switch {
	case m == nil:
		g.VMOVUPS(at, t)
	case g.lanes == 16:
		g.VMOVUPS_Z(at, m.k, t)
	default:
		g.VMASKMOVPS(at, m.v, t)
	}
	return t
}

// store writes the lanes of the mask.
func (g *gen) store(v vec, at mem, m *mask) {
	switch {
	case m == nil:
		g.VMOVUPS(v, at)
	case g.lanes == 16:
		g.VMOVUPS(v, m.k, at)
	default:
		g.VMASKMOVPS(v, m.v, at)
	}
}

// pick returns yes in the lanes of the mask and no in the others.
func (g *gen) pick(m *mask, yes, no vec) vec {
	if m == nil {
		return yes
	}
	t := g.vec()
	if g.lanes == 16 {
		g.VBLENDMPS(yes, no, m.k, t)
	} else {
		g.VBLENDVPS(m.v, yes, no, t)
	}
	return t
}

// Predicates of VCMPPS.
const (
	less      = imm(0x11) // a < b, false for NaN
	unordered = imm(0x03) // a or b is NaN
	ordered   = imm(0x07) // neither a nor b is NaN
	equal     = imm(0x00) // a = b, false for NaN
)

// when returns yes in the lanes where "a predicate b" holds, no in the others.
func (g *gen) when(predicate imm, a, b, yes, no vec) vec {
	if g.lanes == 16 {
		k := g.K()
		g.VCMPPS(predicate, b, a, k)
		return g.pick(&mask{k: k}, yes, no)
	}
	t := g.vec()
	g.VCMPPS(predicate, b, a, t)
	return g.pick(&mask{v: t}, yes, no)
}

// word returns a constant of 32 bits in every lane, in memory.
func (g *gen) word(w uint32) mem {
	if m, ok := g.constants[w]; ok {
		return m
	}
	m := g.StaticGlobal(fmt.Sprintf("c%08x%s", w, g.title))
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range g.lanes {
		g.AddDatum(4*i, operand.U32(w))
	}
	g.constants[w] = m
	return m
}

// num returns a float32 constant in every lane, in memory.
func (g *gen) num(f float64) mem { return g.word(math.Float32bits(float32(f))) }

// keep loads a constant into a register.
func (g *gen) keep(m mem) vec { return g.load(m, nil) }

func (g *gen) zero() vec {
	t := g.vec()
	g.VXORPS(t, t, t)
	return t
}

// scalar loads a float32 parameter into lane 0. Like result it avoids avo's Load and Store, which emit the SSE form of the
// move: beside 256-bit code that costs some hundred cycles.
func (g *gen) scalar(name string) vec {
	x := g.XMM()
	g.VMOVSS(g.address(g.Param(name)), x)
	return x
}

// result stores lane 0 as the float32 result.
func (g *gen) result(x vec, to gotypes.Component) { g.VMOVSS(x.AsX(), g.address(to)) }

func (g *gen) address(c gotypes.Component) mem {
	b, err := c.Resolve()
	if err != nil {
		log.Fatal(err)
	}
	return b.Addr
}

// broadcast returns lane 0 of x in every lane.
func (g *gen) broadcast(x vec) vec {
	t := g.vec()
	g.VBROADCASTSS(x.AsX(), t)
	return t
}

// param returns a float32 parameter in every lane.
func (g *gen) param(name string) vec { return g.broadcast(g.scalar(name)) }

// fold reduces v to lane 0 of the result by op, an instruction of three operands.
func (g *gen) fold(v vec, op func(...operand.Op)) vec {
	y := v
	if g.lanes == 16 {
		half, r := g.YMM(), g.YMM()
		g.VEXTRACTF32X8(imm(1), v, half)
		op(half, v.AsY(), r)
		y = r
	}
	x, t := g.XMM(), g.XMM()
	g.VEXTRACTF128(imm(1), y.AsY(), t)
	op(t, y.AsX(), x)
	g.VPERMILPS(imm(0x4e), x, t)
	op(t, x, x)
	g.VPERMILPS(imm(0xb1), x, t)
	op(t, x, x)
	return x
}

// list is a slice parameter whose elements have size bytes.
type list struct {
	base gp
	size int
}

func (g *gen) list(name string) list { return g.listOf(name, 4) }

func (g *gen) listOf(name string, size int) list {
	return list{g.Load(g.Param(name).Base(), g.GP64()).(gp), size}
}

func (g *gen) length(name string) gp { return g.Load(g.Param(name).Len(), g.GP64()).(gp) }

// cursor is a position in a sweep.
type cursor struct {
	index gp
	skip  int // elements
	mask  *mask
}

func (c cursor) of(l list) mem {
	return mem{Base: l.base, Index: c.index, Scale: uint8(l.size), Disp: c.skip * l.size}
}

func (g *gen) get(l list, c cursor) vec    { return g.load(c.of(l), c.mask) }
func (g *gen) put(v vec, l list, c cursor) { g.store(v, c.of(l), c.mask) }

// sweep emits step for n elements: unroll vectors at a time (u counts them), then one by one, then a last one with a mask.
func (g *gen) sweep(n gp, unroll int, step func(c cursor, u int)) {
	i, left := g.GP64(), g.GP64()
	g.XORQ(i, i)
	g.MOVQ(n, left)
	for _, u := range []int{unroll, 1} {
		loop, out := g.label("loop"), g.label("out")
		g.SUBQ(operand.U32(u*g.lanes), left)
		g.JLT(ref(out))
		g.Label(loop)
		for j := range u {
			step(cursor{i, j * g.lanes, nil}, j)
		}
		g.ADDQ(operand.U32(u*g.lanes), i)
		g.SUBQ(operand.U32(u*g.lanes), left)
		g.JGE(ref(loop))
		g.Label(out)
		g.ADDQ(operand.U32(u*g.lanes), left)
		if unroll == 1 {
			break
		}
	}
	end := g.label("end")
	g.TESTQ(left, left)
	g.JZ(ref(end))
	step(cursor{i, 0, g.tailMask(left)}, 0)
	g.Label(end)
}

// sums returns u registers of zero.
func (g *gen) sums(u int) []vec {
	s := make([]vec, u)
	for i := range s {
		s[i] = g.zero()
	}
	return s
}

// merge reduces several registers to one by op.
func (g *gen) merge(s []vec, op func(...operand.Op)) vec {
	for n := len(s); n > 1; n = (n + 1) / 2 {
		for i := range n / 2 {
			op(s[n-1-i], s[i], s[i])
		}
	}
	return s[0]
}
