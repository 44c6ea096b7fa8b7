package serve

import (
	"context"
	"image"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"fovea"
	"fovea/imageproc"
)

// work is one worker of a model. There is one worker more than runners, which decodes the next pictures meanwhile.
func (s *Server) work(m *served) {
	for jobs := m.queue.next(s.cfg.MaxPixels); jobs != nil; jobs = m.queue.next(s.cfg.MaxPixels) {
		s.batch(m, jobs)
	}
}

// shot is a picture of a batch, and what has become of it.
type shot struct {
	pic  *picture
	ctx  context.Context // of a job that asks about it, for traces
	slot *cached         // its place in the cache
	mine bool            // this batch is to fill the place
	img  *imageproc.RGB
	err  error
	cost time.Duration // of encoding it, until a job has been charged with that
}

// batch decodes the pictures of jobs, encodes those that are not in the cache in one pass, and does the jobs. It has a runner of
// the model only from the encoding on.
func (s *Server) batch(m *served, jobs []*job) {
	start := time.Now()
	for _, j := range jobs {
		s.stage(j.ctx, "queue", j.at, start)
	}
	shots, left := s.shots(m, jobs), jobs
	defer func() {
		e := recover()
		if e == nil {
			return
		}
		s.panicked(m.name, e)
		for _, x := range shots {
			if x.mine && !x.slot.isReady() {
				s.cache.fill(x.slot, nil, errPanicked)
			}
		}
		for _, j := range left {
			j.err = errPanicked
			close(j.done)
		}
	}()
	s.decode(shots)
	waiting := time.Now()
	m.runners <- struct{}{}
	defer func() { <-m.runners }()
	for _, j := range jobs {
		s.stage(j.ctx, "runner", waiting, time.Now())
	}
	end := m.queue.begin(jobs)
	defer end()
	s.encode(m, shots)
	s.others(m, shots)
	for len(left) > 0 {
		j := left[0]
		s.answer(j, shots)
		left = left[1:]
		close(j.done)
	}
}

func (s *Server) panicked(model string, e any) {
	s.cfg.Log.Error("panic", "model", model, "panic", e, "stack", string(debug.Stack()))
	s.metrics.panics.Inc()
}

// shots are the pictures that jobs ask about, each once, except those whose askers have all gone.
func (s *Server) shots(m *served, jobs []*job) (out []*shot) {
	for _, j := range jobs {
		if j.pic == nil || j.ctx.Err() != nil || find(out, j.pic) != nil {
			continue
		}
		x := &shot{pic: j.pic, ctx: j.ctx}
		x.slot, x.mine = s.cache.lookup(cacheKey{m.name, j.pic.key})
		s.metrics.cached(!x.mine)
		out = append(out, x)
	}
	return out
}

func find(shots []*shot, pic *picture) *shot {
	if i := slices.IndexFunc(shots, func(x *shot) bool { return x.pic.key == pic.key }); i >= 0 {
		return shots[i]
	}
	return nil
}

// decode makes pixels of the pictures that have to be encoded, side by side.
func (s *Server) decode(shots []*shot) {
	var wg sync.WaitGroup
	for _, x := range shots {
		if !x.mine {
			continue
		}
		wg.Go(func() {
			defer func() {
				if e := recover(); e != nil {
					s.panicked("", e)
					x.err = errPanicked
				}
			}()
			start := time.Now()
			if x.img, x.err = x.pic.decode(s.limits); x.err == nil {
				s.stage(x.ctx, "decode", start, time.Now())
			}
		})
	}
	wg.Wait()
}

// encode runs the pictures that have to be encoded through the model in one pass. It goes on when those who wanted them have
// gone: others may wait for them.
func (s *Server) encode(m *served, shots []*shot) {
	var todo []*shot
	var imgs []image.Image
	for _, x := range shots {
		switch {
		case x.mine && x.err != nil:
			s.cache.fill(x.slot, nil, x.err)
		case x.mine:
			todo, imgs = append(todo, x), append(imgs, x.img)
		}
	}
	if len(todo) == 0 {
		return
	}
	start := time.Now()
	encoded, errs := m.p.EncodeAll(s.life, imgs)
	end := time.Now()
	s.metrics.batch.Observe(float64(len(todo)))
	for i, x := range todo {
		x.img, x.cost = nil, end.Sub(start)/time.Duration(len(todo))
		s.stage(x.ctx, "encode", start, end)
		s.cache.fill(x.slot, encoded[i], errs[i])
	}
}

// others waits for the pictures that other batches are encoding, which may need the runner for that.
func (s *Server) others(m *served, shots []*shot) {
	if !slices.ContainsFunc(shots, func(x *shot) bool { return !x.slot.isReady() }) {
		return
	}
	<-m.runners
	for _, x := range shots {
		_, _ = x.slot.get(s.life) // answer asks again, and finds the error
	}
	m.runners <- struct{}{}
}

// answer does a job.
func (s *Server) answer(j *job, shots []*shot) {
	if j.err = j.ctx.Err(); j.err != nil {
		return
	}
	var enc *fovea.Encoded
	var cost time.Duration
	if j.pic != nil {
		x := find(shots, j.pic)
		if enc, j.err = x.slot.get(s.life); j.err != nil {
			return
		}
		cost, x.cost = x.cost, 0
	}
	if j.took != nil {
		j.took(cost)
	}
	at := time.Now()
	j.err = j.run(j.ctx, enc)
	s.stage(j.ctx, "answer", at, time.Now())
}
