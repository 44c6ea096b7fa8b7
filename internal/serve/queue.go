package serve

import (
	"context"
	"math"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"fovea"
)

// job is one picture of a request, or a text without one, on its way through a model's queue.
type job struct {
	ctx  context.Context
	pic  *picture // nil: run needs none
	run  func(ctx context.Context, e *fovea.Encoded) error
	took func(encoding time.Duration) // called before run with what encoding the picture cost this job
	err  error
	done chan struct{}
	at   time.Time
}

// queue holds the jobs that wait for a model. Requests take one of a bounded number of places before they add jobs, so
// that a full queue is noticed at once, whatever the jobs cost.
type queue struct {
	places  int
	workers int

	taken atomic.Int64 // places
	mean  atomic.Int64 // nanoseconds a job takes, a moving average

	mu      sync.Mutex
	some    sync.Cond
	waiting []*job
	closed  bool
}

func newQueue(places, workers int) *queue {
	q := &queue{places: places, workers: workers}
	q.some.L = &q.mu
	return q
}

// maxBatch bounds the jobs that share one look at a picture.
const maxBatch = 16

// full reports that enter would fail.
func (q *queue) full() bool { return q.taken.Load() >= int64(q.places) }

// enter takes a place, or says when to come back; leave gives it back.
func (q *queue) enter() error {
	if q.taken.Add(1) > int64(q.places) {
		q.taken.Add(-1)
		return q.overloaded()
	}
	return nil
}

func (q *queue) leave() { q.taken.Add(-1) }

// overloaded asks the client to come back when about half of the places will have been served.
func (q *queue) overloaded() error {
	wait := time.Duration(q.mean.Load()) * time.Duration(q.places) / time.Duration(2*q.workers)
	return &fault{status: http.StatusTooManyRequests, code: "server.busy", message: "the server is busy; try again later", retry: min(max(wait, 100*time.Millisecond), 30*time.Second)}
}

// do waits until a worker has done the job, or its context ends.
func (q *queue) do(j *job) error {
	j.done, j.at = make(chan struct{}), time.Now()
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return draining()
	}
	q.waiting = append(q.waiting, j)
	q.mu.Unlock()
	q.some.Signal()
	select {
	case <-j.done:
		return j.err
	case <-j.ctx.Done():
		q.mu.Lock()
		i := slices.Index(q.waiting, j)
		if i >= 0 {
			q.waiting = slices.Delete(q.waiting, i, i+1)
		}
		q.mu.Unlock()
		if i < 0 {
			<-j.done // a worker has it, and will drop it at the next word
		}
		return j.ctx.Err()
	}
}

// next waits for the first job and takes with it those that wait for the same picture; nil when the queue has closed.
func (q *queue) next() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 {
		if q.closed {
			return nil
		}
		q.some.Wait()
	}
	first := q.waiting[0]
	batch, rest := []*job{first}, q.waiting[:0]
	for _, j := range q.waiting[1:] {
		if first.pic != nil && j.pic != nil && j.pic.key == first.pic.key && len(batch) < maxBatch {
			batch = append(batch, j)
		} else {
			rest = append(rest, j)
		}
	}
	clear(q.waiting[len(rest):])
	q.waiting = rest
	return batch
}

// took remembers how long a job kept a worker.
func (q *queue) took(d time.Duration) {
	const weight = .1
	old := float64(q.mean.Load())
	if old == 0 {
		old = float64(d)
	}
	q.mean.Store(int64(math.Round(old + weight*(float64(d)-old))))
}

// close lets the workers end when nothing waits any more.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.some.Broadcast()
}

// length is how many jobs wait.
func (q *queue) length() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}
