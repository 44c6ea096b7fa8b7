package serve

import (
	"context"
	"image"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"fovea"
)

// batch is jobs that go through a model together: their pictures are decoded, a runner encodes them and does the jobs.
type batch struct {
	jobs  []*job
	left  []*job // those that are not done
	shots []*shot
	ready time.Time // decoded since then
	end   func()    // tells the door that a runner is done with it; nil when it has been told, or has no runner yet
}

// prepare takes up batches and decodes their pictures, as long as there are no more of them between the queue and their end than
// runners and one: that one is ready when a runner is.
func (s *Server) prepare(m *served) {
	for {
		m.ahead <- struct{}{}
		jobs := m.queue.next(s.cfg.MaxPixels)
		if jobs == nil {
			<-m.ahead
			return
		}
		b := &batch{jobs: jobs, left: jobs}
		if s.guarded(m, b, func() { s.decode(m, b) }) {
			m.prepared <- b
		}
	}
}

// run is one runner of a model. It goes from batch to batch without letting go of its thread: when another goroutine took over for
// each, the operating system had to find a processor each time, and put two runners on one.
func (s *Server) run(m *served) {
	for b := range m.prepared {
		m.runners <- struct{}{}
		if s.guarded(m, b, func() { s.encode(m, b) }) {
			if b.waits() {
				m.workers.Go(func() { s.later(m, b) })
			} else {
				s.finish(m, b)
			}
		}
		<-m.runners
	}
}

// later waits for the pictures that other batches are encoding, which may need the runner for that, and finishes then.
func (s *Server) later(m *served, b *batch) {
	for _, x := range b.shots {
		_, _ = x.slot.get(s.life) // answer asks again, and finds the error
	}
	m.runners <- struct{}{}
	s.finish(m, b)
	<-m.runners
}

// finish does the jobs of a batch.
func (s *Server) finish(m *served, b *batch) {
	if s.guarded(m, b, func() {
		for len(b.left) > 0 {
			j := b.left[0]
			s.answer(j, b.shots)
			if b.left = b.left[1:]; len(b.left) == 0 {
				b.release() // before those who wait are told, and need processors: the next request can come in
			}
			close(j.done)
		}
	}) {
		s.over(m, b)
	}
}

// over ends a batch.
func (s *Server) over(m *served, b *batch) {
	b.release()
	<-m.ahead
}

// release tells the door that a runner is done with the batch, once.
func (b *batch) release() {
	if b.end != nil {
		b.end()
		b.end = nil
	}
}

// guarded does a step of a batch. When that panics, those who wait are told, and the batch is over.
func (s *Server) guarded(m *served, b *batch, step func()) (ok bool) {
	defer func() {
		e := recover()
		if e == nil {
			return
		}
		s.panicked(m.name, e)
		for _, x := range b.shots {
			if x.mine && !x.slot.isReady() {
				s.cache.fill(x.slot, nil, errPanicked)
			}
		}
		for _, j := range b.left {
			j.err = errPanicked
			close(j.done)
		}
		s.over(m, b)
	}()
	step()
	return true
}

// shot is a picture of a batch, and what has become of it.
type shot struct {
	pic  *picture
	ctx  context.Context // of a job that asks about it, for traces
	slot *cached         // its place in the cache
	mine bool            // this batch is to fill the place
	imgs []image.Image   // one, or several that are looked at together
	err  error
	cost time.Duration // of encoding it, until a job has been charged with that
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
func (s *Server) decode(m *served, b *batch) {
	start := time.Now()
	for _, j := range b.jobs {
		s.stage(j.ctx, "queue", j.at, start)
	}
	b.shots = s.shots(m, b.jobs)
	var wg sync.WaitGroup
	for _, x := range b.shots {
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
			if x.imgs, x.err = x.pic.all(s.limits); x.err == nil {
				s.stage(x.ctx, "decode", start, time.Now())
			}
		})
	}
	wg.Wait()
	b.ready = time.Now()
	if slices.ContainsFunc(b.shots, func(x *shot) bool { return x.mine }) {
		m.queue.decoded(b.ready.Sub(start))
	}
}

// encode runs the pictures that have to be encoded through the model in one pass. It goes on when those who wanted them have
// gone: others may wait for them.
func (s *Server) encode(m *served, b *batch) {
	for _, j := range b.jobs {
		s.stage(j.ctx, "runner", b.ready, time.Now())
	}
	b.end = m.queue.begin(b.jobs)
	var todo []*shot
	var imgs []image.Image
	for _, x := range b.shots {
		switch {
		case !x.mine:
		case x.err != nil:
			s.cache.fill(x.slot, nil, x.err)
		case len(x.imgs) > 1:
			start := time.Now()
			encoded, err := m.p.Encode(s.life, x.imgs[0], x.imgs[1:]...)
			end := time.Now()
			s.metrics.batch.Observe(float64(len(x.imgs)))
			s.encoded(x, start, end, end.Sub(start), encoded, err)
		default:
			todo, imgs = append(todo, x), append(imgs, x.imgs[0])
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
		s.encoded(x, start, end, end.Sub(start)/time.Duration(len(todo)), encoded[i], errs[i])
	}
}

// encoded keeps what became of a picture.
func (s *Server) encoded(x *shot, start, end time.Time, cost time.Duration, enc *fovea.Encoded, err error) {
	x.imgs, x.cost = nil, cost
	s.stage(x.ctx, "encode", start, end)
	s.cache.fill(x.slot, enc, err)
}

// waits reports that other batches are encoding pictures of this one.
func (b *batch) waits() bool {
	return slices.ContainsFunc(b.shots, func(x *shot) bool { return !x.slot.isReady() })
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
