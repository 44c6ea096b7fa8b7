//go:build amd64 && !noasm

package kernel

import (
	"unsafe"

	"fovea/internal/cpu"
)

var (
	useAVX2   = cpu.AVX2()
	useAVX512 = cpu.AVX512()
)

func init() {
	cpu.Register("kernel", "avx2", &useAVX2)
	cpu.Register("kernel", "avx512", &useAVX512)
}

// The tile of an implementation fills its registers: 12 sums of 16, or 28 of 32.
var (
	avx2Shape   = tileShape{mr: 6, nr: 16, strip: 8}
	avx512Shape = tileShape{mr: 14, nr: 32, strip: 16}
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

func gemmTiles(h int, g *gemmArgs) {
	switch {
	case useAVX512:
		gemmTilesAVX512(h, g)
	case useAVX2:
		gemmTilesAVX2(h, g)
	default:
		gemmTilesGeneric(h, g)
	}
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
