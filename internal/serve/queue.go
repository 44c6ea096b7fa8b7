package serve

import (
	"context"
	"slices"
	"sync"
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

// queue holds the jobs that wait for a model, behind its door.
type queue struct {
	*door
	mu      sync.Mutex
	some    sync.Cond
	waiting []*job
	widest  int // pictures of a batch
	closed  bool
}

func newQueue(places, workers int, maxWait time.Duration) *queue {
	q := &queue{door: newDoor(places, workers, maxWait), widest: maxBatch}
	q.some.L = &q.mu
	return q
}

const (
	maxBatch  = 8  // pictures that are encoded in one pass, if a runner has so many threads
	maxShared = 64 // jobs of one batch
)

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
// than widest pictures, a runner's share of what waits, or so many pixels in the batch; nil when the queue has closed.
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
	most := min((len(q.waiting)+q.workers-1)/q.workers, q.widest)
	batch, rest := []*job{first}, q.waiting[:0]
	var keys []picture
	if first.pic != nil {
		keys = append(keys, *first.pic)
		pixels -= first.pic.pixels
	}
	for _, j := range q.waiting[1:] {
		if len(batch) == maxShared || !joins(&keys, most, &pixels, j) {
			rest = append(rest, j)
			continue
		}
		batch = append(batch, j)
	}
	clear(q.waiting[len(rest):])
	q.waiting = rest
	return batch
}

// joins reports that a job may come along with the pictures of a batch, of which there are at most so many. Texts come along with nothing: they are short, and
// would wait for the pictures.
func joins(pictures *[]picture, most int, pixels *int64, j *job) bool {
	if len(*pictures) == 0 || j.pic == nil {
		return false
	}
	if slices.ContainsFunc(*pictures, func(p picture) bool { return p.key == j.pic.key }) {
		return true
	}
	if len(*pictures) >= most || j.pic.pixels > *pixels {
		return false
	}
	*pictures = append(*pictures, *j.pic)
	*pixels -= j.pic.pixels
	return true
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
