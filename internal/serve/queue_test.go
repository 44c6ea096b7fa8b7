package serve

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// simulation drives a queue through hours in milliseconds: requests come, a runner answers them, and a worker holds the next
// batch ready, as in the server.
type simulation struct {
	q       *queue
	now     time.Time
	service func() time.Duration

	running, ready []*job
	end            func()
	until          time.Time
	latency        []time.Duration // of those who were let in
	refused        int
	nextKey        uint64
}

func simulate(q *queue, service func() time.Duration) *simulation {
	s := &simulation{q: q, now: time.Unix(0, 0), service: service}
	q.now = func() time.Time { return s.now }
	return s
}

// arrive lets a request knock.
func (s *simulation) arrive() {
	if s.q.enter(1) != nil {
		s.refused++
		return
	}
	s.nextKey++
	p := &picture{pixels: 1}
	binary.LittleEndian.PutUint64(p.key[:], s.nextKey)
	if err := s.q.add(&job{ctx: context.Background(), pic: p}); err != nil {
		panic(err)
	}
	s.turn()
}

// turn lets the worker take what waits and the runner take what is ready.
func (s *simulation) turn() {
	for {
		if s.ready == nil && s.q.length() > 0 {
			s.ready = s.q.next(1 << 30)
		}
		if s.running != nil || s.ready == nil {
			return
		}
		s.running, s.ready, s.end = s.ready, nil, s.q.begin(s.ready)
		s.until = s.now
		for range s.running {
			s.until = s.until.Add(s.service())
		}
	}
}

// advance goes to a time, past the ends of what is at work.
func (s *simulation) advance(to time.Time) {
	for s.running != nil && !s.until.After(to) {
		s.now = s.until
		s.end()
		for _, j := range s.running {
			s.latency = append(s.latency, s.now.Sub(j.at))
			s.q.leave(1)
		}
		s.running = nil
		s.turn()
	}
	s.now = to
}

func percentile(d []time.Duration, p float64) time.Duration {
	d = slices.Clone(d)
	slices.Sort(d)
	return d[min(int(p*float64(len(d))), len(d)-1)]
}

// At ten times what the model can do, those who are let in wait for at most one other answer, and the model is never idle.
func TestOverloadInTheory(t *testing.T) {
	const mean = 40 * time.Millisecond
	for _, load := range []float64{.3, 2, 10} {
		rng := rand.New(rand.NewPCG(7, 7))
		service := func() time.Duration { return time.Duration(float64(mean) * (.8 + .4*rng.Float64())) }
		var alone []time.Duration
		for range 1000 {
			alone = append(alone, service())
		}
		s, most := simulate(newQueue(17, 1, 0), service), 2*percentile(alone, .99)
		const length = 100 * time.Second
		for s.now.Sub(time.Unix(0, 0)) < length {
			s.advance(s.now.Add(time.Duration(rng.ExpFloat64() * float64(mean) / load)))
			s.arrive()
		}
		used := float64(len(s.latency)) * float64(mean) / float64(length)
		p99 := percentile(s.latency, .99)
		if load < 10 { // it takes a while to see that this is a flood
			p99 = percentile(s.latency[min(200, len(s.latency)/2):], .99)
		}
		t.Logf("load %g: %d answered, %d refused, p50 %v, p99 %v, %.0f %% busy", load, len(s.latency), s.refused, percentile(s.latency, .5), p99, 100*used)
		switch {
		case load < 1 && s.refused > 0:
			t.Errorf("load %g: %d were refused", load, s.refused)
		case load >= 2 && p99 > most:
			t.Errorf("load %g: the 99th percentile is %v, twice that of answers alone is %v", load, p99, most)
		case load >= 2 && used < .85:
			t.Errorf("load %g: the model was busy for %.0f %% only", load, 100*used)
		}
	}
}

// A burst that fits is let in whole, and so is the next one, once a flood is over.
func TestBurst(t *testing.T) {
	s := simulate(newQueue(17, 1, 0), func() time.Duration { return 40 * time.Millisecond })
	for _, step := range []struct {
		name              string
		arrivals, refused int
		then              time.Duration
	}{
		{"a burst", 17, 0, time.Second},
		{"a flood", 30, 13, time.Second},
		{"a burst too soon", 17, 16, time.Second}, // the model is free, and then it is not
		{"calm", 1, 0, calm},
		{"a burst", 17, 0, time.Second},
	} {
		before := s.refused
		for range step.arrivals {
			s.arrive()
		}
		if n := s.refused - before; n != step.refused {
			t.Errorf("%s: %d of %d refused, want %d", step.name, n, step.arrivals, step.refused)
		}
		s.advance(s.now.Add(step.then))
	}
}

