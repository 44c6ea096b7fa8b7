package main

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
)

// bf16Kernels round float32 to bfloat16 in the order in which the matrix product reads it.
var bf16Kernels = []kernel{
	{"pairRows", "dst, src []float32, k, ld, n, width int", "", pairRows},
	{"pairPanels", "dst, src []float32, k, ld, panels, stride int", "", pairPanels},
	{"pairElements", "dst, src []float32, rows, ld, n, width int", "", pairElements},
	{"pairTile", "dst, src []float32, rows, ld, n int", "", pairTile},
	{"softmaxPairs", "dst, x, top, inv []float32, rows, ld, n, rs, ls int, scale float32", "", softmaxPairs},
	{"winogradInPairs", "dst, src []float32, ds, ld, rs, c, n int", "", winogradInPairs},
	{"winogradInTiles", "dst, src []float32, ds, ld, rs, c, n int", "", winogradInTiles},
	{"winogradGradTiles", "dst, src []float32, ds, ld, rs, c, n int", "", winogradGradTiles},
}

// pairRows makes each two of k rows of n elements one row of width pairs: 16 or 32.
func pairRows(g *gen) {
	dst, src := g.list("dst").base, g.list("src").base
	k, ld, n, width := g.intParam("k"), g.intParam("ld"), g.intParam("n"), g.intParam("width")
	g.SHLQ(imm(2), ld)
	order := g.keep(g.interleave())
	// pairs emits the loop over the rows for v registers, of which the masks choose the lanes.
	pairs := func(v int, ms []*mask) {
		loop, odd, end := g.label("pairs"), g.label("odd"), g.label("end")
		row := func(below bool) {
			if below { // rows lie in other pages, which no hardware prefetch enters
				ahead := g.GP64()
				g.LEAQ(mem{Base: src, Index: ld, Scale: 8}, ahead)
				g.PREFETCHT0(mem{Base: ahead})
				g.PREFETCHT0(mem{Base: ahead, Index: ld, Scale: 1})
			}
			for j := range v {
				at := mem{Base: src, Disp: 4 * g.lanes * j}
				x, y, t := g.load(at, ms[j]), g.zero(), g.vec()
				if below {
					at.Index, at.Scale = ld, 1
					y = g.load(at, ms[j])
				}
				g.VPDPWSSDS(x, y, t) // stands for VCVTNE2PS2BF16, see raw.go: x in the lower half, y in the upper
				g.VPERMW(t, order, t)
				g.store(t, mem{Base: dst, Disp: 4 * g.lanes * j}, nil)
			}
			g.ADDQ(operand.U32(4*g.lanes*v), dst)
		}
		g.SUBQ(imm(2), k)
		g.JLT(ref(odd))
		g.Label(loop)
		row(true)
		g.LEAQ(mem{Base: src, Index: ld, Scale: 2}, src)
		g.SUBQ(imm(2), k)
		g.JGE(ref(loop))
		g.Label(odd)
		g.ADDQ(imm(2), k)
		g.JZ(ref(end))
		row(false)
		g.Label(end)
	}
	g.CMPQ(width, operand.U32(g.lanes))
	g.JNE(ref("wide"))
	pairs(1, []*mask{g.tailMask(n)})
	g.JMP(ref("done"))
	g.Label("wide")
	// The mask of an empty register, or of more than one, is made of its clamped number of elements.
	lanes, rest := g.GP64(), g.GP64()
	g.MOVQ(operand.U64(g.lanes), lanes)
	g.MOVQ(n, rest)
	g.SUBQ(lanes, rest)
	g.CMPQ(n, lanes)
	g.CMOVQGT(lanes, n)
	zero := g.GP64()
	g.XORQ(zero, zero)
	g.CMPQ(rest, zero)
	g.CMOVQLT(zero, rest)
	pairs(2, []*mask{g.tailMask(n), g.tailMask(rest)})
	g.Label("done")
}

