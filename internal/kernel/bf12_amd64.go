//go:build amd64 && !noasm

package kernel

// hasBF12 says that 12 bits are undone faster than memory gives 16: it takes instructions of AVX-512.
func hasBF12() bool { return useAVX512 }

func topBF16(w []uint16) int {
	if useAVX512 {
		return topBF16AVX512(w)
	}
	return topBF16Generic(w)
}

func packBF12(dst []byte, w []uint16, base int) (least int) {
	if useAVX512 {
		return packBF12AVX512(dst, w, base)
	}
	return packBF12Generic(dst, w, base)
}

// gemvBF12 multiplies m rows.
func gemvBF12(m int, y, x []float32, w []byte, scale []float32, n, k, ldy, ldx int) {
	if !useAVX512 {
		gemvBF12Generic(m, y, x, w, scale, n, k, ldy, ldx)
		return
	}
	switch m {
	case 1:
		gemvBF12x1AVX512(y, x, w, scale, n, k, ldy, ldx)
	case 2:
		gemvBF12x2AVX512(y, x, w, scale, n, k, ldy, ldx)
	case 3:
		gemvBF12x3AVX512(y, x, w, scale, n, k, ldy, ldx)
	case 4:
		gemvBF12x4AVX512(y, x, w, scale, n, k, ldy, ldx)
	}
}
