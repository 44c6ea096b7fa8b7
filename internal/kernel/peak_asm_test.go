//go:build amd64 && !noasm

package kernel

import (
	"time"

	"fovea/internal/cpu"
)

// peak returns the GFLOP/s of a loop of independent multiply-adds on this core, best of several, or 0 where the current
// implementation has no such loop. group is the number of factors in 32 bits: 1 float32, 2 bfloat16, 4 bytes.
func peak(group int) float64 {
	const n = 10000
	loop, lanes := peakAVX2, 8
	switch active := cpu.Active("kernel"); {
	case active == "avx2" && group == 1:
	case active == "avx512" && group == 1:
		loop, lanes = peakAVX512, 16
	case active == "avx512" && group == 2 && hasBF16:
		loop, lanes = peakBF16, 16
	case active == "avx512" && group == 4 && hasVNNI:
		loop, lanes = peakVNNI, 16
	default:
		return 0
	}
	shortest := time.Hour
	for range 200 {
		stop := stopwatch()
		loop(n)
		shortest = min(shortest, stop())
	}
	return 12 * 2 * n * float64(lanes*group) / shortest.Seconds() / 1e9
}

// withoutPairs hides the instructions for bfloat16 until restore is called.
func withoutPairs() (restore func()) {
	was := hasBF16
	hasBF16 = false
	return func() { hasBF16 = was }
}

// withoutQuads hides the instructions for products of bytes until restore is called.
func withoutQuads() (restore func()) {
	was := hasVNNI
	hasVNNI = false
	return func() { hasVNNI = was }
}
