//go:build linux

package ops

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// BenchmarkConv reports the GFLOP/s, by processor time, of the convolutions of a small model for pictures of 32 pixels, forward and
// backward over a batch of 16, and their share of what a loop of multiply-adds reaches in turns with them: whatever disturbs one disturbs
// the other.
func BenchmarkConv(b *testing.B) {
	for _, s := range []struct{ side, in, out, stride int }{{32, 32, 96, 2}, {16, 96, 96, 1}, {16, 96, 192, 2}, {8, 192, 192, 1}} {
		b.Run(fmt.Sprintf("%dx%dx%d-%d", s.side, s.side, s.in, s.out), func(b *testing.B) {
			rng := rand.New(rand.NewPCG(1, 2))
			tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
			x, w := param(rng, 16, s.side, s.side, s.in), param(rng, s.out, 9*s.in)
			var done, operations float64
			var convs, peak time.Duration
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for b.Loop() {
				tape.Reset()
				begun := processorTime()
				y := Conv2D(tape.Use(x), tape.Use(w), nil, 3, s.stride)
				tape.Backward(tape.New(true, 1), 1)
				at := processorTime()
				convs += at - begun
				done += 6 * float64(y.Shape.Rows()*s.out*9*s.in)
				for range 10 {
					operations += kernel.MultiplyAdds(10000, 1)
				}
				peak += processorTime() - at
			}
			b.ReportMetric(done/convs.Seconds()/1e9, "GFLOP/s")
			if operations > 0 {
				b.ReportMetric(100*done/convs.Seconds()/(operations/peak.Seconds()), "%peak")
			}
		})
	}
}

func processorTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
