package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/operand"
)

// Quantised rows of x are made by kernel.quantize: k bytes, then k/4 float32 with the scale of each four of them, then k/32
// int32 with −8 times the sum of each 32 of them, then a float32 with 128 times the sum of all of them times their scales.
// k is a multiple of 64.

const (
	int8Params = "y []float32, x []int8, w []int8, scale []float32, n, k, ldw, ldy, ldx int"
	int4Params = "y []float32, x []int8, w []byte, n, k, ldy, ldx int"
)

// vnni is the set of kernels of bytes beside AVX-512.
var vnni = set{title: "VNNI", lanes: 16}

// rowsOfX are the pointers to m rows of x, ldx bytes apart.
func (g *gen) rowsOfX(m int, ldx gp) []gp {
	xs := make([]gp, m)
	for j := range xs {
		if j == 0 {
			xs[0] = g.list("x").base
			continue
		}
		xs[j] = g.GP64()
		g.MOVQ(xs[j-1], xs[j])
		g.ADDQ(ldx, xs[j])
	}
	return xs
}

// gemvInt8 sets y[j·ldy+i] = scale[i]·Σ w[i·ldw+l]·x[j][l] for m quantised rows j and n rows i. It reads up to 63 bytes past
// the end of a row of w.
func (g *gen) gemvInt8(m int) {
	y, w, scale := g.list("y").base, g.list("w").base, g.list("scale").base
	n, k, ldw, ldy, ldx := g.arg("n"), g.arg("k"), g.arg("ldw"), g.arg("ldy"), g.arg("ldx")
	xs := g.rowsOfX(m, ldx)
	g.SHLQ(imm(2), ldy)
	// Where the last of a quantised row's numbers is.
	sum := ldx
	g.MOVQ(k, sum)
	g.SHRQ(imm(3), sum)
	g.LEAQ(mem{Base: sum, Index: k, Scale: 2}, sum)
	offset, ones := g.keep(g.word(0x80808080)), g.keep(g.word(0x00010001))
	unroll := max(1, 2/m)
	i, lane := g.GP64(), g.GP64()
	row := g.label("row")
	g.Label(row)
	sums := make([][]vec, m)
	for j := range sums {
		sums[j] = g.sums(unroll)
	}
	g.XORQ(i, i)
	g.MOVQ(k, lane)
	step := 4 * g.lanes
	block := func(r int) {
		g.ahead(mem{Base: w, Index: i, Scale: 1})
		weights := g.load(mem{Base: w, Index: i, Scale: 1}, nil)
		if g.lanes == 16 {
			g.VPXORD(offset, weights, weights) // plus 128: without sign
		}
		for j := range m {
			t := g.vec()
			x := mem{Base: xs[j], Index: i, Scale: 1}
			if g.lanes == 16 {
				g.VPXORD(t, t, t)
				g.VPDPBUSD(x, weights, t)
			} else {
				a, size := g.load(x, nil), g.vec()
				g.VPABSB(a, size)
				g.VPSIGNB(a, weights, t)
				g.VPMADDUBSW(t, size, t)
				g.VPMADDWD(ones, t, t)
			}
			g.VCVTDQ2PS(t, t)
			g.VFMADD231PS(mem{Base: xs[j], Index: lane, Scale: 1}, t, sums[j][r])
		}
		g.ADDQ(operand.U32(step), i)
		g.ADDQ(operand.U32(step), lane)
		g.CMPQ(i, k)
	}
	blocks, last := g.label("blocks"), g.label("last")
	g.Label(blocks)
	for r := range unroll {
		block(r)
		if r < unroll-1 {
			g.JGE(ref(last))
		}
	}
	g.JLT(ref(blocks))
	g.Label(last)
	to := i
	g.MOVQ(y, to)
	for j := range m {
		s := g.fold(g.merge(sums[j], g.VADDPS), g.VADDPS).AsX()
		if g.lanes == 16 {
			g.VSUBSS(mem{Base: xs[j], Index: sum, Scale: 1}, s, s)
		}
		g.VMULSS(mem{Base: scale}, s, s)
		g.VMOVSS(s, mem{Base: to})
		if j < m-1 {
			g.ADDQ(ldy, to)
		}
	}
	g.ADDQ(imm(4), y)
	g.ADDQ(imm(4), scale)
	g.ADDQ(ldw, w)
	g.DECQ(n)
	g.JNZ(ref(row))
}

