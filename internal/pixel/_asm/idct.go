package main

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The constants of package pixel's idct.go.
const (
	f0298 = 2446
	f0390 = 3196
	f0541 = 4433
	f0765 = 6270
	f0899 = 7373
	f1175 = 9633
	f1501 = 12299
	f1847 = 15137
	f1961 = 16069
	f2053 = 16819
	f2562 = 20995
	f3072 = 25172
)

// idct transforms blocks that stand side by side, one a lane. What is in work lives on the stack: AVX2 has too few
// registers. The number of blocks must be a multiple of the lanes.
func (g *gen) idct() {
	dst, stride, coef, n := g.base("dst"), g.int("stride"), g.base("coef"), g.length("coef")
	quant := g.int("quant")
	var rows, low [8]mem
	for i := range rows {
		rows[i], low[i] = g.AllocLocal(g.bytes), g.AllocLocal(g.bytes)
	}
	g.loop(n, 64*g.lanes(), func() {
		for i := range rows {
			x := g.blockRow(coef, i)
			g.VPMULLW(g.everywhere(mem{Base: quant, Disp: 16 * i}), x, x)
			g.store(x, rows[i])
		}
		for i, x := range g.transposeWords(g.idct8(rows, low, 11)) {
			g.store(x, rows[i])
		}
		g.storeBlocks(dst, stride, g.idct8(rows, low, 18))
		g.ADDQ(operand.I32(128*g.lanes()), coef)
		g.ADDQ(operand.I32(8*g.lanes()), dst)
	})
}

// blockRow loads row i of the next blocks.
func (g *gen) blockRow(coef gp, i int) vec {
	x := g.everywhere(mem{Base: coef, Disp: 16 * i})
	for lane := 1; lane < g.lanes(); lane++ {
		at := mem{Base: coef, Disp: 128*lane + 16*i}
		if g.bytes == 64 {
			g.VINSERTI32X4(imm(lane), at, x, x)
		} else {
			g.VINSERTI128(imm(lane), at, x, x)
		}
	}
	return x
}

// everywhere loads 16 bytes into every lane.
func (g *gen) everywhere(at mem) vec {
	x := g.vec()
	if g.bytes == 64 {
		g.VBROADCASTI32X4(at, x)
	} else {
		g.VBROADCASTI128(at, x)
	}
	return x
}

func (g *gen) load(at mem) vec {
	x := g.vec()
	g.move(at, x)
	return x
}

func (g *gen) store(x vec, at mem) { g.move(x, at) }

func (g *gen) move(from, to operand.Op) {
	if g.bytes == 64 {
		g.VMOVDQU32(from, to)
	} else {
		g.VMOVDQU(from, to)
	}
}

// idct8 is one pass over eight registers of words, in memory; low is scratch.
func (g *gen) idct8(in, low [8]mem, shift int) (out [8]vec) {
	unpack := []func(...operand.Op){g.VPUNPCKLWD, g.VPUNPCKHWD}
	round := g.dword(1 << (shift - 1))
	for half, op := range unpack {
		pair := func(a, b mem) vec { return g.op3(op, g.load(a), b) }
		// The odd half first: it needs more registers.
		z3, z4 := g.load(in[7]), g.load(in[5])
		g.VPADDW(in[3], z3, z3)
		g.VPADDW(in[1], z4, z4)
		zz := g.op3(op, z3, z4)
		z3 = g.op3(g.VPMADDWD, zz, g.words(f1175-f1961, f1175))
		z4 = g.op3(g.VPMADDWD, zz, g.words(f1175, f1175-f0390))
		var high [4]vec
		ad := pair(in[7], in[1])
		high[0] = g.op3(g.VPMADDWD, ad, g.words(-f0899, f1501-f0899))
		high[3] = g.op3(g.VPMADDWD, ad, g.words(f0298-f0899, -f0899))
		bc := pair(in[5], in[3])
		high[1] = g.op3(g.VPMADDWD, bc, g.words(-f2562, f3072-f2562))
		high[2] = g.op3(g.VPMADDWD, bc, g.words(f2053-f2562, -f2562))
		for k, z := range []vec{z4, z3, z4, z3} {
			g.VPADDD(z, high[k], high[k])
		}
		even := pair(in[2], in[6])
		t2 := g.op3(g.VPMADDWD, even, g.words(f0541, f0541-f1847))
		t3 := g.op3(g.VPMADDWD, even, g.words(f0541+f0765, f0541))
		x0 := g.load(in[0])
		sum, diff := g.op3(g.VPADDW, x0, in[4]), g.op3(g.VPSUBW, x0, in[4])
		wide := func(x vec) vec { // x << 13, rounding included
			t := g.vec()
			g.xor(t, t, t)
			t = g.op3(op, t, x)
			g.VPSRAD(imm(3), t, t)
			g.VPADDD(round, t, t)
			return t
		}
		t0, t1 := wide(sum), wide(diff)
		e := [4]vec{g.op3(g.VPADDD, t0, t3), g.op3(g.VPADDD, t1, t2), g.op3(g.VPSUBD, t1, t2), g.op3(g.VPSUBD, t0, t3)}
		for k := range 4 {
			out[k], out[7-k] = g.op3(g.VPADDD, e[k], high[k]), g.op3(g.VPSUBD, e[k], high[k])
			for _, i := range []int{k, 7 - k} {
				g.VPSRAD(imm(shift), out[i], out[i])
				if half == 0 {
					g.store(out[i], low[i])
				}
			}
		}
	}
	for i, x := range out {
		out[i] = g.op3(g.VPACKSSDW, g.load(low[i]), x)
	}
	return out
}

