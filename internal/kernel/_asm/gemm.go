package main

import (
	"fmt"
	"go/token"
	"go/types"

	"github.com/mmcloughlin/avo/operand"
)

// Offsets in kernel's gemmArgs, which has a compile-time check of them (asm_amd64.go). A slice is 24 bytes and starts with its
// pointer.
const (
	argA     = 0
	argB     = 24
	argC     = 48
	argBias  = 72
	argPf    = 96
	argK     = 120
	argTiles = 128
	argRS    = 136
	argKS    = 144
	argTS    = 152
	argBS    = 160
	argLDC   = 168
	argPfs   = 176
	argCols  = 184
	argBeta  = 192
)

func gemmArgsSignature() *types.Signature {
	name := types.NewTypeName(token.NoPos, nil, "gemmArgs", nil)
	t := types.NewPointer(types.NewNamed(name, types.NewStruct(nil, nil), nil))
	return types.NewSignatureType(nil, nil, nil, types.NewTuple(types.NewVar(token.NoPos, nil, "args", t)), nil, false)
}

// gemmTile emits the micro-kernel for tiles of h rows and v registers of columns. h·v sums stay in registers for the
// whole of k; each step loads v registers of b and broadcasts h elements of a. Rows of a are read where they lie: pointers
// to every third row reach all of them with the scaled index forms of an address. An element is 32 bits: a float32, or what
// the set's instruction multiplies at once (factors).
func (g *gen) gemmTile(h, v int) {
	args := g.Load(g.Param("args"), g.GP64()).(gp)
	field := func(off int) mem { return mem{Base: args, Disp: off} }
	words := func(off int) gp { // a stride, in bytes
		r := g.GP64()
		g.MOVQ(field(off), r)
		g.SHLQ(imm(2), r)
		return r
	}
	// Positions that move from tile to tile live on the stack: the loop needs the registers.
	aAt, cAt := g.AllocLocal(8), g.AllocLocal(8)
	t := g.GP64()
	g.MOVQ(field(argA), t)
	g.MOVQ(t, aAt)
	g.MOVQ(field(argC), t)
	g.MOVQ(t, cAt)
	rs, ks, bs, pfs := words(argRS), words(argKS), words(argBS), words(argPfs)
	pf := g.GP64()
	g.MOVQ(field(argPf), pf)
	sums := make([]vec, h*v)
	for i := range sums {
		sums[i] = g.vec()
	}
	b := make([]vec, v)
	for i := range b {
		b[i] = g.vec()
	}
	x := []vec{g.vec(), g.vec()}
	if g.factors == int16Pairs {
		x[1] = x[0] // the other register holds products on their way to a sum
	}

	tile := fmt.Sprintf("tile%dx%d", h, v)
	g.Label(tile)
	rows := make([]gp, (h+2)/3)
	for i := range rows {
		rows[i] = g.GP64()
		if i == 0 {
			g.MOVQ(aAt, rows[i])
			continue
		}
		g.LEAQ(mem{Base: rows[i-1], Index: rs, Scale: 2}, rows[i])
		g.ADDQ(rs, rows[i])
	}
	for _, s := range sums {
		g.VXORPS(s, s, s)
	}
	g.prefetchTile(h, v, cAt, words(argLDC))
	bp, k := g.GP64(), g.GP64()
	g.MOVQ(field(argB), bp)
	g.MOVQ(field(argK), k)
	loop := fmt.Sprintf("k%dx%d", h, v)
	g.Label(loop)
	g.PREFETCHT1(mem{Base: pf})
	g.ADDQ(pfs, pf)
	for j := range v {
		g.VMOVUPS(mem{Base: bp, Disp: 4 * g.lanes * j}, b[j])
	}
	for i := range h {
		at := mem{Base: rows[i/3]}
		if i%3 > 0 {
			at.Index, at.Scale = rs, uint8(i%3)
		}
		g.VBROADCASTSS(at, x[i%2])
		for j := range v {
			g.multiply(x[i%2], b[j], sums[i*v+j])
		}
	}
	for _, p := range rows {
		g.ADDQ(ks, p)
	}
	g.ADDQ(bs, bp)
	g.DECQ(k)
	g.JNZ(ref(loop))

	c, ldc := g.GP64(), words(argLDC)
	g.MOVQ(cAt, c)
	bias := g.GP64()
	g.MOVQ(field(argBias), bias)
	partial, next := fmt.Sprintf("partial%dx%d", h, v), fmt.Sprintf("next%dx%d", h, v)
	g.CMPQ(field(argCols), operand.U32(g.lanes*v))
	g.JNE(ref(partial))
	g.finishTile(h, v, sums, b, x, c, ldc, bias, field(argBeta), nil)
	g.JMP(ref(next))

	// All registers but the last are full: narrower panels go to the kernel of fewer registers.
	g.Label(partial)
	cols := g.GP64()
	g.MOVQ(field(argCols), cols)
	g.SUBQ(operand.U32(g.lanes*(v-1)), cols)
	g.finishTile(h, v, sums, b, x, c, ldc, bias, field(argBeta), g.tailMask(cols))

	g.Label(next)
	g.MOVQ(c, cAt)
	ts := words(argTS)
	g.ADDQ(ts, aAt)
	g.DECQ(field(argTiles))
	g.JNZ(ref(tile))
}

