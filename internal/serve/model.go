package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"fovea"
)

// Model is a model that the server is to offer.
type Model struct {
	Name string
	Open func(ctx context.Context) (*fovea.Predictor, error)
}

// served is a model on offer: it loads, and then its workers answer.
type served struct {
	name    string
	open    func(ctx context.Context) (*fovea.Predictor, error)
	ready   chan struct{} // closed when p or err is set
	p       *fovea.Predictor
	err     error
	since   time.Time
	queue   *queue
	workers sync.WaitGroup
}

// loaded says without waiting whether the model can be asked.
func (m *served) loaded() error {
	select {
	case <-m.ready:
	default:
		return &fault{status: http.StatusServiceUnavailable, code: "server.loading", message: fmt.Sprintf("the model %q is loading", m.name), retry: time.Second}
	}
	if m.err != nil {
		return faulty(http.StatusInternalServerError, "model.unreadable", "the model %q could not be loaded; the server's log says why", m.name)
	}
	return nil
}

// load opens the model and starts its workers: one more than the requests it answers at the same time, so that the next
// picture is decoded meanwhile.
func (s *Server) load(ctx context.Context, m *served) error {
	start := time.Now()
	defer close(m.ready)
	m.p, m.err = m.open(ctx)
	if m.err != nil {
		s.cfg.Log.Error("model cannot be loaded", "model", m.name, "error", m.err)
		return m.err
	}
	runners := m.p.Runners()
	m.since = time.Now()
	m.queue = newQueue(s.cfg.Queue+runners, runners)
	for range runners + 1 {
		m.workers.Go(func() { s.work(m) })
	}
	s.cfg.Log.Info("model loaded", "model", m.name, "parameters", m.p.Card().Parameters, "runners", runners, "took", time.Since(start).Round(time.Millisecond))
	return nil
}

// close ends the workers once nothing waits.
func (m *served) close() {
	<-m.ready
	if m.p == nil {
		return
	}
	m.queue.close()
	m.workers.Wait()
	_ = m.p.Close() // it has no error to give
}

// model finds a model by what a client calls it: without a name the first one; some clients add a tag, as in nano:latest.
func (s *Server) model(name string) (*served, error) {
	m := s.models[0]
	if name != "" {
		i := slices.IndexFunc(s.models, func(m *served) bool { return m.name == name || m.name+":latest" == name })
		if i < 0 {
			f := faulty(http.StatusNotFound, "model.missing", "there is no model %.100q; there are %s", name, strings.Join(s.names(), ", "))
			f.param = "model"
			return nil, f
		}
		m = s.models[i]
	}
	return m, m.loaded()
}

func (s *Server) names() (out []string) {
	for _, m := range s.models {
		out = append(out, m.name)
	}
	return out
}

// errPanicked is the failure of a request that made the server's own code fail.
var errPanicked = errors.New("serve: internal failure")

// work is one worker of a model.
func (s *Server) work(m *served) {
	for batch := m.queue.next(); batch != nil; batch = m.queue.next() {
		s.batch(m, batch)
	}
}

// batch encodes the picture that jobs have in common, unless it is in the cache, and does the jobs.
func (s *Server) batch(m *served, jobs []*job) {
	start := time.Now()
	s.metrics.batch.Observe(float64(len(jobs)))
	for _, j := range jobs {
		s.metrics.stage("queue", start.Sub(j.at))
	}
	left := jobs
	defer func() {
		if e := recover(); e != nil {
			s.cfg.Log.Error("panic", "model", m.name, "panic", e, "stack", string(debug.Stack()))
			s.metrics.panics.Inc()
			for _, j := range left {
				j.err = errPanicked
				close(j.done)
			}
		}
		m.queue.took(time.Since(start) / time.Duration(len(jobs)))
	}()
	var enc *fovea.Encoded
	var err error
	var cost time.Duration
	if pic := jobs[0].pic; pic != nil && !allGone(jobs) {
		enc, cost, err = s.encoded(m, pic)
	}
	for len(left) > 0 {
		j := left[0]
		if j.err = err; err == nil {
			j.err = j.ctx.Err()
		}
		if j.err == nil {
			if j.took != nil {
				j.took(cost)
			}
			at := time.Now()
			j.err = j.run(j.ctx, enc)
			s.metrics.stage("answer", time.Since(at))
			cost = 0
		}
		left = left[1:]
		close(j.done)
	}
}

func allGone(jobs []*job) bool {
	return !slices.ContainsFunc(jobs, func(j *job) bool { return j.ctx.Err() == nil })
}

// encoded finds a picture in the cache or encodes it, and says what that cost. It goes on when the client who wanted it
// first has gone: others may wait for it.
func (s *Server) encoded(m *served, pic *picture) (enc *fovea.Encoded, cost time.Duration, err error) {
	enc, hit, err := s.cache.get(s.life, cacheKey{m.name, pic.key}, func() (*fovea.Encoded, error) {
		start := time.Now()
		img, err := pic.decode(s.limits)
		if err != nil {
			return nil, err
		}
		s.metrics.stage("decode", time.Since(start))
		start = time.Now()
		enc, err := m.p.Encode(s.life, img)
		cost = time.Since(start)
		s.metrics.stage("encode", cost)
		return enc, err
	})
	s.metrics.cached(hit)
	return enc, cost, err
}

// quiet is a log that says nothing.
var quiet = slog.New(slog.DiscardHandler)
