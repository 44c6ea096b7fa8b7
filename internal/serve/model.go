package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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
	name               string
	open               func(ctx context.Context) (*fovea.Predictor, error)
	ready              chan struct{} // closed when p or err is set
	p                  *fovea.Predictor
	err                error
	since              time.Time
	queue              *queue
	ahead              chan struct{} // holds one for each batch from the queue to its end
	prepared           chan *batch   // decoded, for the next runner
	runners            chan struct{} // holds one for each batch that has a runner
	workers, preparers sync.WaitGroup
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

// load opens the model and starts its runners, and those who decode pictures for them.
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
	m.queue = newQueue(s.cfg.Queue+runners, runners, s.cfg.MaxWait)
	m.queue.widest = min(m.p.Threads(), maxBatch) // a thread takes several pictures one after the other, and their states do not fit its cache
	m.runners = make(chan struct{}, runners)
	m.ahead, m.prepared = make(chan struct{}, runners+1), make(chan *batch)
	for range runners {
		m.workers.Go(func() { s.run(m) })
	}
	for range runners + 1 {
		m.preparers.Go(func() { s.prepare(m) })
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
	m.preparers.Wait()
	close(m.prepared)
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

// quiet is a log that says nothing.
var quiet = slog.New(slog.DiscardHandler)
