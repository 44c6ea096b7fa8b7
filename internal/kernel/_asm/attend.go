package main

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
)

// softmaxPairs makes rows of n scores the exponentials of their distances to the row's largest, rounded to bfloat16, in lines of 16
// pairs of neighbours: row i's first line is at dst + i·rs, the next ones ls elements apart. What a last line lacks is zero. inv is
// one over the sum of a row's exponentials before they were rounded, top the largest score, both scaled. The scale is positive.
func softmaxPairs(g *gen) {
	dst, src := g.list("dst").base, g.list("x").base
	top, inv := g.list("top").base, g.list("inv").base
	rows, ld, n, rs, ls := g.intParam("rows"), g.intParam("ld"), g.intParam("n"), g.intParam("rs"), g.intParam("ls")
	for _, stride := range []gp{ld, rs, ls} {
		g.SHLQ(imm(2), stride)
	}
	scale := g.param("scale") // of powers of two
	g.VMULPS(g.num(math.Log2E), scale, scale)
	none, zero := g.keep(g.num(math.Inf(-1))), g.zero()
	tail := g.GP64()
	g.MOVQ(n, tail)
	g.ANDQ(imm(31), tail)
	masks := g.halves(tail)
	lines := n
	g.SHRQ(imm(5), lines)
	power := g.newPower()

	from, to, left := g.GP64(), g.GP64(), g.GP64()
	// along emits step for each line of a row, at from, whose two registers the masks choose from.
	along := func(step func(ms []*mask)) {
		loop, last, end := g.label("line"), g.label("last"), g.label("end")
		g.MOVQ(src, from)
		g.MOVQ(lines, left)
		g.TESTQ(left, left)
		g.JZ(ref(last))
		g.Label(loop)
		step([]*mask{nil, nil})
		g.ADDQ(operand.U32(8*g.lanes), from)
		g.DECQ(left)
		g.JNZ(ref(loop))
		g.Label(last)
		g.TESTQ(tail, tail)
		g.JZ(ref(end))
		step(masks)
		g.Label(end)
	}
	half := func(j int, m *mask) vec { return g.load(mem{Base: from, Disp: 4 * g.lanes * j}, m) }

	g.Label("row")
	most := []vec{g.vec(), g.vec()}
	for _, m := range most {
		g.VMOVAPS(none, m)
	}
	along(func(ms []*mask) {
		for j, m := range most {
			g.VMAXPS(m, g.pick(ms[j], half(j, ms[j]), none), m) // passes over NaN, which the exponentials then show
		}
	})
	m := g.broadcast(g.fold(g.merge(most, g.VMAXPS), g.VMAXPS))
	g.VMULPS(scale, m, m)
	kept := g.XMM()
	g.VMULSS(g.num(math.Ln2), m.AsX(), kept)
	g.VMOVSS(kept, mem{Base: top})

	sums := g.sums(2)
	g.MOVQ(dst, to)
	along(func(ms []*mask) {
		e := make([]vec, 2)
		for j := range e {
			x := half(j, ms[j])
			g.VFMSUB213PS(m, scale, x)
			e[j] = g.pick(ms[j], power(x), zero)
			g.VADDPS(e[j], sums[j], sums[j])
		}
		t := g.vec()
		g.VPDPWSSDS(e[0], e[1], t) // stands for VCVTNE2PS2BF16: the first in the lower half
		g.store(t, mem{Base: to}, nil)
		g.ADDQ(ls, to)
	})
	sum, one := g.fold(g.merge(sums, g.VADDPS), g.VADDPS), g.XMM()
	g.VMOVSS(g.num(1), one)
	g.VDIVSS(sum, one, sum)
	g.VMOVSS(sum.AsX(), mem{Base: inv})
	g.ADDQ(imm(4), top)
	g.ADDQ(imm(4), inv)
	g.ADDQ(ld, src)
	g.ADDQ(rs, dst)
	g.DECQ(rows)
	g.JNZ(ref("row"))
}

// halves are the masks of the two registers that hold n elements, 0 ≤ n < 32.
func (g *gen) halves(n gp) []*mask {
	low, high, zero, lanes := g.GP64(), g.GP64(), g.GP64(), g.GP64()
	g.MOVQ(operand.U64(g.lanes), lanes)
	g.XORQ(zero, zero)
	g.MOVQ(n, low)
	g.CMPQ(low, lanes)
	g.CMOVQGT(lanes, low)
	g.MOVQ(n, high)
	g.SUBQ(lanes, high)
	g.CMOVQLT(zero, high)
	return []*mask{g.tailMask(low), g.tailMask(high)}
}

// newPower returns a function to 2^x for x ≤ 0, at least 2^−126, for results that are rounded to bfloat16: the error of its
// polynomial is 2.6e-6. Adding 3·2^22 rounds x to an integer, whose bits move on to the exponent. NaN of a
// bfloat16, with no bits below, stays NaN.
func (g *gen) newPower() func(x vec) vec {
	lo, magic := g.keep(g.num(-126)), g.keep(g.num(3<<22))
	coefficients := []float64{0.009570096735709667, 0.05591785991308692, 0.24024744955668956, 0.6931218148124626, 0.9999992614072395}
	return func(x vec) vec {
		n, whole := g.vec(), g.vec()
		g.VMAXPS(x, lo, x) // its second source when x is NaN
		g.VADDPS(magic, x, n)
		g.VSUBPS(magic, n, whole)
		g.VSUBPS(whole, x, x)
		p := g.keep(g.num(coefficients[0]))
		for _, c := range coefficients[1:] {
			g.VFMADD213PS(g.num(c), x, p)
		}
		g.VPSLLD(imm(23), n, n)
		g.VPADDD(n, p, p)
		return p
	}
}