func (g *gen) xor(ops ...operand.Op) {
	if g.bytes == 64 {
		g.VPXORD(ops[0], ops[1], ops[2])
	} else {
		g.VPXOR(ops[0], ops[1], ops[2])
	}
}

// transposeWords transposes 8 × 8 words in every lane.
func (g *gen) transposeWords(r [8]vec) [8]vec {
	for range 3 { // three perfect shuffles of the two halves are a transposition
		var t [8]vec
		for i := range 4 {
			t[2*i], t[2*i+1] = g.op3(g.VPUNPCKLWD, r[i], r[i+4]), g.op3(g.VPUNPCKHWD, r[i], r[i+4])
		}
		r = t
	}
	return r
}

// storeBlocks narrows the columns to bytes, transposes them and writes eight rows.
func (g *gen) storeBlocks(dst, stride gp, c [8]vec) {
	var b [4]vec
	for i := range b {
		b[i] = g.op3(g.VPACKSSWB, c[i], c[i+4])
		g.xor(g.dword(0x80808080), b[i], b[i]) // 128 more
	}
	ab0, ab4 := g.op3(g.VPUNPCKLBW, b[0], b[1]), g.op3(g.VPUNPCKHBW, b[0], b[1])
	cd0, cd4 := g.op3(g.VPUNPCKLBW, b[2], b[3]), g.op3(g.VPUNPCKHBW, b[2], b[3])
	x0, x4 := g.op3(g.VPUNPCKLWD, ab0, cd0), g.op3(g.VPUNPCKHWD, ab0, cd0)
	y0, y4 := g.op3(g.VPUNPCKLWD, ab4, cd4), g.op3(g.VPUNPCKHWD, ab4, cd4)
	at := g.GP64()
	g.MOVQ(dst, at)
	put := func(x reg.Register) {
		g.move(x, mem{Base: at})
		g.ADDQ(stride, at)
	}
	for _, two := range []vec{g.op3(g.VPUNPCKLDQ, x0, y0), g.op3(g.VPUNPCKHDQ, x0, y0), g.op3(g.VPUNPCKLDQ, x4, y4), g.op3(g.VPUNPCKHDQ, x4, y4)} {
		// A lane holds two rows of one block; bring the blocks' first rows together, then their second ones.
		if g.bytes == 64 {
			order, t := g.ZMM(), g.YMM()
			g.VMOVDQU32(g.table(0, 0, 2, 0, 4, 0, 6, 0, 1, 0, 3, 0, 5, 0, 7, 0), order)
			g.VPERMQ(two, order, two)
			put(two.AsY())
			g.VEXTRACTI64X4(imm(1), two, t)
			put(t)
			continue
		}
		t := g.XMM()
		g.VPERMQ(imm(0xd8), two, two)
		put(two.AsX())
		g.VEXTRACTI128(imm(1), two, t)
		put(t)
	}
}
