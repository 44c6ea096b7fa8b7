package main

import "github.com/mmcloughlin/avo/operand"

const (
	rows      = 16
	precision = 22
)

// interleave turns 16 rows of 8 bytes at a time; n must be a multiple of 8. Each step puts a row between the bytes of the
// one that lies half as far from it as in the step before.
func (g *gen) interleave() {
	dst, src, stride, n := g.base("dst"), g.base("src"), g.int("stride"), g.int("n")
	g.loop(n, 8, func() {
		at := g.GP64()
		g.MOVQ(src, at)
		var r [rows]vec
		for i := range 8 {
			r[i] = g.half(at)
			g.ADDQ(stride, at)
		}
		var t [8]vec
		for i := range 8 {
			t[i] = g.op3x(g.VPUNPCKLBW, r[i], g.half(at))
			g.ADDQ(stride, at)
		}
		for dist := 4; dist >= 1; dist /= 2 {
			t = g.riffle(t, dist)
		}
		for i, x := range t {
			g.VMOVDQU(x.AsX(), mem{Base: dst, Disp: 16 * i})
		}
		g.ADDQ(imm(8), src)
		g.ADDQ(operand.I32(8*rows), dst)
	})
}

// half loads 8 bytes.
func (g *gen) half(at gp) vec {
	x := g.XMM()
	g.VMOVQ(mem{Base: at}, x)
	return x
}

func (g *gen) op3x(op func(...operand.Op), a, b vec) vec {
	t := g.XMM()
	op(b.AsX(), a.AsX(), t)
	return t
}

// riffle interleaves the bytes of registers so far apart: those of i and i + dist become two that follow each other.
func (g *gen) riffle(r [8]vec, dist int) (out [8]vec) {
	groups := 4 / dist // what is in place already: each group of registers holds one run of samples
	for q := range groups {
		for i := range dist {
			a, b := r[q*2*dist+i], r[q*2*dist+i+dist]
			out[2*q*dist+i] = g.op3x(g.VPUNPCKLBW, a, b)
			out[(2*q+1)*dist+i] = g.op3x(g.VPUNPCKHBW, a, b)
		}
	}
	return out
}

// separate turns 8 samples of 16 rows at a time; n must be a multiple of 8.
func (g *gen) separate() {
	dst, src, stride, n := g.base("dst"), g.base("src"), g.int("stride"), g.int("n")
	g.loop(n, 8, func() {
		var t [8]vec
		for i := range t {
			t[i] = g.XMM()
			g.VMOVDQU(mem{Base: src, Disp: 16 * i}, t[i])
		}
		for dist := 4; dist >= 1; dist /= 2 {
			t = g.riffle(t, dist)
		}
		at := g.GP64()
		g.MOVQ(dst, at)
		for _, x := range t {
			g.VMOVQ(x, mem{Base: at})
			g.ADDQ(stride, at)
			g.VMOVHPS(x, mem{Base: at})
			g.ADDQ(stride, at)
		}
		g.ADDQ(operand.I32(8*rows), src)
		g.ADDQ(imm(8), dst)
	})
}

// across computes the outputs of one pixel after the other, all rows and the c samples of a pixel at once.
func (g *gen) across(c int) {
	dst, src, start, count, k := g.base("dst"), g.base("src"), g.base("start"), g.base("count"), g.base("k")
	size, outputs := g.int("size"), g.length("start")
	parts := 64 / g.bytes // registers for the rows of one sample
	g.loop(outputs, 1, func() {
		at, w, left := g.GP64(), g.GP64(), g.GP64()
		g.MOVQ(mem{Base: start}, at)
		g.IMUL3Q(imm(c*rows), at, at)
		g.ADDQ(src, at)
		g.MOVQ(k, w)
		g.MOVQ(mem{Base: count}, left)
		acc := make([]vec, c*parts)
		for i := range acc {
			acc[i] = g.load(g.dword(1 << (precision - 1)))
		}
		g.loop(left, 1, func() {
			q := g.vec()
			g.VPBROADCASTD(mem{Base: w}, q)
			for i := range acc {
				t := g.vec()
				g.VPMOVZXBD(mem{Base: at, Disp: i * g.bytes / 4}, t)
				g.VPMULLD(q, t, t)
				g.VPADDD(t, acc[i], acc[i])
			}
			g.ADDQ(imm(c*rows), at)
			g.ADDQ(imm(4), w)
		})
		for i := 0; i < len(acc); i += parts {
			g.narrow16(acc[i:i+parts], mem{Base: dst, Disp: i * g.bytes / 4})
		}
		g.ADDQ(imm(c*rows), dst)
		g.LEAQ(mem{Base: k, Index: size, Scale: 4}, k)
		g.ADDQ(imm(8), start)
		g.ADDQ(imm(8), count)
	})
}

// narrow16 drops the fraction bits of 16 sums and stores them as bytes.
func (g *gen) narrow16(acc []vec, to mem) {
	if g.bytes == 64 {
		g.narrow64(acc[0], to)
		return
	}
	for _, x := range acc {
		g.VPSRAD(imm(precision), x, x)
	}
	t := g.op3(g.VPACKSSDW, acc[0], acc[1])
	g.VPERMQ(imm(0xd8), t, t)
	high := g.XMM()
	g.VEXTRACTI128(imm(1), t, high)
	g.VPACKUSWB(high, t.AsX(), high)
	g.VMOVDQU(high, to)
}

func (g *gen) narrow64(x vec, to mem) {
	zero := g.ZMM()
	g.VPXORD(zero, zero, zero)
	g.VPSRAD(imm(precision), x, x)
	g.VPMAXSD(zero, x, x)
	g.VPMOVUSDB(x, to)
}

// down sums rows for 4 registers of columns at a time, whose number must be a multiple of that.
func (g *gen) down() {
	dst, n, src, stride := g.base("dst"), g.length("dst"), g.base("src"), g.int("stride")
	k, taps := g.base("k"), g.length("k")
	const parts = 4
	columns := parts * g.bytes / 4
	g.loop(n, columns, func() {
		at, w, left := g.GP64(), g.GP64(), g.GP64()
		g.MOVQ(src, at)
		g.MOVQ(k, w)
		g.MOVQ(taps, left)
		var acc [parts]vec
		for i := range acc {
			acc[i] = g.load(g.dword(1 << (precision - 1)))
		}
		g.loop(left, 1, func() {
			q := g.vec()
			g.VPBROADCASTD(mem{Base: w}, q)
			for i := range acc {
				t := g.vec()
				g.VPMOVZXBD(mem{Base: at, Disp: i * g.bytes / 4}, t)
				g.VPMULLD(q, t, t)
				g.VPADDD(t, acc[i], acc[i])
			}
			g.ADDQ(stride, at)
			g.ADDQ(imm(4), w)
		})
		if g.bytes == 64 {
			for i, x := range acc {
				g.narrow64(x, mem{Base: dst, Disp: 16 * i})
			}
		} else {
			for _, x := range acc {
				g.VPSRAD(imm(precision), x, x)
			}
			t := g.op3(g.VPACKUSWB, g.op3(g.VPACKSSDW, acc[0], acc[1]), g.op3(g.VPACKSSDW, acc[2], acc[3]))
			order := g.load(g.table(0, 4, 1, 5, 2, 6, 3, 7))
			g.VPERMD(t, order, t)
			g.VMOVDQU(t, mem{Base: dst})
		}
		g.ADDQ(imm(columns), src)
		g.ADDQ(imm(columns), dst)
	})
}