// prefetchTile fetches the tile of c that will be stored, and before that perhaps read, at the end: products over few k would
// wait for it.
func (g *gen) prefetchTile(h, v int, c mem, ldc gp) {
	at := g.GP64()
	g.MOVQ(c, at)
	for i := range h {
		for d := 0; d < 4*g.lanes*v; d += 64 {
			g.PREFETCHT0(mem{Base: at, Disp: d})
		}
		if i < h-1 {
			g.ADDQ(ldc, at)
		}
	}
}

// multiply adds the products of a, the same in every lane, and b to sum.
func (g *gen) multiply(a, b, sum vec) {
	switch g.factors {
	case bf16Pairs:
		g.VPDPWSSD(a, b, sum) // stands for VDPBF16PS, see raw.go
	case int8Quads:
		g.VPDPBUSD(b, a, sum) // a without sign
	case int16Pairs:
		t := g.vec()
		g.VPMADDWD(a, b, t)
		g.VPADDD(t, sum, sum)
	default:
		g.VFMADD231PS(a, b, sum)
	}
}

// plus is old + sum, as numbers of the set's sums.
func (g *gen) plus(old operand.Op, sum vec) {
	if g.factors == int8Quads || g.factors == int16Pairs {
		g.VPADDD(old, sum, sum)
		return
	}
	g.VADDPS(old, sum, sum)
}

// finishTile adds bias and the old c where wanted, and stores. m masks the last register of each row. It leaves c behind the
// tile's last row.
func (g *gen) finishTile(h, v int, sums, b, x []vec, c, ldc, bias gp, beta mem, m *mask) {
	maskOf := func(j int) *mask {
		if j == v-1 {
			return m
		}
		return nil
	}
	noBias, noBeta := g.label("nobias"), g.label("nobeta")
	g.TESTQ(bias, bias)
	g.JZ(ref(noBias))
	for j := range v {
		w := g.load(mem{Base: bias, Disp: 4 * g.lanes * j}, maskOf(j))
		for i := range h {
			g.plus(w, sums[i*v+j])
		}
	}
	g.Label(noBias)
	g.CMPQ(beta, operand.U8(0))
	g.JEQ(ref(noBeta))
	old := g.GP64()
	g.MOVQ(c, old)
	for i := range h {
		for j := range v {
			at := mem{Base: old, Disp: 4 * g.lanes * j}
			if mk := maskOf(j); mk == nil {
				g.plus(at, sums[i*v+j])
			} else {
				g.plus(g.load(at, mk), sums[i*v+j])
			}
		}
		g.ADDQ(ldc, old)
	}
	g.Label(noBeta)
	for i := range h {
		for j := range v {
			g.store(sums[i*v+j], mem{Base: c, Disp: 4 * g.lanes * j}, maskOf(j))
		}
		g.ADDQ(ldc, c)
	}
}

// peakSums is the number of independent sums in peak.
const peakSums = 12

// peak emits a loop of independent multiply-adds: what a core can do at best, for benchmarks.
func (g *gen) peak() {
	n := g.Load(g.Param("n"), g.GP64())
	s := g.sums(peakSums)
	a := g.zero()
	loop := g.label("peak")
	g.Label(loop)
	for i := range s {
		g.multiply(a, a, s[i])
	}
	g.DECQ(n)
	g.JNZ(ref(loop))
}
