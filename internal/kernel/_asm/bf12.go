package main

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
)

const bf12Params = "y, x []float32, w []byte, scale []float32, n, k, ldy, ldx int"

// Of 64 weights, see kernel.BF12.
const (
	bf12Chunk = 64
	bf12Bytes = 96
)

// bf12Kernels are those of bfloat16 in 12 bits.
func (g *gen) bf12Kernels(emit func(k kernel)) {
	emit(kernel{"topBF16", "w []uint16", "int", topBF16})
	emit(kernel{"packBF12", "dst []byte, w []uint16, base int", "(least int)", packBF12})
	for m := 1; m <= fewPass; m++ {
		emit(kernel{fmt.Sprintf("gemvBF12x%d", m), bf12Params, "", func(g *gen) { g.gemvBF12(m) }})
	}
}

// topBF16 returns the largest exponent.
func topBF16(g *gen) {
	w, n := g.list("w").base, g.length("w")
	size, most := g.keep(g.word(0x7fff7fff)), g.zero()
	loop := g.label("top")
	g.Label(loop)
	for i := range 2 {
		t := g.vec()
		g.VPANDD(mem{Base: w, Disp: 64 * i}, size, t)
		g.VPMAXUW(t, most, most)
	}
	g.ADDQ(operand.U32(2*bf12Chunk), w)
	g.SUBQ(operand.U32(bf12Chunk), n)
	g.JNZ(ref(loop))
	high := g.vec()
	g.VPSRLD(imm(23), most, high) // of the odd ones
	g.VPSLLD(imm(16), most, most)
	g.VPSRLD(imm(23), most, most)
	g.VPMAXUD(high, most, most)
	g.returnWord(g.fold(most, g.VPMAXUD))
}

// returnWord returns the lowest 32 bits of a register as an int.
func (g *gen) returnWord(v vec) {
	r := g.GP64()
	g.VMOVD(v.AsX(), r.As32()) // clears the upper half
	g.Store(r, g.ReturnIndex(0))
}

// packBF12 packs a row and returns its least exponent.
func packBF12(g *gen) {
	dst, w, n := g.list("dst").base, g.list("w").base, g.length("w")
	from, base := g.arg("base"), g.vec()
	g.VPBROADCASTD(from.As32(), base)
	exponent, digits, zero := g.keep(g.word(0xff)), g.keep(g.word(0x7f)), g.zero()
	least := g.keep(g.word(0xff))
	loop := g.label("pack")
	g.Label(loop)
	var bytes, nibbles vec
	for i := range 4 {
		v, e, d := g.vec(), g.vec(), g.vec()
		g.VPMOVZXWD(mem{Base: w, Disp: 32 * i}, v)
		g.VPSRLD(imm(7), v, e)
		g.VPANDD(exponent, e, e)
		g.VPMINUD(e, least, least)
		g.VPSUBD(base, e, e)
		g.VPMAXSD(zero, e, e)
		g.VPSRLD(imm(8), v, d)
		g.VPTERNLOGD(choose, digits, v, d) // the sign of d, the digits of v
		if i == 0 {
			bytes, nibbles = d, e
			continue
		}
		g.VPSLLD(imm(8*i), d, d)
		g.VPORD(d, bytes, bytes)
		g.VPSLLD(imm(4*i), e, e)
		g.VPORD(e, nibbles, nibbles)
	}
	g.store(bytes, mem{Base: dst}, nil)
	g.VPMOVDW(nibbles, mem{Base: dst, Disp: bf12Chunk})
	g.ADDQ(operand.U32(bf12Bytes), dst)
	g.ADDQ(operand.U32(2*bf12Chunk), w)
	g.SUBQ(operand.U32(bf12Chunk), n)
	g.JNZ(ref(loop))
	g.returnWord(g.fold(least, g.VPMINUD))
}

// Tables of VPTERNLOGD for a, the destination, b, the second operand in Go's order, and c, the first.
const (
	choose = imm(0xd8) // b where c is 1, else a
	leave  = imm(0xe4) // a where c is 1, else b
	within = imm(0xea) // a within b, and c
)

// gemvBF12 sets y[j·ldy+o] = scale[o]·Σ w(o, l)·x[j·ldx+l] for l < k, m rows j and n rows o. k is a multiple of 64, and neither it nor n is 0.
func (g *gen) gemvBF12(m int) {
	y, w, scale := g.list("y").base, g.list("w").base, g.list("scale").base
	n, k, ldy, ldx := g.arg("n"), g.arg("k"), g.arg("ldy"), g.arg("ldx")
	g.SHLQ(imm(2), ldx)
	g.SHLQ(imm(2), ldy)
	xs := g.rowsOfX(m, ldx)
	// A float32 is a sign, an exponent of eight bits, here 0111 and four that are kept, and digits, of which seven are not 0.
	sign, exponent := g.keep(g.word(0x80000000)), g.keep(g.word(0x07800000))
	kept, fixed := g.keep(g.word(0x87ff0000)), g.keep(g.word(0x38000000))
	i, to := g.GP64(), g.GP64()
	row, loop := g.label("row"), g.label("loop")
	g.Label(row)
	sums := make([][]vec, m) // of row j, one for each quarter
	for j := range sums {
		sums[j] = g.sums(4)
	}
	g.XORQ(i, i)
	g.Label(loop)
	g.ahead(mem{Base: w})
	g.ahead(mem{Base: w, Disp: 64})
	// Shifted by one byte less each time, so that the digits of the next quarter, and the sign of the one before, are in place.
	bytes := []vec{g.vec(), g.vec(), g.vec(), g.load(mem{Base: w}, nil), g.vec()}
	for q, by := range []imm{24, 16, 8} {
		g.VPSLLD(by, bytes[3], bytes[q])
	}
	g.VPSRLD(imm(8), bytes[3], bytes[4])
	nibbles := g.vec()
	g.VPMOVZXWD(mem{Base: w, Disp: bf12Chunk}, nibbles)
	for q := range 4 {
		v, e := bytes[q], g.vec()
		g.VPTERNLOGD(leave, sign, bytes[q+1], v)
		g.VPSLLD(imm(23-4*q), nibbles, e)
		g.VPTERNLOGD(choose, exponent, e, v)
		g.VPTERNLOGD(within, fixed, kept, v)
		for j := range m {
			g.VFMADD231PS(mem{Base: xs[j], Index: i, Scale: 4, Disp: 64 * q}, v, sums[j][q])
		}
	}
	g.ADDQ(operand.U32(bf12Bytes), w)
	g.ADDQ(operand.U32(bf12Chunk), i)
	g.CMPQ(i, k)
	g.JLT(ref(loop))
	g.MOVQ(y, to)
	for j := range m {
		s := g.fold(g.merge(sums[j], g.VADDPS), g.VADDPS).AsX()
		g.VMULSS(mem{Base: scale}, s, s)
		g.VMOVSS(s, mem{Base: to})
		if j < m-1 {
			g.ADDQ(ldy, to)
		}
	}
	g.ADDQ(imm(4), y)
	g.ADDQ(imm(4), scale)
	g.DECQ(n)
	g.JNZ(ref(row))
}
