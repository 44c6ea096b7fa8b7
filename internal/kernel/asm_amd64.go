//go:build amd64 && !noasm

package kernel

import (
	"unsafe"

	"fovea/internal/cpu"
)

var (
	useAVX2   = cpu.AVX2()
	useAVX512 = cpu.AVX512()
	// Of a processor with AVX-512: used whenever AVX-512 is.
	hasBF16 = cpu.AVX512BF16()
)

func init() {
	cpu.Register("kernel", "avx2", &useAVX2)
	cpu.Register("kernel", "avx512", &useAVX512)
}

// The tile of an implementation fills its registers: 12 sums of 16, or 28 of 32. Beside strips of 192 elements the panels of b stay in the
// 512 KiB of second-level cache that a core with AVX2 has: gradients of weights reach 68 to 74 % of the peak instead of 48 to 65 %.
var (
	avx2Shape   = tileShape{mr: 6, nr: 16, strip: 8, group: 1, kc: 192}
	avx512Shape = tileShape{mr: 14, nr: 32, strip: 16, group: 1}
	pairsShape  = tileShape{mr: 14, nr: 32, strip: 16, group: 2}
	quadsShape  = tileShape{mr: 14, nr: 32, strip: 16, group: 4}
	wordsShape  = tileShape{mr: 6, nr: 16, strip: 8, group: 2, words: true}
)

func gemmShape() tileShape {
	switch {
	case useAVX512:
		return avx512Shape
	case useAVX2:
		return avx2Shape
	}
	return genericShape
}

// bf16Shape is the shape for operands in pairs of bfloat16, when there are instructions for them.
func bf16Shape() (s tileShape, ok bool) {
	if useAVX512 && hasBF16 && hasAMX {
		return amxPairs, true
	}
	return pairsShape, useAVX512 && hasBF16
}

// fewLanes is the number of elements that the kernels of few rows take at a time.
func fewLanes() int {
	switch {
	case useAVX512:
		return 16
	case useAVX2:
		return 8
	}
	return 1
}

// int8Shape is the shape for operands of bytes, when there are instructions for them: in quads, or, with AVX2, in pairs of integers of 16
// bits. AVX2's own product of bytes would add up two of them in 16 bits, which is too few.
func int8Shape() (s tileShape, ok bool) {
	switch {
	case useAVX512 && hasVNNI && hasAMX:
		return amxQuads, true
	case useAVX512:
		return quadsShape, hasVNNI
	}
	return wordsShape, useAVX2
}

// gemmTiles runs the micro-kernel of a shape for tiles of h rows.
func gemmTiles(s *tileShape, h int, g *gemmArgs, x *amxArgs) {
	switch {
	case s.amx:
		gemmTilesAMX(s, h, g, x)
	case s.words:
		gemmTilesInt16(h, g)
	case s.group == 2:
		gemmTilesBF16(h, g)
	case s.group == 4:
		gemmTilesVNNI(h, g)
	case useAVX512:
		gemmTilesAVX512(h, g)
	case useAVX2:
		gemmTilesAVX2(h, g)
	default:
		gemmTilesGeneric(h, g)
	}
}

// pairRows makes each two of k rows of n elements one row of width pairs rounded to bfloat16.
func pairRows(dst, src []float32, k, ld, n, width int) { pairRowsBF16(dst, src, k, ld, n, width) }

// pairPanels is pairRows for full panels of 32 columns, stride elements apart.
func pairPanels(dst, src []float32, k, ld, panels, stride int) {
	pairPanelsBF16(dst, src, k, ld, panels, stride)
}

// pairElements rounds rows of n elements to rows of width pairs of neighbours.
func pairElements(dst, src []float32, rows, ld, n, width int) {
	pairElementsBF16(dst, src, rows, ld, n, width)
}

// pairTile rounds rows of n elements to lines of 16 pairs of neighbours: the first line of every row, then the second of every row.
func pairTile(dst, src []float32, rows, ld, n int) { pairTileBF16(dst, src, rows, ld, n) }