// pairPanels is pairRows for several full panels of 32 columns, stride elements apart. It goes along the rows: panel by panel,
// each row's part would lie in another page.
func pairPanels(g *gen) {
	dst, src := g.list("dst").base, g.list("src").base
	k, ld, panels, stride := g.intParam("k"), g.intParam("ld"), g.intParam("panels"), g.intParam("stride")
	g.SHLQ(imm(2), ld)
	g.SHLQ(imm(2), stride)
	order := g.keep(g.interleave())
	// along emits the walk over a pair of rows, of which the second may be missing.
	along := func(below bool) {
		from, to, left, loop := g.GP64(), g.GP64(), g.GP64(), g.label("along")
		g.MOVQ(src, from)
		g.MOVQ(dst, to)
		g.MOVQ(panels, left)
		g.Label(loop)
		for j := range 2 {
			at := mem{Base: from, Disp: 4 * g.lanes * j}
			x, y, t := g.load(at, nil), g.zero(), g.vec()
			if below {
				at.Index, at.Scale = ld, 1
				y = g.load(at, nil)
			}
			g.VPDPWSSDS(x, y, t) // stands for VCVTNE2PS2BF16
			g.VPERMW(t, order, t)
			g.store(t, mem{Base: to, Disp: 4 * g.lanes * j}, nil)
		}
		g.ADDQ(operand.U32(8*g.lanes), from)
		g.ADDQ(stride, to)
		g.DECQ(left)
		g.JNZ(ref(loop))
	}
	g.SUBQ(imm(2), k)
	g.JLT(ref("odd"))
	g.Label("pair")
	along(true)
	g.LEAQ(mem{Base: src, Index: ld, Scale: 2}, src)
	g.ADDQ(operand.U32(8*g.lanes), dst)
	g.SUBQ(imm(2), k)
	g.JGE(ref("pair"))
	g.Label("odd")
	g.ADDQ(imm(2), k)
	g.JZ(ref("done"))
	along(false)
	g.Label("done")
}

// interleave is the order of words that brings those of a register's halves in turn: 0, 16, 1, 17, …
func (g *gen) interleave() mem {
	const key = 0xdeadbee0 // no constant of ours
	if m, ok := g.constants[key]; ok {
		return m
	}
	m := g.StaticGlobal("interleave" + g.title)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range g.lanes {
		g.AddDatum(4*i, operand.U32(i|(i+g.lanes)<<16))
	}
	g.constants[key] = m
	return m
}

// pairElements rounds rows of n elements, each to a row of width pairs of neighbours. The last of an odd number of elements
// is paired with 0.
func pairElements(g *gen) {
	to, from := g.list("dst").base, g.list("src").base
	rows, ld, n, width := g.intParam("rows"), g.intParam("ld"), g.intParam("n"), g.intParam("width")
	g.SHLQ(imm(2), ld)
	g.SHLQ(imm(2), width)
	tail := g.GP64()
	g.MOVQ(n, tail)
	g.ANDQ(imm(15), tail)
	in := g.tailMask(tail)
	g.INCQ(tail)
	g.ANDQ(operand.I32(-2), tail)
	out := g.tailMask(tail) // of words
	g.ANDQ(operand.I32(-16), n)
	src, dst := list{from, 4}, list{to, 2}
	i := g.GP64()
	narrow := func(at cursor) vec {
		y := g.YMM()
		g.VPMOVDW(g.get(src, at), y) // stands for VCVTNEPS2BF16, see raw.go
		return y
	}
	g.Label("row")
	g.XORQ(i, i)
	g.CMPQ(i, n)
	g.JGE(ref("tail"))
	g.Label("vector")
	at := cursor{i, 0, nil}
	g.VMOVDQU(narrow(at), at.of(dst))
	g.ADDQ(imm(16), i)
	g.CMPQ(i, n)
	g.JLT(ref("vector"))
	g.Label("tail")
	g.TESTQ(tail, tail)
	g.JZ(ref("next"))
	g.VMOVDQU16(narrow(cursor{i, 0, in}), out.k, at.of(dst))
	g.Label("next")
	g.ADDQ(ld, from)
	g.ADDQ(width, to)
	g.DECQ(rows)
	g.JNZ(ref("row"))
}

