//go:build amd64 && !noasm

package kernel

import "fovea/internal/cpu"

// MultiplyAdds runs so many rounds of independent multiply-adds, the most that a core can do, and returns the number of
// operations, two a multiply-add. group is the number of factors in 32 bits: 1 float32, 2 bfloat16, 4 bytes, which with AVX2 are
// multiplied as 2 integers of 16 bits. It returns 0 where the implementation in use has no such loop.
func MultiplyAdds(rounds, group int) float64 {
	loop, lanes := peakAVX2, 8
	switch active := cpu.Active("kernel"); {
	case active == "avx2" && group == 1:
	case active == "avx2" && group == 4:
		loop, group = peakInt16, 2
	case active == "avx512" && group == 1:
		loop, lanes = peakAVX512, 16
	case active == "avx512" && group > 1 && hasBF16 && hasVNNI && hasAMX:
		args := amxArgs{config: &amxConfigs[32], steps: rounds}
		if group == 2 {
			amxPeakBF16(&args)
		} else {
			amxPeakInt8(&args)
		}
		return 4 * 2 * 16 * 16 * amxUnits * float64(rounds*group)
	case active == "avx512" && group == 2 && hasBF16:
		loop, lanes = peakBF16, 16
	case active == "avx512" && group == 4 && hasVNNI:
		loop, lanes = peakVNNI, 16
	default:
		return 0
	}
	loop(rounds)
	const sums = 12 // of the loop
	return sums * 2 * float64(rounds*lanes*group)
}