// gemvInt4 sets y[j·ldy+i] for m quantised rows j and n panels of 16 rows i of 4-bit weights. A panel is, for each 32
// elements, 16 scales in binary16 and four times 64 bytes: byte 4i+b holds elements b and 4+b of the next eight of row i,
// plus 8, in its lower and upper half.
func (g *gen) gemvInt4(m int) {
	y, w := g.list("y").base, g.list("w").base
	n, k, ldy, ldx := g.arg("n"), g.arg("k"), g.arg("ldy"), g.arg("ldx")
	xs := g.rowsOfX(m, ldx)
	g.SHLQ(imm(2), ldy)
	low, high, ones := g.keep(g.word(0x0f0f0f0f)), g.keep(g.word(0xf0f0f0f0)), g.keep(g.word(0x00010001))
	i, lane, minus := g.GP64(), g.GP64(), g.GP64()
	const group = 32 + 4*64
	panel := g.label("panel")
	g.Label(panel)
	halves := 16 / g.lanes // a panel is one register, or two halves, each of them read by itself
	start := w
	if halves > 1 {
		start = g.GP64()
		g.MOVQ(w, start)
	}
	for h := range halves {
		if h > 0 {
			g.MOVQ(start, w)
		}
		sums := make([]vec, m)
		for j := range sums {
			sums[j] = g.zero()
		}
		g.XORQ(i, i)
		g.MOVQ(k, lane)
		g.LEAQ(mem{Base: k, Index: k, Scale: 1}, minus)
		loop := g.label("group")
		g.Label(loop)
		scale := g.vec()
		g.VCVTPH2PS(mem{Base: w, Disp: 2 * g.lanes * h}, scale)
		lows, highs := make([]vec, m), make([]vec, m) // without VNNI, highs are sums of 16 bits: of eight pairs of products below 15·127
		for j := range m {
			lows[j], highs[j] = g.vec(), g.zero()
			g.VPBROADCASTD(mem{Base: xs[j], Index: minus, Scale: 1}, lows[j])
		}
		for c := range 4 {
			at := mem{Base: w, Disp: 32 + 64*c + 32*h}
			if h == 0 {
				g.ahead(mem{Base: w, Disp: 32 + 64*c})
			}
			weights, a, b := g.load(at, nil), g.vec(), g.vec()
			if g.lanes == 16 {
				g.VPANDD(low, weights, a)
				g.VPANDD(high, weights, b) // times 16
			} else {
				g.VPAND(low, weights, a)
				g.VPSRLW(imm(4), weights, b)
				g.VPAND(low, b, b)
			}
			for j := range m {
				first, second := mem{Base: xs[j], Index: i, Scale: 1, Disp: 8 * c}, mem{Base: xs[j], Index: i, Scale: 1, Disp: 8*c + 4}
				if g.lanes == 16 {
					g.VPDPBUSD_BCST(first, a, lows[j])
					g.VPDPBUSD_BCST(second, b, highs[j])
					continue
				}
				for s, x := range []mem{first, second} {
					t := g.vec()
					g.VPBROADCASTD(x, t)
					g.VPMADDUBSW(t, []vec{a, b}[s], t)
					g.VPADDW(t, highs[j], highs[j])
				}
			}
		}
		for j := range m {
			if g.lanes == 16 {
				g.VPSRAD(imm(4), highs[j], highs[j])
			} else {
				g.VPMADDWD(ones, highs[j], highs[j])
			}
			g.VPADDD(highs[j], lows[j], lows[j])
			t := g.vec()
			g.VCVTDQ2PS(lows[j], lows[j])
			g.VBROADCASTSS(mem{Base: xs[j], Index: lane, Scale: 1}, t)
			g.VMULPS(scale, t, t)
			g.VFMADD231PS(t, lows[j], sums[j])
		}
		g.ADDQ(operand.U32(group), w)
		g.ADDQ(imm(32), i)
		g.ADDQ(imm(32), lane)
		g.ADDQ(imm(4), minus)
		g.CMPQ(i, k)
		g.JLT(ref(loop))
		to := lane
		g.LEAQ(mem{Base: y, Disp: 4 * g.lanes * h}, to)
		for j := range m {
			g.store(sums[j], mem{Base: to}, nil)
			if j < m-1 {
				g.ADDQ(ldy, to)
			}
		}
	}
	g.ADDQ(operand.U32(64), y)
	g.DECQ(n)
	g.JNZ(ref(panel))
}

