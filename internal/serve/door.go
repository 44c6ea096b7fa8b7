package serve

import (
	"context"
	"crypto/sha256"
	"math"
	"net/http"
	"slices"
	"sync"
	"time"
)

// door decides which requests a model's queue lets in.
//
// There is a bounded number of places, at the door and behind it: a small burst of requests waits, and a flood is turned away at once.
// But a queue that stays long helps nobody: the model is no faster for it, and everyone waits for its whole length. So when the
// wait has been long for a while the door is strained, and lets in only those who need not wait long, until nobody had to be
// turned away for a while (a queue that absorbs bursts but does not stand: Nichols and Jacobson, "Controlling queue delay",
// 2012). Not long means: the answer is to be there within twice the time of an idle server. Runners that share memory and processors
// with others, and with a flood, are slower than one alone, so both costs are learnt, and what the load takes is no longer there for waiting. Others stay at the door for a moment, most of them before their bodies are read, as the wait may become short, and are then told when to come back. That moment
// also slows down clients that ask again at once. With maxWait, this is the longest wait at all times instead.
type door struct {
	places  int
	workers int           // requests that the model answers at the same time
	maxWait time.Duration // 0: see above
	now     func() time.Time

	mu       sync.Mutex
	taken    int // places
	pending  int // pictures of the requests that were let in, each once, until a runner is done with it
	asked    map[[sha256.Size]byte]interest
	working  map[*atWork]bool // batches that have a runner
	cost     time.Duration    // of a picture with a runner, a moving average
	idle     time.Duration    // that of a picture while no other was at work
	long     time.Time        // the wait has been long since then; zero: it is short
	strained time.Time        // until then
	turn     time.Time        // for which the one who was turned away last was told to come back
}

// interest is in a picture that was let in.
type interest struct {
	requests int
	done     bool // by a runner; further questions cost little
}

// atWork is a batch that has a runner.
type atWork struct {
	since    time.Time
	pictures int
	alone    bool // no other was at work so far
}

func newDoor(places, workers int, maxWait time.Duration) *door {
	return &door{places: places, workers: workers, maxWait: maxWait, now: time.Now, asked: map[[sha256.Size]byte]interest{}, working: map[*atWork]bool{}}
}

const (
	promise   = 2                     // times what an idle server takes is what those take at most who are let in under strain
	spread    = .2                    // of an answer's cost, by which answers and forecasts differ
	slowest   = 1.5                   // times as long an answer takes beside others, at most; more is another kind of request
	burst     = 1.                    // times an answer's cost is the longest wait
	standing  = 2                     // times that cost a long wait is a burst's
	calm      = 5 * time.Second       // without anybody turned away ends a strain
	holdMost  = 30 * time.Millisecond // at the door
	holdLeast = 10 * time.Millisecond // likewise: sooner, a flood would only come back sooner
	knocks    = 5 * time.Millisecond  // apart

	soonest = time.Second // that clients are asked to come back; sooner, they would meet those who were let in instead
	latest  = 30 * time.Second
)

// visit is what a request has spent at doors. Its context carries it from one to the next, so that it is held once.
type visit struct{ held time.Duration }

type visitKey struct{}

func withVisit(ctx context.Context) context.Context {
	return context.WithValue(ctx, visitKey{}, &visit{})
}

// visitOf is the visit of a request, or a new one.
func visitOf(ctx context.Context) *visit {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		return v
	}
	return &visit{}
}