// softmaxPairs rounds the exponentials of rows of n scores to lines of 16 pairs, see Attend.
func softmaxPairs(dst, x, top, inv []float32, rows, ld, n, rs, ls int, scale float32) {
	softmaxPairsBF16(dst, x, top, inv, rows, ld, n, rs, ls, scale)
}

// winogradInPairs is winogradIn rounded to bfloat16, two channels an element.
func winogradInPairs(dst, src []float32, ds, ld, rs, c, n int) {
	winogradInPairsBF16(dst, src, ds, ld, rs, c, n)
}

// winogradInTiles is winogradIn rounded to bfloat16, two of 2·n neighbouring windows an element.
func winogradInTiles(dst, src []float32, ds, ld, rs, c, n int) {
	winogradInTilesBF16(dst, src, ds, ld, rs, c, n)
}

// winogradGradTiles is winogradGrad rounded to bfloat16, two of 2·n neighbouring windows an element.
func winogradGradTiles(dst, src []float32, ds, ld, rs, c, n int) {
	winogradGradTilesBF16(dst, src, ds, ld, rs, c, n)
}

func spread(x []float32) (lo, hi, zero float32) {
	switch {
	case useAVX512 && hasVNNI:
		return spreadVNNI(x)
	case useAVX2:
		return spreadInt16(x)
	}
	return spreadGeneric(x)
}

// encodeRow rounds (x − lo)·inv to integers, in the groups of int8Shape. dst has a multiple of 16 bytes.
func encodeRow(dst, x []float32, lo, inv float32) {
	if useAVX512 {
		encodeRowVNNI(dst, x, lo, inv)
		return
	}
	encodeRowInt16(dst, x, lo, inv)
}

// decodeRow turns integers c into (step·scale)·c + lo·shift + bias, in place.
func decodeRow(c, scale, shift, bias []float32, step, lo float32) {
	if useAVX512 {
		decodeRowVNNI(c, scale, shift, bias, step, lo)
		return
	}
	decodeRowInt16(c, scale, shift, bias, step, lo)
}

// widenWords writes bytes as words, two an element of dst.
func widenWords(dst []float32, q []int8) {
	widenWordsInt16(dst, q)
	if whole := len(q) &^ 15; whole < len(q) {
		to := unsafe.Slice((*int16)(unsafe.Pointer(&dst[whole/2])), len(q)-whole)
		for i, v := range q[whole:] {
			to[i] = int16(v)
		}
	}
}

// wordsInt4 writes groups of a panel of 4-bit weights as words times their scales.
func wordsInt4(dst []float32, src []byte, inverse []float32, groups int) {
	wordsInt4Int16(dst, src, inverse, groups)
}

// pause tells the processor that this is a spin loop.
func pause() { pauseAsm() }

// The offsets that _asm/gemm.go relies on; a wrong one does not compile.
const (
	_ = -(unsafe.Offsetof(gemmArgs{}.b) ^ 24)
	_ = -(unsafe.Offsetof(gemmArgs{}.c) ^ 48)
	_ = -(unsafe.Offsetof(gemmArgs{}.bias) ^ 72)
	_ = -(unsafe.Offsetof(gemmArgs{}.pf) ^ 96)
	_ = -(unsafe.Offsetof(gemmArgs{}.k) ^ 120)
	_ = -(unsafe.Offsetof(gemmArgs{}.tiles) ^ 128)
	_ = -(unsafe.Offsetof(gemmArgs{}.rs) ^ 136)
	_ = -(unsafe.Offsetof(gemmArgs{}.ks) ^ 144)
	_ = -(unsafe.Offsetof(gemmArgs{}.ts) ^ 152)
	_ = -(unsafe.Offsetof(gemmArgs{}.bs) ^ 160)
	_ = -(unsafe.Offsetof(gemmArgs{}.ldc) ^ 168)
	_ = -(unsafe.Offsetof(gemmArgs{}.pfs) ^ 176)
	_ = -(unsafe.Offsetof(gemmArgs{}.cols) ^ 184)
	_ = -(unsafe.Offsetof(gemmArgs{}.beta) ^ 192)
)
