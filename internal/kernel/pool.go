package kernel

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// Workers spin this many times for the next job before they park, which is some 20–40 µs: longer than the serial code
// between two large products of a forward pass, short enough to leave the core to others between passes. A hot worker starts
// within a microsecond, a parked one in 60 to 180.
const (
	workerSpins = 2000
	callerSpins = 20000
)

// Pool is a fork-join pool: Run splits one job over the caller and the pool's goroutines and waits for them. Starting a job
// allocates nothing. A nil *Pool runs everything on the caller.
type Pool struct {
	workers []*worker
	mu      sync.Mutex // held by the one Run that has the workers
	fn      func(i int)
	n       int32
	_       [64]byte // the counters below change all the time: keep them off the line that holds fn and n
	next    atomic.Int32
	_       [60]byte
	helpers atomic.Int32 // workers inside the job; less shut while there is no job
	_       [60]byte
	closed  atomic.Bool
}

type worker struct {
	seq    atomic.Uint32 // bumped by Run: there is a job
	parked atomic.Uint32 // 1 while the worker sleeps or is about to
	wake   chan struct{}
	_      [64]byte
}

// shut is added to helpers so that no worker can join.
const shut = -1 << 30

// NewPool returns a pool of n workers, the caller of Run included, but never more than GOMAXPROCS; n ≤ 0 means GOMAXPROCS.
// Close it to end its goroutines.
func NewPool(n int) *Pool {
	if m := runtime.GOMAXPROCS(0); n <= 0 || n > m {
		n = m
	}
	p := &Pool{}
	p.helpers.Store(shut)
	for range n - 1 {
		w := &worker{wake: make(chan struct{}, 1)}
		p.workers = append(p.workers, w)
		go p.loop(w)
	}
	return p
}

// Workers returns how many calls of fn Run makes at the same time.
func (p *Pool) Workers() int {
	if p == nil {
		return 1
	}
	return len(p.workers) + 1
}

// Run calls fn(0) … fn(n−1), each once, spread over the workers, and returns when all are done. Calls are handed out one
// by one, and a worker that has not woken up when none is left is not waited for, so that on a busy machine Run takes no
// longer than the caller alone. Keep fn in a variable or a field (a method value, say) so that calling Run allocates nothing.
// A Run that finds the workers busy with another one, or was called from inside fn, does its job alone.
func (p *Pool) Run(n int, fn func(i int)) {
	if p == nil || len(p.workers) == 0 || n <= 1 || p.closed.Load() || !p.mu.TryLock() {
		for i := range n {
			fn(i)
		}
		return
	}
	defer p.mu.Unlock()
	p.fn, p.n = fn, int32(n)
	p.next.Store(0)
	p.helpers.Store(0)
	for _, w := range p.workers[:min(len(p.workers), n-1)] {
		w.signal()
	}
	p.work()
	p.helpers.Add(shut)
	for i := 0; p.helpers.Load() != shut; i++ {
		pause()
		if i > callerSpins {
			runtime.Gosched()
		}
	}
	p.fn = nil
}

// Close ends the pool's goroutines. A Run after it does its job on the caller. Closing twice is allowed.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed.Swap(true) {
		return
	}
	for _, w := range p.workers {
		w.signal()
	}
}

func (p *Pool) work() {
	for {
		i := p.next.Add(1) - 1
		if i >= p.n {
			return
		}
		p.fn(int(i))
	}
}

func (w *worker) signal() {
	w.seq.Add(1)
	if w.parked.CompareAndSwap(1, 0) {
		w.wake <- struct{}{}
	}
}

func (p *Pool) loop(w *worker) {
	for seen := uint32(0); ; seen++ {
		w.wait(seen)
		if p.closed.Load() {
			return
		}
		if p.join() {
			p.work()
			p.helpers.Add(-1)
		}
	}
}

// join enters the current job, if there is one.
func (p *Pool) join() bool {
	for {
		n := p.helpers.Load()
		if n < 0 {
			return false
		}
		if p.helpers.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// wait returns once seq has moved on from seen. Whoever takes parked from 1 to 0 decides whether a wake-up is due: signal
// sends one if it did, and the worker then must receive it.
func (w *worker) wait(seen uint32) {
	for i := 0; w.seq.Load() == seen; i++ {
		if i < workerSpins {
			pause()
			continue
		}
		w.parked.Store(1)
		if w.seq.Load() == seen || !w.parked.CompareAndSwap(1, 0) {
			<-w.wake
		}
	}
}