// pairTile rounds rows of n elements to a tile of AMX: lines of 16 pairs of neighbours, the first line of every row, then the second
// of every row. What a last line lacks is zero.
func pairTile(g *gen) {
	dst, src := g.list("dst").base, g.list("src").base
	rows, ld, n := g.intParam("rows"), g.intParam("ld"), g.intParam("n")
	g.SHLQ(imm(2), ld)
	step := g.GP64()
	g.MOVQ(rows, step)
	g.SHLQ(imm(6), step)
	tail := g.GP64()
	g.MOVQ(n, tail)
	g.ANDQ(imm(31), tail)
	masks := g.halves(tail)
	lines := g.GP64()
	g.MOVQ(n, lines)
	g.SHRQ(imm(5), lines)
	line := func(from, to gp, ms []*mask) {
		t := g.vec()
		x, y := g.load(mem{Base: from}, ms[0]), g.load(mem{Base: from, Disp: 4 * g.lanes}, ms[1])
		g.VPDPWSSDS(x, y, t) // stands for VCVTNE2PS2BF16: x in the lower half, y in the upper
		g.store(t, mem{Base: to}, nil)
	}
	from, to, left := g.GP64(), g.GP64(), g.GP64()
	g.Label("row")
	g.MOVQ(src, from)
	g.MOVQ(dst, to)
	g.MOVQ(lines, left)
	g.TESTQ(left, left)
	g.JZ(ref("tail"))
	g.Label("line")
	line(from, to, []*mask{nil, nil})
	g.ADDQ(operand.U32(8*g.lanes), from)
	g.ADDQ(step, to)
	g.DECQ(left)
	g.JNZ(ref("line"))
	g.Label("tail")
	g.TESTQ(tail, tail)
	g.JZ(ref("next"))
	line(from, to, masks)
	g.Label("next")
	g.ADDQ(ld, src)
	g.ADDQ(imm(64), dst)
	g.DECQ(rows)
	g.JNZ(ref("row"))
}

// int8Kernels quantise float32 for the product of bytes, and back.
func int8Kernels(encode func(g *gen)) []kernel {
	return []kernel{
		{"spread", "x []float32", "(lo, hi, zero float32)", spread},
		{"encodeRow", "dst, x []float32, lo, inv float32", "", encode},
		{"decodeRow", "c, scale, shift, bias []float32, step, lo float32", "", decodeRow},
	}
}

// spread finds the least and the largest element, and adds up each times zero, which is NaN unless all are finite.
func spread(g *gen) {
	x := g.list("x")
	least, most := g.keep(g.num(math.Inf(1))), g.keep(g.num(math.Inf(-1)))
	zero, acc := g.zero(), g.zero()
	lo, hi := make([]vec, 2), make([]vec, 2)
	for i := range lo {
		lo[i], hi[i] = g.vec(), g.vec()
		g.VMOVAPS(least, lo[i])
		g.VMOVAPS(most, hi[i])
	}
	g.sweep(g.length("x"), 2, func(c cursor, u int) {
		t := g.get(x, c)
		g.VMINPS(lo[u], g.pick(c.mask, t, least), lo[u])
		g.VMAXPS(hi[u], g.pick(c.mask, t, most), hi[u])
		g.VFMADD231PS(zero, t, acc)
	})
	g.result(g.fold(g.merge(lo, g.VMINPS), g.VMINPS), g.ReturnIndex(0))
	g.result(g.fold(g.merge(hi, g.VMAXPS), g.VMAXPS), g.ReturnIndex(1))
	g.result(g.fold(acc, g.VADDPS), g.ReturnIndex(2))
}

// encodeBytes writes the bytes (x − lo)·inv, rounded to nearest, ties to even.
func encodeBytes(g *gen) {
	dst, x, lo, inv := g.listOf("dst", 1), g.list("x"), g.param("lo"), g.param("inv")
	g.sweep(g.length("x"), 4, func(c cursor, _ int) {
		t := g.get(x, c)
		g.VSUBPS(lo, t, t)
		g.VMULPS(inv, t, t)
		g.VCVTPS2DQ(t, t)
		if c.mask == nil {
			g.VPMOVUSDB(t, c.of(dst))
		} else {
			g.VPMOVUSDB(t, c.mask.k, c.of(dst))
		}
	})
}

// encodeWords is encodeBytes for numbers that each take 16 bits. It writes whole registers: a last one that is not full is followed by
// words of zero.
func encodeWords(g *gen) {
	dst, x, lo, inv := g.listOf("dst", 2), g.list("x"), g.param("lo"), g.param("inv")
	g.sweep(g.length("x"), 4, func(c cursor, _ int) {
		t, high := g.get(x, c), g.XMM()
		g.VSUBPS(lo, t, t)
		g.VMULPS(inv, t, t)
		g.VCVTPS2DQ(t, t)
		if c.mask != nil {
			g.VANDPS(c.mask.v, t, t)
		}
		g.VEXTRACTI128(imm(1), t, high)
		g.VPACKUSDW(high, t.AsX(), t.AsX())
		g.VMOVDQU(t.AsX(), c.of(dst))
	})
}

// wordKernels make integers of 16 bits of weights.
var wordKernels = []kernel{
	{"widenWords", "dst []float32, q []int8", "", widenWords},
	{"wordsInt4", "dst []float32, src []byte, steps []float32, groups int", "", wordsInt4},
}

