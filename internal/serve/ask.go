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

// ask puts a question to its model, about all pictures at once. There is a result, or an error, for every picture; when the
// question itself is wrong, or there is no room for it, err says so.
func (s *Server) ask(ctx context.Context, q *question) (results []*fovea.Result, errs []error, err error) {
	m, err := s.model(q.model)
	if err != nil {
		return nil, nil, err
	}
	n := len(q.pictures)
	if err := checkCount(n); err != nil {
		return nil, nil, err
	}
	if err := m.p.Check(q.req); err != nil {
		return nil, nil, err
	}
	if err := s.enter(ctx, m, q.pictures...); err != nil {
		return nil, nil, err
	}
	defer m.queue.leave(q.pictures...)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	asked := make([]*asking, 0, n)
	for _, pic := range q.pictures {
		a := newAsking(ctx, m, pic, q)
		if err = m.queue.add(a.job); err != nil {
			cancel()
			break
		}
		asked = append(asked, a)
	}
	results, errs = make([]*fovea.Result, n), make([]error, n)
	for i, a := range asked {
		results[i], errs[i] = a.wait(m.queue, func(text string) error {
			err := q.step(i, text)
			if err != nil {
				cancel() // the others are not wanted any more
			}
			return err
		})
		if errs[i] != nil && ctx.Err() != nil && err == nil {
			err = errs[i]
		}
		if errs[i] == nil {
			s.metrics.pictures.Inc()
		}
	}
	if err != nil {
		return nil, nil, err
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

// asking is a question put to one picture.
type asking struct {
	job      *job
	res      *fovea.Result
	encoding time.Duration
	said     chan string // the latest text: a slow client misses some, and never holds a worker
}

func newAsking(ctx context.Context, m *served, pic *picture, q *question) *asking {
	a := &asking{}
	req := q.req
	req.Path = pic.name
	if q.step != nil {
		a.said = make(chan string, 1)
		req.Step = func(text string) {
			select {
			case <-a.said:
			default:
			}
			a.said <- text
		}
	}
	a.job = &job{ctx: ctx, pic: pic, took: func(d time.Duration) { a.encoding = d }, run: func(ctx context.Context, e *fovea.Encoded) (err error) {
		if a.res, err = m.p.DoEncoded(ctx, e, req); err == nil {
			for _, part := range pic.parts {
				a.res.Images = append(a.res.Images, part.name)
			}
		}
		return err
	}}
	return a
}

// wait waits for the answer and passes on what the model says while it says it. After an error of say it waits until the model
// has stopped.
func (a *asking) wait(q *queue, say func(text string) error) (*fovea.Result, error) {
	for {
		select {
		case text := <-a.said:
			if err := say(text); err != nil {
				q.drop(a.job)
				return nil, err
			}
		case <-a.job.done:
			if a.job.err != nil {
				return nil, a.job.err
			}
			a.res.Elapsed += a.encoding
			return a.res, nil
		case <-a.job.ctx.Done():
			q.drop(a.job)
			return nil, a.job.ctx.Err()
		}
	}
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
func (s *Server) enter(ctx context.Context, m *served, pictures ...*picture) error {
	if s.draining.Load() {
		return draining()
	}
	err := m.queue.enter(ctx, pictures...)
	if err != nil && ctx.Err() == nil {
		s.metrics.rejected.Inc()
	}
	return err
}
