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