// widenWords writes bytes q, whose number is a multiple of 16, as words.
func widenWords(g *gen) {
	dst, q, n := g.list("dst").base, g.list("q").base, g.length("q")
	done := g.label("done")
	g.SUBQ(imm(16), n)
	g.JLT(ref(done))
	g.Label("words")
	t := g.vec()
	g.VPMOVSXBW(mem{Base: q}, t)
	g.store(t, mem{Base: dst}, nil)
	g.ADDQ(imm(16), q)
	g.ADDQ(imm(32), dst)
	g.SUBQ(imm(16), n)
	g.JGE(ref("words"))
	g.Label(done)
}

// wordsInt4 writes groups of a panel of 4-bit weights (gemvInt4) as words, pairs of neighbours of 16 rows after one another: what is in a
// nibble, less 8, times the scale in binary16 divided by the row's step, steps holding one over that, and rounded.
func wordsInt4(g *gen) {
	dst, src, steps := g.list("dst").base, g.list("src").base, g.list("steps").base
	n := g.arg("groups")
	low, eight := g.keep(g.word(0x0f0f0f0f)), g.keep(g.word(0x00080008))
	pairs := []vec{g.keep(g.bytes(0, 0x80, 1, 0x80)), g.keep(g.bytes(2, 0x80, 3, 0x80))}
	by := []vec{g.load(mem{Base: steps}, nil), g.load(mem{Base: steps, Disp: 32}, nil)}
	g.Label("group")
	for h := range 2 {
		scale, high := g.vec(), g.vec()
		g.VCVTPH2PS(mem{Base: src, Disp: 16 * h}, scale)
		g.VMULPS(by[h], scale, scale)
		g.VCVTPS2DQ(scale, scale)
		g.VPSLLD(imm(16), scale, high)
		g.VPBLENDW(imm(0xaa), high, scale, scale) // in both words
		for c := range 4 {
			a, b := g.load(mem{Base: src, Disp: 32 + 64*c + 32*h}, nil), g.vec()
			g.VPSRLW(imm(4), a, b)
			for i, v := range []vec{a, b} {
				g.VPAND(low, v, v)
				for j, p := range pairs {
					t := g.vec()
					g.VPSHUFB(p, v, t)
					g.VPSUBW(eight, t, t)
					g.VPMULLW(scale, t, t)
					g.store(t, mem{Base: dst, Disp: 64*(4*c+2*i+j) + 32*h}, nil)
				}
			}
		}
	}
	g.ADDQ(operand.U32(32+4*64), src)
	g.ADDQ(operand.U32(16*64), dst)
	g.DECQ(n)
	g.JNZ(ref("group"))
}

// bytes returns an order of bytes for each dword of a register, for VPSHUFB: in bytes of its half of 16, or above 127 for zero.
func (g *gen) bytes(order ...uint32) mem {
	const key = 0xdeadbe00 // and the first byte: no constant of ours
	if m, ok := g.constants[key|order[0]]; ok {
		return m
	}
	m := g.StaticGlobal(fmt.Sprintf("order%d%s", order[0], g.title))
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range g.lanes {
		w := uint32(0)
		for b, from := range order {
			if from < 0x80 {
				from += uint32(4 * (i % 4))
			}
			w |= from << (8 * b)
		}
		g.AddDatum(4*i, operand.U32(w))
	}
	g.constants[key|order[0]] = m
	return m
}

// decodeRow turns integers c into (step·scale)·c + lo·shift + bias, in place. bias may be empty.
func decodeRow(g *gen) {
	c, scale, shift, bias := g.list("c"), g.list("scale"), g.list("shift"), g.list("bias")
	step, lo := g.param("step"), g.param("lo")
	n := g.length("c")
	value := func(at cursor) (y vec) {
		t, s := g.get(c, at), g.get(scale, at)
		g.VCVTDQ2PS(t, t)
		g.VMULPS(step, s, s)
		y = g.mul(g.get(shift, at), lo)
		g.VFMADD231PS(t, s, y)
		return y
	}
	g.CMPQ(g.length("bias"), imm(0))
	g.JEQ(ref("plain"))
	g.sweep(n, 2, func(at cursor, _ int) {
		y := value(at)
		g.VADDPS(g.get(bias, at), y, y)
		g.put(y, c, at)
	})
	g.JMP(ref("done"))
	g.Label("plain")
	g.sweep(n, 2, func(at cursor, _ int) { g.put(value(at), c, at) })
	g.Label("done")
}