func TestMaxWait(t *testing.T) {
	s := simulate(newQueue(100, 2, 100*time.Millisecond), func() time.Duration { return 40 * time.Millisecond })
	s.arrive()
	s.advance(s.now.Add(time.Second)) // it knows now what an answer costs
	for range 50 {
		s.arrive()
	}
	if in := len(s.latency) + 50 - s.refused - 1; in != 6 { // 6 × 40 ms for two runners are more than 100 ms
		t.Errorf("%d were let in", in)
	}
}

// Pictures that wait are encoded together, each once, and every question gets its own answer.
func TestBatchOfPictures(t *testing.T) {
	s, h := start(t, nil)
	m := s.models[0]
	want, files := make([]answer, 8), make([][]byte, 8)
	for i := range files {
		files[i] = scene(uint64(10 + i))
		want[i] = send(t, http.MethodPost, h.URL+"/v1/embed", "", files[i])
	}
	s.cache = newCache(1 << 30)
	before := batches(t, s)
	m.runners <- struct{}{} // no runner is free
	answers := make([]answer, 10)
	done := make(chan int)
	ask := func(i int) {
		go func() {
			answers[i] = send(t, http.MethodPost, h.URL+"/v1/embed", "", files[i%8])
			done <- i
		}()
	}
	ask(0)
	until(t, "the first is taken up", func() bool { return m.queue.taken.Load() == 1 && m.queue.length() == 0 })
	ask(1)
	until(t, "the second is taken up", func() bool { return m.queue.taken.Load() == 2 && m.queue.length() == 0 })
	for i := 2; i < 10; i++ {
		ask(i)
	}
	until(t, "the others wait", func() bool { return m.queue.length() == 8 })
	<-m.runners
	for range answers {
		<-done
	}
	for i, a := range answers {
		a.want(t, 200)
		alone, together := want[i%8].get(t, "vector.0").(float64), a.get(t, "vector.0").(float64)
		if math.Abs(alone-together) > 1e-4 {
			t.Errorf("picture %d: %v alone, %v together", i, alone, together)
		}
	}
	after := batches(t, s)
	if n, pictures := after.GetSampleCount()-before.GetSampleCount(), after.GetSampleSum()-before.GetSampleSum(); n != 3 || pictures != 8 {
		t.Errorf("%d passes for %v pictures, want 3 for 8", n, pictures)
	}
}

// batches is the histogram of pictures in a pass.
func batches(t *testing.T, s *Server) *dto.Histogram {
	t.Helper()
	var m dto.Metric
	if err := s.metrics.batch.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.Histogram
}

// Jobs join a batch while there are few pictures and few pixels in it; texts go alone.
func TestNext(t *testing.T) {
	pic := func(key byte, pixels int64) *picture { return &picture{key: [32]byte{key}, pixels: pixels} }
	for name, test := range map[string]struct {
		pics []*picture
		want int
	}{
		"one picture":    {[]*picture{pic(1, 5), pic(1, 5), pic(1, 5)}, 3},
		"many":           {[]*picture{pic(1, 5), pic(2, 5), pic(3, 5), pic(4, 5), pic(5, 5), pic(6, 5), pic(7, 5), pic(8, 5), pic(9, 5), pic(1, 5)}, 9},
		"large":          {[]*picture{pic(1, 60), pic(2, 60), pic(3, 40)}, 2},
		"enormous":       {[]*picture{pic(1, 600), pic(2, 1)}, 1},
		"a text first":   {[]*picture{nil, pic(1, 5), nil}, 1},
		"a text between": {[]*picture{pic(1, 5), nil, pic(2, 5)}, 2},
	} {
		q := newQueue(99, 1, 0)
		for _, p := range test.pics {
			if err := q.add(&job{ctx: context.Background(), pic: p}); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(q.next(100)); n != test.want || q.length() != len(test.pics)-n {
			t.Errorf("%s: %d jobs in the batch, want %d", name, n, test.want)
		}
	}
}
