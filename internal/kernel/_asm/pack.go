package main

import "github.com/mmcloughlin/avo/operand"

// intParam loads an int parameter.
func (g *gen) intParam(name string) gp { return g.Load(g.Param(name), g.GP64()).(gp) }

// packRows copies k rows of n elements to rows of width elements: one register or two, as width says.
func packRows(g *gen) {
	dst, src := g.list("dst").base, g.list("src").base
	k, ld, n, width := g.intParam("k"), g.intParam("ld"), g.intParam("n"), g.intParam("width")
	g.SHLQ(imm(2), ld)
	g.CMPQ(width, operand.U32(g.lanes))
	g.JNE(ref("wide"))
	row := func(v int, m *mask) {
		loop := g.label("row")
		g.Label(loop)
		g.PREFETCHT0(mem{Base: src, Index: ld, Scale: 8}) // long rows lie in other pages, which no hardware prefetch enters
		for j := range v {
			at := mem{Disp: 4 * g.lanes * j}
			from, to := at, at
			from.Base, to.Base = src, dst
			var mk *mask
			if j == v-1 {
				mk = m
			}
			g.store(g.load(from, mk), to, nil)
		}
		g.ADDQ(ld, src)
		g.ADDQ(operand.U32(4*g.lanes*v), dst)
		g.DECQ(k)
		g.JNZ(ref(loop))
	}
	m := g.tailMask(n)
	row(1, m)
	g.JMP(ref("done"))

	g.Label("wide")
	g.CMPQ(n, operand.U32(2*g.lanes))
	g.JEQ(ref("full"))
	// The half that is partly filled is the first or the second.
	g.CMPQ(n, operand.U32(g.lanes))
	g.JLE(ref("half"))
	g.SUBQ(operand.U32(g.lanes), n)
	row(2, g.tailMask(n))
	g.JMP(ref("done"))

	g.Label("half")
	first, zero, loop := g.tailMask(n), g.zero(), g.label("row")
	g.Label(loop)
	g.store(g.load(mem{Base: src}, first), mem{Base: dst}, nil)
	g.store(zero, mem{Base: dst, Disp: 4 * g.lanes}, nil)
	g.ADDQ(ld, src)
	g.ADDQ(operand.U32(8*g.lanes), dst)
	g.DECQ(k)
	g.JNZ(ref(loop))
	g.JMP(ref("done"))

	g.Label("full")
	row(2, nil)
	g.Label("done")
}

// packCols transposes: column j of the result, of which each row has width elements, is the row of k elements at src + j·ld.
// Eight columns go at a time, in blocks of four k: two rows share a 256-bit register, so that unpacking and shuffling
// within its halves is enough. It uses 256-bit registers with AVX-512 too.
func packCols(g *gen) {
	src := g.list("src").base
	n, ld, width := g.intParam("n"), g.intParam("ld"), g.intParam("width")
	g.SHLQ(imm(2), ld)
	g.SHLQ(imm(2), width)
	// The eight rows take the registers: what changes once a group lives on the stack.
	start := g.AllocLocal(8)
	to := g.list("dst").base
	g.MOVQ(to, start)
	g.Label("group")
	rows := make([]gp, 8)
	rows[0] = src
	for i := 1; i < 8; i++ { // a missing row repeats the last one
		below := g.GP64()
		rows[i] = g.GP64()
		g.LEAQ(mem{Base: rows[i-1], Index: ld, Scale: 1}, below)
		g.MOVQ(rows[i-1], rows[i])
		g.CMPQ(n, operand.U32(i))
		g.CMOVQGT(below, rows[i])
	}
	i, left := g.GP64(), g.GP64()
	g.MOVQ(start, to)
	g.XORQ(i, i)
	g.Load(g.Param("k"), left)
	g.SUBQ(imm(4), left)
	g.JLT(ref("rest"))
	g.Label("four")
	t := make([]vec, 4)
	for r := range t {
		t[r] = g.YMM()
		g.VMOVUPS(mem{Base: rows[r], Index: i, Scale: 4}, t[r].AsX())
		g.VINSERTF128(imm(1), mem{Base: rows[r+4], Index: i, Scale: 4}, t[r], t[r])
	}
	u := []vec{g.YMM(), g.YMM(), g.YMM(), g.YMM()}
	g.VUNPCKLPS(t[1], t[0], u[0])
	g.VUNPCKHPS(t[1], t[0], u[1])
	g.VUNPCKLPS(t[3], t[2], u[2])
	g.VUNPCKHPS(t[3], t[2], u[3])
	for k := range 4 {
		x := g.YMM()
		sel := imm(0x44)
		if k%2 == 1 {
			sel = 0xee
		}
		g.VSHUFPS(sel, u[2+k/2], u[k/2], x)
		g.VMOVUPS(x, mem{Base: to})
		g.ADDQ(width, to)
	}
	g.ADDQ(imm(4), i)
	g.SUBQ(imm(4), left)
	g.JGE(ref("four"))
	g.Label("rest")
	g.ADDQ(imm(4), left)
	g.JZ(ref("next"))
	g.Label("single")
	for r, p := range rows {
		w := g.GP32()
		g.MOVL(mem{Base: p, Index: i, Scale: 4}, w)
		g.MOVL(w, mem{Base: to, Disp: 4 * r})
	}
	g.ADDQ(width, to)
	g.INCQ(i)
	g.DECQ(left)
	g.JNZ(ref("single"))

	g.Label("next")
	g.ADDQ(imm(32), start)
	g.LEAQ(mem{Base: src, Index: ld, Scale: 8}, src)
	g.SUBQ(imm(8), n)
	g.JGT(ref("group"))
}