// again waits until the next knock.
func (v *visit) again(ctx context.Context) error {
	select {
	case <-time.After(knocks):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outside waits before several doors, without a place, until one of them would let a request in: which of them it wants is not known
// before its body has been read, and a body that need not be read costs nothing.
func outside(ctx context.Context, doors []*door) error {
	v := visitOf(ctx)
	for start, before := time.Now(), v.held; ; v.held = before + time.Since(start) {
		last, waits := (*door)(nil), false
		for _, d := range doors {
			switch d.look(v.held) {
			case comesIn:
				return nil
			case waitsOn:
				waits = true
			case goesAway:
				last = d
			}
		}
		if !waits && last != nil {
			return last.turnAway()
		}
		if err := v.again(ctx); err != nil {
			return err
		}
	}
}

// enter takes a place for a request about some pictures, of which nil stands for work without one, or says when to come back;
// leave gives it back. A picture that others ask about already costs nothing more.
func (d *door) enter(ctx context.Context, pictures ...*picture) error {
	v := visitOf(ctx)
	came, err := d.come()
	came = came.Add(-v.held)
	for err == nil {
		var in bool
		if in, err = d.knock(came, pictures...); in {
			break
		}
		if err == nil {
			if err = v.again(ctx); err != nil {
				d.leave()
			}
		}
	}
	return err
}

// come takes a place at the door.
func (d *door) come() (came time.Time, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if came = d.now(); d.taken >= d.places {
		return came, d.refuse(came)
	}
	d.taken++
	return came, nil
}

// knock lets a request in that came then, turns it away, or does neither: it may knock again.
func (d *door) knock(came time.Time, pictures ...*picture) (in bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.now()
	switch d.judge(now, now.Sub(came)) {
	case comesIn:
		for _, p := range pictures {
			d.count(p, 1)
		}
		return true, nil
	case goesAway:
		d.taken--
		return false, d.refuse(now)
	}
	return false, nil
}

// verdict is what a door says to a request.
type verdict int

const (
	comesIn verdict = iota
	waitsOn
	goesAway
)

// judge is the verdict on a request that has been held for so long.
func (d *door) judge(now time.Time, held time.Duration) verdict {
	switch {
	case d.letsIn(now, held):
		return comesIn
	case held >= min(max(d.short(), holdLeast), holdMost):
		return goesAway
	}
	return waitsOn
}

// look is the verdict on a request that has no place.
func (d *door) look(held time.Duration) verdict {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.taken >= d.places {
		return goesAway
	}
	return d.judge(d.now(), held)
}

// turnAway is the answer to a request that has no place and gets none.
func (d *door) turnAway() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refuse(d.now())
}

// letsIn decides about the next request, which has been at the door for so long.
func (d *door) letsIn(now time.Time, age time.Duration) bool {
	wait, short := d.expected(now), d.short()
	switch {
	case wait <= short:
		d.long = time.Time{}
	case d.long.IsZero():
		d.long = now
	}
	switch {
	case d.maxWait > 0:
		return wait+age <= d.maxWait
	case now.Before(d.strained) || !d.long.IsZero() && now.Sub(d.long) > standing*d.cost:
		return wait == 0 || wait+age <= short
	}
	return wait <= time.Duration(burst*float64(d.cost))
}

// short is the longest wait after which an answer is still there in time.
func (d *door) short() time.Duration {
	idle := min(max(d.idle, time.Duration(float64(d.cost)/slowest)), d.cost) // it may have been long ago
	return max(time.Duration((promise-spread)*float64(idle))-d.cost, 0)
}

// refuse is the answer to a request that is turned away. Those who are told to come back are told different times, as far
// apart as answers are, over the time that all places take twice.
func (d *door) refuse(now time.Time) error {
	d.strained = now.Add(calm)
	each := d.cost / time.Duration(d.workers)
	first := now.Add(min(max(d.expected(now), soonest), latest))
	if d.turn = d.turn.Add(each); d.turn.Before(first) || d.turn.After(first.Add(2*each*time.Duration(d.places))) {
		d.turn = first
	}
	return &fault{status: http.StatusTooManyRequests, code: "server.busy", message: "the server is busy; try again later", retry: d.turn.Sub(now)}
}

// leave gives back the place of a request about some pictures, of none if it was not let in.
func (d *door) leave(pictures ...*picture) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken--
	for _, p := range pictures {
		d.count(p, -1)
	}
}

// count notes that a request about a picture has come (1) or left (-1).
func (d *door) count(p *picture, change int) {
	if p == nil {
		d.pending += change
		return
	}
	of, had := d.asked[p.key]
	of.requests += change
	if !had || of.requests == 0 && !of.done {
		d.pending += change * p.count()
	}
	if d.asked[p.key] = of; of.requests == 0 {
		delete(d.asked, p.key)
	}
}

// occupied is how many places are taken.
func (d *door) occupied() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.taken
}

// expected is how long the next request will wait for a runner: those that wait get the runners in turn, as these are done with what they
// are at. One that has taken longer than usual is about to be.
func (d *door) expected(now time.Time) time.Duration {
	if d.pending < d.workers {
		return 0
	}
	free, waiting := make([]time.Duration, 0, d.workers), d.pending
	for b := range d.working {
		free = append(free, max(time.Duration(b.pictures)*d.cost-now.Sub(b.since), d.cost/20))
		waiting -= b.pictures
	}
	for len(free) < d.workers {
		free = append(free, 0)
	}
	for slices.Sort(free); waiting > 0; waiting-- {
		at, _ := slices.BinarySearch(free[1:], free[0]+d.cost)
		first := free[0]
		copy(free, free[1:at+1])
		free[at] = first + d.cost
	}
	return free[0]
}

// wait is expected for those who only look.
func (d *door) wait() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.expected(d.now())
}

// isStrained is for those who only look, too.
func (d *door) isStrained() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now().Before(d.strained)
}

// begin notes that a batch has a runner; the function that it returns notes that the runner is free again, and what the batch
// has cost.
func (d *door) begin(jobs []*job) (end func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	b := &atWork{since: d.now(), pictures: distinct(jobs), alone: len(d.working) == 0}
	for other := range d.working {
		other.alone = false
	}
	d.working[b] = true
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.working, b)
		for _, j := range jobs {
			d.finish(j.pic)
		}
		if jobs[0].pic != nil {
			d.learn(d.now().Sub(b.since)/time.Duration(b.pictures), b.alone)
		}
	}
}

// finish notes that a runner is done with a picture: who comes next need not wait until its answer has been sent.
func (d *door) finish(p *picture) {
	if p == nil {
		return
	}
	if of, ok := d.asked[p.key]; ok && !of.done {
		of.done = true
		d.asked[p.key] = of
		d.pending -= p.count()
	}
}

// distinct is the number of pictures that jobs ask about, or 1.
func distinct(jobs []*job) (n int) {
	seen := map[[sha256.Size]byte]bool{}
	for _, j := range jobs {
		if j.pic != nil && !seen[j.pic.key] {
			seen[j.pic.key] = true
			n += j.pic.count()
		}
	}
	return max(n, 1)
}

// learn takes a picture's cost into the averages.
func (d *door) learn(cost time.Duration, alone bool) {
	average(&d.cost, cost)
	if alone || d.idle == 0 {
		average(&d.idle, cost)
	}
}

func average(mean *time.Duration, next time.Duration) {
	const weight = .1
	if *mean == 0 {
		*mean = next
	}
	*mean += time.Duration(math.Round(weight * float64(next-*mean)))
}
