package serve

import (
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// restAfter is how long nobody has asked for anything when a server rests.
const restAfter = 10 * time.Second

// rest sees to it that a server which nobody asks gives memory that it does not need back to the operating system. Go itself keeps
// what may be taken before the next collection, up to twice of what is in use or GOMEMLIMIT; without requests there is no collection for
// minutes, and a server would keep what its busiest moment took.
type rest struct {
	after   time.Duration
	working atomic.Int64 // requests
	timer   *time.Timer
}

// newRest is that of a server without requests; it gives back by do.
func newRest(after time.Duration, do func()) *rest {
	r := &rest{after: after}
	r.timer = time.AfterFunc(after, func() {
		if r.working.Load() == 0 {
			do()
		}
	})
	return r
}

// begin notes that a request has come, end that one has been answered, and stop that the server ends.
func (r *rest) begin() { r.working.Add(1) }

func (r *rest) end() {
	if r.working.Add(-1) == 0 {
		r.timer.Reset(r.after)
	}
}

func (r *rest) stop() { r.timer.Stop() }

// giveBack collects what nobody needs and gives it back, with what pools keep for those who come next: that takes two collections.
func giveBack() {
	runtime.GC()
	debug.FreeOSMemory()
}
