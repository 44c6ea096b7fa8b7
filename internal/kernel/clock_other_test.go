//go:build !linux

package kernel

import "time"

// stopwatch starts to measure time; the returned function gives it.
func stopwatch() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
