package serve

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// simulation drives a queue through hours in seconds, by a clock of its own: requests knock, runners answer them, and one worker
// more holds the next batch ready, as in the server.
type simulation struct {
	q       *queue
	now     time.Time
	service func() time.Duration // of one request
	slow    float64              // how much longer one takes that begins beside another
	picture time.Duration        // what decoding the pictures of a batch takes

	timers   []timer
	free     int // runners
	decoding bool
	ready    []*job // for the next that is free
	began    map[*job]*request
	latency  []time.Duration // of those who were let in, from when they came
	refusal  []time.Duration // of the others
	busy     time.Duration   // of all runners
	holds    int             // that hold has given
	keys     uint64
}

type timer struct {
	at time.Time
	do func()
}

// request is one try of a client; then is told what became of it: nil, or what it was refused with.
type request struct {
	came  time.Time
	then  func(error)
	pic   *picture // nil: one that nobody else asks about
	at    *knocker
	turns int // how often it has knocked
}

func simulate(places, workers int, maxWait time.Duration, service func() time.Duration) *simulation {
	s := &simulation{q: newQueue(places, workers, maxWait), now: time.Unix(0, 0), service: service, slow: 1, free: workers, began: map[*job]*request{}}
	s.q.after = s.after
	s.q.now = func() time.Time { return s.now }
	return s
}

func (s *simulation) after(d time.Duration, do func()) {
	s.timers = append(s.timers, timer{s.now.Add(d), do})
}

// run goes on for so long.
func (s *simulation) run(length time.Duration) {
	for end := s.now.Add(length); ; {
		first := -1
		for i, e := range s.timers {
			if first < 0 || e.at.Before(s.timers[first].at) {
				first = i
			}
		}
		if first < 0 || s.timers[first].at.After(end) {
			s.now = end
			return
		}
		e := s.timers[first]
		s.timers = slices.Delete(s.timers, first, first+1)
		s.now = e.at
		e.do()
	}
}

// ask lets a request come.
func (s *simulation) ask(then func(error)) {
	r := &request{came: s.now, then: then}
	if err := s.q.come(); err != nil {
		s.refuse(r, err)
		return
	}
	r.at = &knocker{came: s.now, most: s.hold(), ring: func() { s.knockAfter(r, 0) }}
	s.knock(r)
}

// hold is how long the next one may stand at the door: other times one after the other, evenly spread (golden ratio).
func (s *simulation) hold() time.Duration {
	s.holds++
	_, part := math.Modf(float64(s.holds) * math.Phi)
	return holdLeast + time.Duration(part*float64(holdMost-holdLeast))
}

// knockAfter lets a request knock unless it has done so by then.
func (s *simulation) knockAfter(r *request, d time.Duration) {
	turns := r.turns
	s.after(d, func() {
		if r.turns == turns {
			s.knock(r)
		}
	})
}

func (s *simulation) knock(r *request) {
	r.turns++
	if r.pic == nil {
		s.keys++
		r.pic = &picture{pixels: 1}
		binary.LittleEndian.PutUint64(r.pic.key[:], s.keys)
	}
	in, again, err := s.q.knock(r.at, r.pic)
	switch {
	case err != nil:
		s.refuse(r, err)
	case !in:
		s.knockAfter(r, again)
	default:
		j := &job{ctx: context.Background(), pic: r.pic}
		s.began[j] = r
		if err := s.q.add(j); err != nil {
			panic(err)
		}
		s.turn()
	}
}

func (s *simulation) refuse(r *request, err error) {
	s.refusal = append(s.refusal, s.now.Sub(r.came))
	r.then(err)
}

// turn lets a worker take what waits and a runner take what is ready.
func (s *simulation) turn() {
	for {
		if s.ready == nil && !s.decoding && s.q.length() > 0 {
			s.decode(s.q.next(1 << 30))
		}
		if s.free == 0 || s.ready == nil {
			return
		}
		jobs, end, took := s.ready, s.q.begin(s.ready), time.Duration(0)
		s.ready = nil
		s.free--
		for range jobs {
			took += s.service()
		}
		if s.free < s.q.workers-1 {
			took = time.Duration(s.slow * float64(took))
		}
		s.after(took, func() {
			end()
			s.free++
			s.busy += took
			for _, j := range jobs {
				r := s.began[j]
				delete(s.began, j)
				s.latency = append(s.latency, s.now.Sub(r.came))
				s.q.leave(r.pic)
				defer r.then(nil)
			}
			s.turn()
		})
	}
}

