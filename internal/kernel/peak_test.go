package kernel

import "time"

// peak returns the GFLOP/s of MultiplyAdds on this core, best of several, or 0.
func peak(group int) float64 {
	best := 0.0
	for range 200 {
		stop := stopwatch()
		ops := MultiplyAdds(10000, group)
		best = max(best, ops/max(stop(), time.Nanosecond).Seconds()/1e9)
	}
	return best
}
