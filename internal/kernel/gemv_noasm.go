//go:build !amd64 || noasm

package kernel

// fewLanes is the number of elements that the kernels of few rows take at a time.
func fewLanes() int { return 1 }

func gemvF32(m int, y, x, w []float32, n, k, ldw, ldy, ldx int) {
	gemvGeneric(m, y, x, Rows{F32: w}, n, k, ldw, ldy, ldx)
}

func gemvF16(m int, y, x []float32, w []uint16, n, k, ldw, ldy, ldx int) {
	gemvGeneric(m, y, x, Rows{F16: w}, n, k, ldw, ldy, ldx)
}

func gemvBF16(m int, y, x []float32, w []uint16, n, k, ldw, ldy, ldx int) {
	gemvGeneric(m, y, x, Rows{BF16: w}, n, k, ldw, ldy, ldx)
}

func mixBF16(m int, y, s []float32, v []uint16, n, k, ldv, ldy, lds int) {
	mixBF16Generic(m, y, s, v, n, k, ldv, ldy, lds)
}

func quantize(dst []int8, x []float32) { quantizeGeneric(dst, x, len(x)) }

func roundInt8(dst []int8, x []float32, inverse float32) { roundInt8Generic(dst, x, inverse) }

func gemvInt8(m int, y []float32, x, w []int8, scale []float32, n, k, ldw, ldy, ldx int) {
	gemvInt8Generic(m, y, x, w, scale, n, k, ldw, ldy, ldx)
}

func gemvInt4(m int, y []float32, x []int8, w []byte, n, k, ldy, ldx int) {
	gemvInt4Generic(m, y, x, w, n, k, ldy, ldx)
}

func hasBF12() bool { return false }

func topBF16(w []uint16) int { return topBF16Generic(w) }

func packBF12(dst []byte, w []uint16, base int) (least int) { return packBF12Generic(dst, w, base) }

func gemvBF12(m int, y, x []float32, w []byte, scale []float32, n, k, ldy, ldx int) {
	gemvBF12Generic(m, y, x, w, scale, n, k, ldy, ldx)
}
