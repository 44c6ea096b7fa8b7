//go:build amd64 && !noasm

package kernel

import (
	"time"

	"fovea/internal/cpu"
)

// peak returns the GFLOP/s of a loop of independent AVX2 multiply-adds on this core, best of several, or 0 where the
// current implementation has no such loop.
func peak() float64 {
	if cpu.Active("kernel") != "avx2" {
		return 0
	}
	const n = 10000
	shortest := time.Hour
	for range 200 {
		stop := stopwatch()
		peakAVX2(n)
		shortest = min(shortest, stop())
	}
	return 12 * 8 * 2 * n / shortest.Seconds() / 1e9
}
