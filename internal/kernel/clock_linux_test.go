package kernel

import (
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// stopwatch starts to measure the processor time of this goroutine's thread, which neighbours on a shared machine do not
// count in. It ties the goroutine to its thread until the returned function is called, which gives the time.
func stopwatch() func() time.Duration {
	runtime.LockOSThread()
	start := threadTime()
	return func() time.Duration {
		d := threadTime() - start
		runtime.UnlockOSThread()
		return d
	}
}

func threadTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		panic(err)
	}
	return time.Duration(t.Nano())
}