// decode makes a batch ready.
func (s *simulation) decode(jobs []*job) {
	if s.picture == 0 {
		s.ready = jobs
		return
	}
	s.decoding = true
	s.after(s.picture, func() {
		s.q.decoded(s.picture)
		s.ready, s.decoding = jobs, false
		s.turn()
	})
}

func percentile(d []time.Duration, p float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(int(p*float64(len(d))), len(d)-1)]
}

// burst lets so many requests come at once, sees what becomes of them within some time, and says how many were turned away.
func (s *simulation) burst(n int, then time.Duration) (refused int) {
	before := len(s.refusal)
	for range n {
		s.ask(func(error) {})
	}
	s.run(then)
	return len(s.refusal) - before
}

const mean = 30 * time.Millisecond

// varying are services of the mean, a fifth more or less.
func varying(rng *rand.Rand) func() time.Duration {
	return func() time.Duration { return time.Duration(float64(mean) * (.8 + .4*rng.Float64())) }
}

// alone is the 99th percentile of requests one after the other.
func alone(service func() time.Duration) time.Duration {
	var all []time.Duration
	for range 1000 {
		all = append(all, service())
	}
	return percentile(all, .99)
}

// Whatever comes, those who are let in have their answers within twice the time of an idle server, all but one of a hundred; who
// is turned away knows at once; and while too much comes the runners are busy.
func TestOverloadInTheory(t *testing.T) {
	const length, workers = 60 * time.Second, 2
	for _, c := range [][2]float64{{.2, 1}, {.5, 1}, {.8, 1}, {1, 1}, {2, 1}, {10, 1}, {.5, 1.3}, {1, 1.3}, {10, 1.3}} {
		load, slow := c[0], c[1]
		rng := rand.New(rand.NewPCG(7, 7))
		s := simulate(16+workers, workers, 0, varying(rng))
		s.slow, s.picture = slow, 3*time.Millisecond
		most := 2 * alone(s.service)
		var arrive func()
		arrive = func() {
			s.ask(func(error) {})
			s.after(time.Duration(rng.ExpFloat64()*float64(mean)/load/workers), arrive)
		}
		s.after(0, arrive)
		s.run(length)
		used := s.busy.Seconds() / length.Seconds() / workers
		p99 := percentile(s.latency, .99)
		t.Logf("load %g, beside others %g times as long: %d answered, p50 %v, p99 %v; %d refused, p99 %v; %.0f %% busy", load, slow, len(s.latency), percentile(s.latency, .5), p99, len(s.refusal), percentile(s.refusal, .99), 100*used)
		switch {
		case load < .5 && len(s.refusal) > 0:
			t.Errorf("load %g: %d were refused", load, len(s.refusal))
		case p99 > most:
			t.Errorf("load %g: the 99th percentile is %v, twice that of answers alone is %v", load, p99, most)
		case percentile(s.refusal, 1) >= 50*time.Millisecond:
			t.Errorf("load %g: somebody was refused after %v", load, percentile(s.refusal, 1))
		case load >= 2 && used < .95, load == 1 && used < .75:
			t.Errorf("load %g: the runners were busy for %.0f %% only", load, 100*used)
		}
	}
}

