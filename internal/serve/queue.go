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

// queue holds the jobs that wait for a model, and decides which requests are let in.
//
// A request takes a place before it adds its jobs. There is a bounded number of places, so a burst of requests waits, and a
// flood is turned away at once. While requests are being turned away the queue is strained, and then a long queue helps nobody:
// the model is no faster for it, and everyone who is let in waits for its whole length. So a strained queue lets in only those
// who are expected to wait less than an answer takes, until nobody had to be turned away for a while (a queue that absorbs
// bursts but does not stand: Nichols and Jacobson, "Controlling queue delay", 2012). With maxWait, nobody is let in who is
// expected to wait longer than that, strained or not.
type queue struct {
	places  int
	workers int           // requests that the model answers at the same time
	maxWait time.Duration // 0: none
	now     func() time.Time

	taken atomic.Int64 // places

	mu       sync.Mutex
	some     sync.Cond
	waiting  []*job
	pending  int            // pictures of the requests that were let in
	working  map[int]atWork // batches that have a runner
	batches  int
	cost     time.Duration // of a picture with a runner, a moving average
	strained time.Time     // until then
	closed   bool
}

// atWork is a batch that has a runner.
type atWork struct {
	since time.Time
	jobs  int
}

func newQueue(places, workers int, maxWait time.Duration) *queue {
	q := &queue{places: places, workers: workers, maxWait: maxWait, now: time.Now, working: map[int]atWork{}}
	q.some.L = &q.mu
	return q
}

const (
	maxBatch  = 8               // pictures that are encoded in one pass
	maxShared = 64              // jobs of one batch
	calm      = 5 * time.Second // without anybody turned away
	patience  = .75             // of the cost of an answer, in a strained queue
)

// full reports that enter would fail, and counts as an attempt.
func (q *queue) full() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.refuses(q.now())
}

// enter takes a place for a request of so many pictures, or says when to come back; leave gives it back.
func (q *queue) enter(pictures int) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.refuses(q.now()) {
		return q.overloaded()
	}
	q.taken.Add(1)
	q.pending += pictures
	return nil
}

func (q *queue) leave(pictures int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.taken.Add(-1)
	q.pending -= pictures
}

// refuses decides whether the next request is turned away.
func (q *queue) refuses(now time.Time) bool {
	wait := q.expected(now)
	if q.maxWait > 0 && wait > q.maxWait {
		return true
	}
	if q.taken.Load() >= int64(q.places) || now.Before(q.strained) && float64(wait) > patience*float64(q.cost) {
		q.strained = now.Add(calm)
		return true
	}
	return false
}

// expected is how long the next request will wait for a runner: what is left to do, shared among the runners.
func (q *queue) expected(now time.Time) time.Duration {
	if q.pending < q.workers {
		return 0
	}
	left := time.Duration(q.pending) * q.cost
	for _, b := range q.working {
		left -= min(now.Sub(b.since), time.Duration(b.jobs)*q.cost)
	}
	return max(left, 0) / time.Duration(q.workers)
}

// wait is expected for those who only look.
func (q *queue) wait() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.expected(q.now())
}

// retryAfter bounds when clients are asked to come back.
const (
	soonest = 100 * time.Millisecond
	latest  = 30 * time.Second
)

// overloaded asks the client to come back when about half of the places will have been served.
func (q *queue) overloaded() error {
	wait := q.cost * time.Duration(q.places) / time.Duration(2*q.workers)
	return &fault{status: http.StatusTooManyRequests, code: "server.busy", message: "the server is busy; try again later", retry: min(max(wait, soonest), latest)}
}

// busy is overloaded for those who have not asked for a place.
func (q *queue) busy() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.overloaded()
}

// add puts a job behind those that wait.
func (q *queue) add(j *job) error {
	j.done, j.at = make(chan struct{}), q.now()
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return draining()
	}
	q.waiting = append(q.waiting, j)
	q.some.Signal()
	return nil
}

// drop takes back a job whose context has ended. When a worker has it already, that is waited for: it stops at the next word.
func (q *queue) drop(j *job) {
	q.mu.Lock()
	i := slices.Index(q.waiting, j)
	if i >= 0 {
		q.waiting = slices.Delete(q.waiting, i, i+1)
	}
	q.mu.Unlock()
	if i < 0 {
		<-j.done
	}
}

// do adds a job and waits until a worker has done it, or its context ends.
func (q *queue) do(j *job) error {
	if err := q.add(j); err != nil {
		return err
	}
	select {
	case <-j.done:
		return j.err
	case <-j.ctx.Done():
		q.drop(j)
		return j.ctx.Err()
	}
}

// next waits for the first job and takes with it those that wait for the same picture, and others while there are no more
// than maxBatch pictures, nor more than so many pixels, in the batch; nil when the queue has closed.
func (q *queue) next(pixels int64) []*job {
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
	var keys []picture
	if first.pic != nil {
		keys = append(keys, *first.pic)
		pixels -= first.pic.pixels
	}
	for _, j := range q.waiting[1:] {
		if len(batch) == maxShared || !joins(&keys, &pixels, j) {
			rest = append(rest, j)
			continue
		}
		batch = append(batch, j)
	}
	clear(q.waiting[len(rest):])
	q.waiting = rest
	return batch
}

// joins reports that a job may come along with the pictures of a batch. Texts come along with nothing: they are short, and
// would wait for the pictures.
func joins(pictures *[]picture, pixels *int64, j *job) bool {
	if len(*pictures) == 0 || j.pic == nil {
		return false
	}
	if slices.ContainsFunc(*pictures, func(p picture) bool { return p.key == j.pic.key }) {
		return true
	}
	if len(*pictures) == maxBatch || j.pic.pixels > *pixels {
		return false
	}
	*pictures = append(*pictures, *j.pic)
	*pixels -= j.pic.pixels
	return true
}

// begin notes that a batch has a runner; the function that it returns notes that the runner is free again, and what the batch
// has cost.
func (q *queue) begin(jobs []*job) (end func()) {
	start := q.now()
	q.mu.Lock()
	q.batches++
	id := q.batches
	q.working[id] = atWork{start, len(jobs)}
	q.mu.Unlock()
	return func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		delete(q.working, id)
		if jobs[0].pic != nil {
			q.learn(q.now().Sub(start) / time.Duration(len(jobs)))
		}
	}
}

// learn takes a picture's cost into the average.
func (q *queue) learn(d time.Duration) {
	const weight = .1
	if q.cost == 0 {
		q.cost = d
	}
	q.cost += time.Duration(math.Round(weight * float64(d-q.cost)))
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