// quantize writes the numbers of one row of x, whose length is a multiple of 64, as bytes; see the top of this file. A group
// with a NaN or an infinity gets a scale that is no number.
func quantize(g *gen) {
	x, dst, k := g.list("x").base, g.list("dst").base, g.length("x")
	i, lane, minus := g.GP64(), g.GP64(), g.GP64()
	g.XORQ(i, i)
	g.MOVQ(k, lane)
	g.LEAQ(mem{Base: k, Index: k, Scale: 1}, minus)
	size, top, least := g.keep(g.word(0x7fffffff)), g.keep(g.num(127)), g.keep(g.num(1e-30))
	total := g.zero()
	loop := g.label("blocks")
	g.Label(loop)
	var scales [2]vec
	for h := range 2 {
		v := make([]vec, 32/g.lanes)
		for r := range v {
			v[r] = g.load(mem{Base: x, Disp: 128*h + 4*g.lanes*r}, nil)
		}
		m := g.fold(g.merge(g.sizes(v, size), g.VPMAXUD), g.VPMAXUD) // as integers: a NaN is the largest
		g.VPMAXUD(least.AsX(), m, m.AsX())
		most := g.broadcast(m)
		inverse, scale := g.vec(), g.vec()
		g.VDIVPS(most, top, inverse)
		g.VDIVPS(top, most, scale)
		scales[h] = scale
		sum := g.zero()
		for _, v := range v {
			g.VMULPS(inverse, v, v)
			if g.lanes == 8 { // what is no number becomes 0, as narrowing does below
				numbers := g.vec()
				g.VCMPPS(ordered, v, v, numbers)
				g.VANDPS(numbers, v, v)
			}
			g.VCVTPS2DQ(v, v)
			g.VPADDD(v, sum, sum)
		}
		g.narrow(v, mem{Base: dst, Index: i, Scale: 1, Disp: 32 * h})
		f := g.vec()
		g.VCVTDQ2PS(sum, f)
		g.VFMADD231PS(f, scale, total)
		s, r := g.fold(sum, g.VPADDD), g.GP32()
		g.VMOVD(s.AsX(), r)
		g.SHLL(imm(3), r)
		g.NEGL(r)
		g.MOVL(r, mem{Base: dst, Index: minus, Scale: 1, Disp: 4 * h})
	}
	for h, s := range scales {
		g.VMOVUPS(s.AsY(), mem{Base: dst, Index: lane, Scale: 1, Disp: 32 * h})
	}
	g.ADDQ(operand.U32(256), x)
	g.ADDQ(operand.U32(64), i)
	g.ADDQ(operand.U32(64), lane)
	g.ADDQ(operand.U32(8), minus)
	g.CMPQ(i, k)
	g.JLT(ref(loop))
	s := g.fold(total, g.VADDPS)
	g.VMULSS(g.num(128), s.AsX(), s.AsX())
	g.VMOVSS(s.AsX(), mem{Base: dst, Index: minus, Scale: 1})
}

// sizes returns v without signs.
func (g *gen) sizes(v []vec, mask vec) []vec {
	out := make([]vec, len(v))
	for i := range v {
		out[i] = g.vec()
		if g.lanes == 16 {
			g.VPANDD(mask, v[i], out[i])
		} else {
			g.VPAND(mask, v[i], out[i])
		}
	}
	return out
}

// narrow stores 32 integers, all of which fit, as bytes. It uses up v.
func (g *gen) narrow(v []vec, to mem) {
	if g.lanes == 16 {
		for r, v := range v {
			q := g.XMM()
			g.VPMOVDB(v, q)
			g.VMOVDQU(q, mem{Base: to.Base, Index: to.Index, Scale: 1, Disp: to.Disp + 16*r})
		}
		return
	}
	g.VPACKSSDW(v[1], v[0], v[0])
	g.VPACKSSDW(v[3], v[2], v[2])
	g.VPACKSSWB(v[2], v[0], v[0])
	g.VPERMD(v[0], g.keep(g.quarters()), v[0])
	g.VMOVUPS(v[0], to)
}

// quarters is the order of dwords that puts right what packing four registers half by half leaves: 0, 4, 1, 5, …
func (g *gen) quarters() mem {
	const key = 0xdeadbed0 // no constant of ours
	if m, ok := g.constants[key]; ok {
		return m
	}
	m := g.StaticGlobal("quarters" + g.title)
	g.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 8 {
		g.AddDatum(4*i, operand.U32(i/2+4*(i%2)))
	}
	g.constants[key] = m
	return m
}

// roundInt8 rounds x times inverse, which no byte exceeds, to bytes.
func roundInt8(g *gen) {
	dst, x, inverse := g.listOf("dst", 1), g.list("x"), g.param("inverse")
	g.sweep(g.length("x"), 1, func(c cursor, _ int) {
		t := g.mul(g.get(x, c), inverse)
		g.VCVTPS2DQ(t, t)
		if c.mask == nil {
			g.VPMOVSDB(t, c.of(dst))
		} else {
			g.VPMOVSDB(t, c.mask.k, c.of(dst))
		}
	})
}

// quantKernels are the kernels of bytes for a set.
func (g *gen) quantKernels(emit func(k kernel)) {
	most := 1
	emit(kernel{"quantize", "dst []int8, x []float32", "", quantize})
	if g.lanes == 16 {
		most = fewPass
		emit(kernel{"roundInt8", "dst []int8, x []float32, inverse float32", "", roundInt8})
	}
	for m := 1; m <= most; m++ {
		emit(kernel{fmt.Sprintf("gemvInt8x%d", m), int8Params, "", func(g *gen) { g.gemvInt8(m) }})
		emit(kernel{fmt.Sprintf("gemvInt4x%d", m), int4Params, "", func(g *gen) { g.gemvInt4(m) }})
	}
}
