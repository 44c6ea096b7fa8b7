package serve

import (
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
// with others, and with a flood, are slower than one alone, so both costs are learnt, and what the load takes is no longer there for waiting.
// Where many are at the door it is later still that the next one comes in (crowd.go).
// Others stay at the door for a moment, most of them before their bodies are read: when a runner is done the door rings for the first of
// them who may come in now, and nobody has to look again and again. The others are told when to come back, not before the
// moment is over, as those who ask again at once cost those who are answered. With maxWait, this is the longest wait at all times instead.
type door struct {
	places  int
	workers int           // requests that the model answers at the same time
	maxWait time.Duration // 0: see above
	now     func() time.Time
	after   func(time.Duration, func()) // does something later

	mu       sync.Mutex
	taken    int // places
	pending  int // pictures of the requests that were let in, each once, until a runner is done with it
	asked    map[[sha256.Size]byte]interest
	knocking []*knocker       // at the door, the first that came first
	working  map[*atWork]bool // batches that have a runner
	cost     time.Duration    // of a picture with a runner, a moving average
	idle     time.Duration    // that of a picture while no other was at work
	decoding time.Duration    // of the pictures of a batch, a moving average
	long     time.Time        // the wait has been long since then; zero: it is short
	strained time.Time        // until then
	turn     time.Time        // for which the one who was turned away last was told to come back
	alarm    time.Time        // when the door looks again whether to ring
}

// interest is in a picture that was let in.
type interest struct {
	requests int
	begun    bool // by a runner: nobody can take it back
	done     bool // further questions cost little
}

// atWork is a batch that has a runner.
type atWork struct {
	since    time.Time
	pictures int
	begun    []*picture // those that no other has
	pending  int        // how many of those that are pending it has
	alone    bool       // no other was at work so far
}

func newDoor(places, workers int, maxWait time.Duration) *door {
	return &door{places: places, workers: workers, maxWait: maxWait, now: time.Now,
		after: func(d time.Duration, do func()) { time.AfterFunc(d, do) }, asked: map[[sha256.Size]byte]interest{}, working: map[*atWork]bool{}}
}

const (
	promise  = 2                     // times what an idle server takes is what those take at most who are let in under strain
	spread   = .3                    // of an answer's cost, by which answers and forecasts differ; half of that for those who need not wait, and rest on one answer alone
	slowest  = 1.5                   // times as long an answer takes beside others, at most; more is another kind of request
	burst    = 1.                    // times an answer's cost is the longest wait
	standing = 2                     // times that cost a long wait is a burst's
	calm     = 5 * time.Second       // without anybody turned away ends a strain
	nearly   = 10 * time.Millisecond // within which the door may ring, though an answer will not be there in time

	// Those who are turned away have stood at the door for some time, each for another: clients that come back at once would come in
	// crowds otherwise, where all are as old, and there would be nobody to let in who has only just come. 50 ms are promised.
	holdLeast = 30 * time.Millisecond
	holdMost  = 38 * time.Millisecond

	soonest = time.Second // that clients are asked to come back; sooner, they would meet those who were let in instead
	latest  = 30 * time.Second
)

// verdict is what a door says to a request.
type verdict int

const (
	comesIn verdict = iota
	waitsOn
	goesAway
)

// judge is the verdict on a request that has been held for so long. If it waits on, that is for some time at most, unless the door rings:
// while nobody is done the wait becomes shorter only as the time at the door becomes longer.
func (d *door) judge(k *knocker, now time.Time, held time.Duration) (in verdict, again time.Duration) {
	wait := d.expected(now)
	switch burst := d.burst(); {
	case d.letsIn(now, wait, held):
		return comesIn, 0
	case held >= k.most:
		return goesAway, 0
	case d.maxWait == 0 && wait > burst && !d.isLong(now):
		return waitsOn, min(k.most-held, wait-burst)
	}
	return waitsOn, k.most - held
}

// look is the verdict on a request that has no place.
func (d *door) look(k *knocker, held time.Duration) (in verdict, again time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.remove(k)
	if d.taken >= d.places {
		return goesAway, 0
	}
	if in, again = d.judge(k, d.now(), held); in == waitsOn {
		d.stay(k)
	}
	return in, again
}

// turnAway is the answer to a request that has no place and gets none.
func (d *door) turnAway() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.refuse(d.now())
}

