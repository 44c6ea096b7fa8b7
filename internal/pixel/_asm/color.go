package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rgbFromYCC converts 32 pixels at a time; their number must be a multiple of that. A constant above 1 is split so that its
// fraction fits 16 bits: 1.402·r = r + 0.402·r. A product's upper half, plus one, halved, is the rounded product with one
// fraction bit more.
func (g *gen) rgbFromYCC() {
	rgb, y, cb, cr, n := g.base("rgb"), g.base("y"), g.base("cb"), g.base("cr"), g.length("y")
	spread := [3][3]mem{} // by colour and by third of the output
	for c := range spread {
		for third := range spread[c] {
			var w [8]uint32
			for i := range 32 {
				at, b := third*16+i%16, uint32(0x80)
				if at%3 == c {
					b = uint32(at / 3)
				}
				w[i/4] |= b << (i % 4 * 8)
			}
			spread[c][third] = g.table(w[:]...)
		}
	}
	g.loop(n, 32, func() {
		zero := g.YMM()
		g.VPXOR(zero, zero, zero)
		var halves [3][2]vec
		for h, unpack := range []func(...operand.Op){g.VPUNPCKLBW, g.VPUNPCKHBW} {
			word := func(base gp) vec {
				x := g.vec()
				g.VMOVDQU(mem{Base: base}, x)
				return g.op3(unpack, x, zero)
			}
			l, b, r := word(y), word(cb), word(cr)
			g.VPSUBW(g.words(128, 128), b, b)
			g.VPSUBW(g.words(128, 128), r, r)
			part := func(x vec, c int) vec { // the rounded product with c/65536
				t := g.op3(g.VPADDW, x, x)
				t = g.op3(g.VPMULHW, t, g.words(c, c))
				g.VPADDW(g.words(1, 1), t, t)
				g.VPSRAW(imm(1), t, t)
				return t
			}
			red := part(r, 26345) // 0.40200
			g.VPADDW(r, red, red)
			blue := part(b, -14942) // 1.77200 - 2
			g.VPADDW(b, blue, blue)
			g.VPADDW(b, blue, blue)
			green := func(op func(...operand.Op)) vec { // -0.34414·b - 0.71414·r + r
				t := g.op3(g.VPMADDWD, g.op3(op, b, r), g.words(-22554, 65536-46802))
				g.VPADDD(g.dword(1<<15), t, t)
				g.VPSRAD(imm(16), t, t)
				return t
			}
			gr := g.op3(g.VPACKSSDW, green(g.VPUNPCKLWD), green(g.VPUNPCKHWD))
			g.VPSUBW(r, gr, gr)
			for c, x := range []vec{red, gr, blue} {
				halves[c][h] = g.op3(g.VPADDW, x, l)
			}
		}
		var colors [3]vec
		for c, h := range halves {
			colors[c] = g.op3(g.VPACKUSWB, h[0], h[1])
		}
		for third := range 3 {
			var all vec
			for c, x := range colors {
				t := g.op3(g.VPSHUFB, x, spread[c][third])
				if c > 0 {
					g.VPOR(all, t, t)
				}
				all = t
			}
			high := g.XMM()
			g.VMOVDQU(all.AsX(), mem{Base: rgb, Disp: 16 * third})
			g.VEXTRACTI128(imm(1), all, high)
			g.VMOVDQU(high, mem{Base: rgb, Disp: 48 + 16*third})
		}
		g.ADDQ(imm(96), rgb)
		for _, p := range []reg.Register{y, cb, cr} {
			g.ADDQ(imm(32), p)
		}
	})
}

// columns adds 16 samples at a time.
func (g *gen) columns() {
	sum, near, far, n := g.base("sum"), g.base("near"), g.base("far"), g.length("sum")
	g.loop(n, 16, func() {
		a, b := g.vec(), g.vec()
		g.VPMOVZXBW(mem{Base: near}, a)
		g.VPMOVZXBW(mem{Base: far}, b)
		g.VPADDW(a, b, b)
		g.VPADDW(a, a, a)
		g.VPADDW(a, b, b)
		g.VMOVDQU(b, mem{Base: sum})
		g.ADDQ(imm(32), sum)
		g.ADDQ(imm(16), near)
		g.ADDQ(imm(16), far)
	})
}

// stretch makes 32 samples of 16 sums at a time.
func (g *gen) stretch() {
	dst, sum, n := g.base("dst"), g.base("sum"), g.length("sum")
	bias := func(name string) vec {
		r, x, v := g.GP32(), g.XMM(), g.vec()
		g.Load(g.Param(name), r.As16())
		g.VMOVD(r, x)
		g.VPBROADCASTW(x, v)
		return v
	}
	even, odd := bias("even"), bias("odd")
	g.SUBQ(imm(2), n)
	g.loop(n, 16, func() {
		c := g.vec()
		g.VMOVDQU(mem{Base: sum, Disp: 2}, c)
		t := g.op3(g.VPADDW, c, c)
		g.VPADDW(t, c, c)
		side := func(at int, bias vec) vec {
			t := g.op3(g.VPADDW, c, mem{Base: sum, Disp: at})
			g.VPADDW(bias, t, t)
			g.VPSRLW(imm(4), t, t)
			return t
		}
		left, right := side(0, even), side(4, odd)
		g.VPSLLW(imm(8), right, right)
		g.VPOR(left, right, right)
		g.VMOVDQU(right, mem{Base: dst})
		g.ADDQ(imm(32), dst)
		g.ADDQ(imm(32), sum)
	})
}
