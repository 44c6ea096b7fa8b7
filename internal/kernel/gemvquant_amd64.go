//go:build amd64 && !noasm

package kernel

import "fovea/internal/cpu"

// hasVNNI says that a processor with AVX-512 multiplies bytes with it. One without uses the AVX2 kernels of bytes.
var hasVNNI = cpu.AVX512VNNI()

func quantize(dst []int8, x []float32) {
	switch {
	case useAVX512 && hasVNNI:
		quantizeVNNI(dst, x)
	case useAVX512 || useAVX2:
		quantizeAVX2(dst, x)
	default:
		quantizeGeneric(dst, x, len(x))
	}
}

func roundInt8(dst []int8, x []float32, inverse float32) {
	if useAVX512 && hasVNNI {
		roundInt8VNNI(dst, x, inverse)
		return
	}
	roundInt8Generic(dst, x, inverse)
}

// gemvInt8 multiplies m quantised rows.
func gemvInt8(m int, y []float32, x, w []int8, scale []float32, n, k, ldw, ldy, ldx int) {
	switch {
	case useAVX512 && hasVNNI:
		switch m {
		case 1:
			gemvInt8x1VNNI(y, x, w, scale, n, k, ldw, ldy, ldx)
		case 2:
			gemvInt8x2VNNI(y, x, w, scale, n, k, ldw, ldy, ldx)
		case 3:
			gemvInt8x3VNNI(y, x, w, scale, n, k, ldw, ldy, ldx)
		case 4:
			gemvInt8x4VNNI(y, x, w, scale, n, k, ldw, ldy, ldx)
		}
	case useAVX512 || useAVX2:
		for j := range m {
			gemvInt8x1AVX2(y[j*ldy:], x[j*ldx:], w, scale, n, k, ldw, ldy, ldx)
		}
	default:
		gemvInt8Generic(m, y, x, w, scale, n, k, ldw, ldy, ldx)
	}
}

// gemvInt4 multiplies m quantised rows by n panels.
func gemvInt4(m int, y []float32, x []int8, w []byte, n, k, ldy, ldx int) {
	switch {
	case useAVX512 && hasVNNI:
		switch m {
		case 1:
			gemvInt4x1VNNI(y, x, w, n, k, ldy, ldx)
		case 2:
			gemvInt4x2VNNI(y, x, w, n, k, ldy, ldx)
		case 3:
			gemvInt4x3VNNI(y, x, w, n, k, ldy, ldx)
		case 4:
			gemvInt4x4VNNI(y, x, w, n, k, ldy, ldx)
		}
	case useAVX512 || useAVX2:
		for j := range m {
			gemvInt4x1AVX2(y[j*ldy:], x[j*ldx:], w, n, k, ldy, ldx)
		}
	default:
		gemvInt4Generic(m, y, x, w, n, k, ldy, ldx)
	}
}