// letsIn decides about a request that has been at the door for so long, when the next one will wait as expected, and notes since when that
// is long.
func (d *door) letsIn(now time.Time, wait, age time.Duration) bool {
	switch {
	case wait <= d.short():
		d.long = time.Time{}
	case d.long.IsZero():
		d.long = now
	}
	return d.fits(now, wait, age)
}

// fits is letsIn for those who only look.
func (d *door) fits(now time.Time, wait, age time.Duration) bool {
	switch inTime := age <= max(d.within(promise-spread/2), nearly); {
	case d.maxWait > 0:
		return wait+age <= d.maxWait
	case d.isLong(now):
		return wait <= d.most() && wait+age <= d.short() || wait == 0 && inTime
	default:
		return wait <= d.burst() && inTime
	}
}

// isLong reports that the door is strained, or that the wait has been long for too long.
func (d *door) isLong(now time.Time) bool {
	return now.Before(d.strained) || !d.long.IsZero() && now.Sub(d.long) > standing*d.cost
}

// burst is how long those who come may wait unless that is so for long.
func (d *door) burst() time.Duration { return time.Duration(burst * float64(d.cost)) }

// short is the longest wait after which an answer is still there in time.
func (d *door) short() time.Duration { return d.within(promise - spread) }

// within is the longest wait after which an answer takes, all in all, so many times what it takes on an idle server.
func (d *door) within(times float64) time.Duration {
	idle := min(max(d.idle, time.Duration(float64(d.cost)/slowest)), d.cost) // it may have been long ago
	return max(time.Duration(times*float64(idle))-d.cost, 0)
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
	d.ring()
}

// count notes that a request about a picture has come (1) or left (-1). One that a runner has is pending until the runner is done with it,
// whether or not anybody waits for it: the runner is not free before.
func (d *door) count(p *picture, change int) {
	if p == nil {
		d.pending += change
		return
	}
	of, had := d.asked[p.key]
	of.requests += change
	if !had || of.requests == 0 && !of.begun {
		d.pending += change * p.count()
	}
	d.keep(p, of)
}

// keep notes the interest in a picture, as long as there is any.
func (d *door) keep(p *picture, of interest) {
	if d.asked[p.key] = of; of.requests == 0 && of.begun == of.done {
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
		if waiting -= b.pending; b.pending > 0 {
			free = append(free, max(time.Duration(b.pending)*d.cost-now.Sub(b.since), d.cost/20))
		}
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
	for _, j := range jobs {
		d.start(b, j.pic)
	}
	d.working[b] = true
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.working, b)
		for _, p := range b.begun {
			d.finish(p)
		}
		if jobs[0].pic != nil {
			d.learn(d.now().Sub(b.since)/time.Duration(b.pictures), b.alone)
		}
		d.ring()
	}
}

// start notes that a batch with a runner has a picture, or work without one.
func (d *door) start(b *atWork, p *picture) {
	if p == nil {
		b.pending++
		return
	}
	of, ok := d.asked[p.key]
	if of.begun {
		return // another has it, or had
	}
	if !ok { // those who asked have gone
		d.pending += p.count()
	}
	of.begun = true
	d.asked[p.key] = of
	b.begun, b.pending = append(b.begun, p), b.pending+p.count()
}

// finish notes that a runner is done with a picture: who comes next need not wait until its answer has been sent.
func (d *door) finish(p *picture) {
	of := d.asked[p.key]
	of.done = true
	d.pending -= p.count()
	d.keep(p, of)
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
