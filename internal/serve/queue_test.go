package serve

import (
	"context"
	"math"
	"net/http"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// Pictures that wait are encoded together, each once, and every question gets its own answer.
func TestBatchOfPictures(t *testing.T) {
	s, h := start(t, func(c *Config) { c.MaxWait = time.Hour })
	m := s.models[0]
	m.queue.mu.Lock()
	m.queue.widest = maxBatch // as if the runner had so many threads
	m.queue.mu.Unlock()
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
	until(t, "the first is taken up", func() bool { return m.queue.occupied() == 1 && m.queue.length() == 0 })
	ask(1)
	until(t, "the second is taken up", func() bool { return m.queue.occupied() == 2 && m.queue.length() == 0 })
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

// A runner takes no more pictures at once than it has threads.
func TestNarrowBatch(t *testing.T) {
	q := newQueue(99, 1, 0)
	q.widest = 2
	for i := range 5 {
		if err := q.add(&job{ctx: context.Background(), pic: &picture{key: [32]byte{byte(i % 3)}, pixels: 1}}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(q.next(100)); n != 4 { // two pictures, and the second question about each
		t.Errorf("%d jobs in the batch, want 4", n)
	}
	if n := len(q.next(100)); n != 1 {
		t.Errorf("%d jobs in the next, want 1", n)
	}
}