// Clients that ask again when they have an answer keep the runners busy, whether they come back at once when they are turned
// away, when they are told to, or, for want of a finer clock, a second later.
func TestManyClients(t *testing.T) {
	const length, workers, clients = 60 * time.Second, 2, 16
	for name, back := range map[string]func(told time.Duration) time.Duration{
		"at once":        func(time.Duration) time.Duration { return 200 * time.Microsecond },
		"when told":      func(told time.Duration) time.Duration { return told },
		"after a second": func(time.Duration) time.Duration { return time.Second },
	} {
		s := simulate(16+workers, workers, 0, varying(rand.New(rand.NewPCG(7, 7))))
		tries, most := map[int]int{}, 2*alone(s.service)
		for range clients {
			tried := 0
			var then func(err error)
			then = func(err error) {
				tried++
				var f *fault
				if errors.As(err, &f) {
					s.after(back(f.retry), func() { s.ask(then) })
					return
				}
				tries[min(tried, 4)]++
				tried = 0
				s.after(200*time.Microsecond, func() { s.ask(then) })
			}
			s.after(0, func() { s.ask(then) })
		}
		s.run(length)
		used := s.busy.Seconds() / length.Seconds() / workers
		t.Logf("%s: %d answered, p50 %v, p99 %v; %d refused; %.0f %% busy; by tries %v", name, len(s.latency), percentile(s.latency, .5), percentile(s.latency, .99), len(s.refusal), 100*used, tries)
		if used < .95 {
			t.Errorf("%s: the runners were busy for %.0f %% only", name, 100*used)
		}
		if p99 := percentile(s.latency, .99); p99 > most {
			t.Errorf("%s: the 99th percentile is %v, twice that of answers alone is %v", name, p99, most)
		}
	}
}

func steady() time.Duration { return 40 * time.Millisecond }

// A burst that fits is let in whole, and so is the next one, once a flood is over.
func TestBurst(t *testing.T) {
	s := simulate(18, 2, 0, steady)
	for _, step := range []struct {
		name              string
		arrivals, refused int
		then              time.Duration
	}{
		{"one", 1, 0, time.Second},     // it knows now what an answer costs
		{"a burst", 4, 0, time.Second}, // the last waits for three of two runners
		{"a flood", 30, 26, time.Second},
		{"a burst too soon", 9, 7, time.Second}, // two runners are free
		{"calm", 1, 0, calm},
		{"a burst", 4, 0, time.Second},
	} {
		if n := s.burst(step.arrivals, step.then); n != step.refused {
			t.Errorf("%s: %d of %d refused, want %d", step.name, n, step.arrivals, step.refused)
		}
	}
	if n, at := s.q.occupied(), len(s.q.knocking); n != 0 || at != 0 {
		t.Errorf("%d places are still taken, %d are at the door", n, at)
	}
}

// With a longest wait a queue may stand, up to that.
func TestMaxWait(t *testing.T) {
	s := simulate(100, 2, 100*time.Millisecond, steady)
	s.burst(1, time.Second) // it knows now what an answer costs
	for range 3 {
		if refused := s.burst(50, 10*time.Second); refused != 44 { // 6 × 40 ms for two runners are more than 100 ms
			t.Errorf("%d of 50 were refused", refused)
		}
	}
}

// Those who are turned away are told different times to come back, as far apart as answers are.
func TestComeBack(t *testing.T) {
	s := simulate(4, 2, 0, steady)
	s.burst(4, time.Second)
	var told []time.Duration
	for range 14 {
		s.ask(func(err error) {
			if f := (*fault)(nil); errors.As(err, &f) {
				told = append(told, f.retry)
			}
		})
	}
	want := []time.Duration{1000, 1020, 1040, 1060, 1080, 1100, 1120, 1140, 1160, 1000}
	for i := range want {
		want[i] *= time.Millisecond
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// Many questions about one picture are one picture's work, and nobody has to wait for them who asks about another.
func TestOnePictureManyQuestions(t *testing.T) {
	s := simulate(18, 2, 0, steady)
	s.burst(1, time.Second)
	s.q.strained = s.now.Add(calm)
	pic := &picture{pixels: 1, key: [32]byte{1}}
	for range 8 {
		if in, _, err := s.q.knock(&knocker{came: s.now, most: holdMost}, pic); !in || err != nil {
			t.Fatalf("a question was not let in: %v", err)
		}
	}
	if wait := s.q.wait(); wait != 0 {
		t.Errorf("the next would wait for %v", wait)
	}
	for range 8 {
		s.q.leave(pic)
	}
	if n := len(s.q.asked) + s.q.pending; n != 0 {
		t.Errorf("%d pictures stay", n)
	}
}
