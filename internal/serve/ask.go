package serve

import (
	"context"
	"time"

	"fovea"
)

// question is what every surface makes of its requests: a model, pictures, and what is asked of each of them.
type question struct {
	model    string
	pictures []*picture
	req      fovea.Request // Image, Path and Step are not used
	// step, when not nil, receives the text so far of picture i after every word, on the goroutine of ask. An error ends the
	// request.
	step func(i int, text string) error
}

// ask puts a question to its model. There is a result, or an error, for every picture; when the question itself is wrong, or
// there is no room for it, err says so.
func (s *Server) ask(ctx context.Context, q *question) (results []*fovea.Result, errs []error, err error) {
	m, err := s.model(q.model)
	if err != nil {
		return nil, nil, err
	}
	if err := checkCount(len(q.pictures)); err != nil {
		return nil, nil, err
	}
	if err := m.p.Check(q.req); err != nil {
		return nil, nil, err
	}
	if err := s.enter(m); err != nil {
		return nil, nil, err
	}
	defer m.queue.leave()
	results, errs = make([]*fovea.Result, len(q.pictures)), make([]error, len(q.pictures))
	for i, pic := range q.pictures {
		results[i], errs[i] = s.askOne(ctx, m, pic, q, i)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
	}
	return results, errs, nil
}

// askSingle is ask for one picture.
func (s *Server) askSingle(ctx context.Context, q *question) (*fovea.Result, error) {
	results, errs, err := s.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	return results[0], errs[0]
}

// askOne puts a question to one picture and passes on what the model says while it says it.
func (s *Server) askOne(ctx context.Context, m *served, pic *picture, q *question, i int) (*fovea.Result, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var res *fovea.Result
	var encoding time.Duration
	req := q.req
	req.Path = pic.name
	said := make(chan string, 1) // the latest text: a slow client misses some, and never holds a worker
	if q.step != nil {
		req.Step = func(text string) {
			select {
			case <-said:
			default:
			}
			said <- text
		}
	}
	j := &job{ctx: ctx, pic: pic, took: func(d time.Duration) { encoding = d }, run: func(ctx context.Context, e *fovea.Encoded) (err error) {
		res, err = m.p.DoEncoded(ctx, e, req)
		return err
	}}
	if q.step == nil {
		if err := m.queue.do(j); err != nil {
			return nil, err
		}
	} else {
		end := make(chan error, 1)
		go func() { end <- m.queue.do(j) }()
		for done := false; !done; {
			select {
			case text := <-said:
				if err := q.step(i, text); err != nil {
					cancel(err)
					<-end //nolint:errcheck // the first error is the one to tell
					return nil, err
				}
			case err := <-end:
				if err != nil {
					return nil, err
				}
				done = true
			}
		}
	}
	res.Elapsed += encoding
	s.metrics.pictures.Inc()
	return res, nil
}

// embedText places a text in the joint space of pictures and texts.
func (s *Server) embedText(ctx context.Context, m *served, text string) (v []float32, err error) {
	err = m.queue.do(&job{ctx: ctx, run: func(ctx context.Context, _ *fovea.Encoded) (err error) {
		v, err = m.p.EmbedText(ctx, text)
		return err
	}})
	return v, err
}

// enter takes a place in a model's queue, which a server that drains no longer gives.
func (s *Server) enter(m *served) error {
	if s.draining.Load() {
		return draining()
	}
	err := m.queue.enter()
	if err != nil {
		s.metrics.rejected.Inc()
	}
	return err
}
