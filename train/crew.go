package train

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// crew runs independent jobs on a fixed number of goroutines. The goroutines live for one run only, so that nobody has to
// close a crew; their bodies are made once, so that a run allocates nothing.
//
// kernel.Pool spins while it waits, which is right between the products of one forward pass; jobs here last milliseconds
// to seconds, and a waiting goroutine must leave its core to the data readers.
type crew struct {
	bodies []func()
	job    func(worker, i int)
	n      int64
	next   atomic.Int64
	wg     sync.WaitGroup
	mu     sync.Mutex
	failed *jobPanic
}

// jobPanic is a panic inside a job, with the stack of the goroutine that it ended.
type jobPanic struct {
	job   int
	value any
	stack []byte
}

func (p *jobPanic) Error() string { return fmt.Sprint(p.value) }

func newCrew(size int) *crew {
	c := &crew{}
	for worker := range max(size, 1) {
		c.bodies = append(c.bodies, func() {
			defer c.wg.Done()
			c.work(worker)
		})
	}
	return c
}

// run calls job(worker, 0) … job(worker, n−1), each once, and returns when all are done. worker < size identifies the
// goroutine, for scratch memory. The panic of the lowest job that had one is returned. Keep job in a field: a method value
// made at the call would allocate.
func (c *crew) run(n int, job func(worker, i int)) *jobPanic {
	c.job, c.n, c.failed = job, int64(n), nil
	c.next.Store(0)
	helpers := min(len(c.bodies), n) - 1
	for i := 1; i <= helpers; i++ {
		c.wg.Add(1)
		go c.bodies[i]()
	}
	c.work(0)
	c.wg.Wait()
	c.job = nil
	return c.failed
}

func (c *crew) work(worker int) {
	for {
		i := c.next.Add(1) - 1
		if i >= c.n {
			return
		}
		c.guard(worker, int(i))
	}
}

func (c *crew) guard(worker, i int) {
	defer func() {
		if v := recover(); v != nil {
			c.mu.Lock()
			if c.failed == nil || i < c.failed.job {
				c.failed = &jobPanic{i, v, debug.Stack()}
			}
			c.mu.Unlock()
		}
	}()
	c.job(worker, i)
}

// must is run for jobs that only fail by a bug: their panic goes on in the caller.
func (c *crew) must(n int, job func(worker, i int)) {
	if p := c.run(n, job); p != nil {
		panic(p.value)
	}
}
