package main

import "github.com/mmcloughlin/avo/operand"

// vectors emits step for each full vector and one for each element that is left: there are no masked moves of 8 or 16 bits
// below AVX-512.
func (g *gen) vectors(n gp, step, one func(c cursor)) {
	i, left := g.GP64(), g.GP64()
	g.XORQ(i, i)
	g.MOVQ(n, left)
	loop, out, single, end := g.label("loop"), g.label("out"), g.label("one"), g.label("end")
	g.SUBQ(operand.U32(g.lanes), left)
	g.JLT(ref(out))
	g.Label(loop)
	step(cursor{i, 0, nil})
	g.ADDQ(operand.U32(g.lanes), i)
	g.SUBQ(operand.U32(g.lanes), left)
	g.JGE(ref(loop))
	g.Label(out)
	g.ADDQ(operand.U32(g.lanes), left)
	g.JZ(ref(end))
	g.Label(single)
	one(cursor{i, 0, nil})
	g.INCQ(i)
	g.DECQ(left)
	g.JNZ(ref(single))
	g.Label(end)
}

func toBF16(g *gen) {
	dst, src := g.listOf("dst", 2), g.list("src")
	one, bias, quiet := g.keep(g.word(1)), g.keep(g.word(0x7fff)), g.keep(g.word(0x400000))
	// round leaves the result in the upper half of each word.
	round := func(x vec) vec {
		t, nan := g.vec(), g.vec()
		g.VPSRLD(imm(16), x, t)
		g.VANDPS(one, t, t)
		g.VPADDD(bias, t, t)
		g.VPADDD(x, t, t)
		g.VORPS(quiet, x, nan)
		t = g.when(unordered, x, x, nan, t)
		g.VPSRLD(imm(16), t, t)
		return t
	}
	g.vectors(g.length("src"), func(c cursor) {
		t := round(g.get(src, c))
		if g.lanes == 16 {
			g.VPMOVDW(t, c.of(dst))
			return
		}
		high := g.XMM()
		g.VEXTRACTI128(imm(1), t, high)
		g.VPACKUSDW(high, t.AsX(), high)
		g.VMOVDQU(high, c.of(dst))
	}, func(c cursor) {
		x, r := g.vec(), g.GP32()
		g.VMOVD(c.of(src), x.AsX())
		g.VMOVD(round(x).AsX(), r)
		g.MOVW(r.As16(), c.of(dst))
	})
}

func fromBF16(g *gen) {
	dst, src := g.list("dst"), g.listOf("src", 2)
	g.vectors(g.length("dst"), func(c cursor) {
		t := g.vec()
		g.VPMOVZXWD(c.of(src), t)
		g.VPSLLD(imm(16), t, t)
		g.put(t, dst, c)
	}, func(c cursor) {
		r := g.GP32()
		g.MOVWLZX(c.of(src), r)
		g.SHLL(imm(16), r)
		g.MOVL(r, c.of(dst))
	})
}

func dequantInt8(g *gen) {
	dst, q, scale := g.list("dst"), g.listOf("q", 1), g.param("scale")
	g.vectors(g.length("dst"), func(c cursor) {
		t := g.vec()
		g.VPMOVSXBD(c.of(q), t)
		g.VCVTDQ2PS(t, t)
		g.VMULPS(scale, t, t)
		g.put(t, dst, c)
	}, func(c cursor) {
		r, x := g.GP32(), g.XMM()
		g.MOVBLSX(c.of(q), r)
		g.VXORPS(x, x, x)
		g.VCVTSI2SSL(r, x, x)
		g.VMULSS(scale.AsX(), x, x)
		g.VMOVSS(x, c.of(dst))
	})
}
