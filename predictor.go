package fovea

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"time"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/task"
	"fovea/tensor"
)

// Predictor asks a model about pictures. It is safe for concurrent use.
type Predictor struct {
	model   model.Model
	card    model.Card
	threads int               // of each runner
	rounds  bool              // runners round to bfloat16
	slots   chan model.Runner // nil: a runner that is yet to be made
	closed  chan struct{}
}

func newPredictor(m model.Model, o options) *Predictor {
	p := &Predictor{model: m, card: m.Card(), threads: max(o.threads/o.runners, 1), slots: make(chan model.Runner, o.runners), closed: make(chan struct{})}
	p.card.Name = o.name
	p.rounds = o.precision == BF16 && kernel.FastBF16()
	_, p.card.Writes = m.(model.Speaker)
	p.card.Together = p.card.Writes
	for range o.runners {
		p.slots <- nil
	}
	return p
}

// Card says what the model is and can do.
func (p *Predictor) Card() model.Card { return p.card }

// Runners is how many requests are served at the same time.
func (p *Predictor) Runners() int { return cap(p.slots) }

// Threads is how many threads each runner has.
func (p *Predictor) Threads() int { return p.threads }

// ErrClosed is the error of requests to a closed Predictor.
var ErrClosed = errors.New("fovea: the model is closed")

// Close waits for the requests at work and frees the model's threads. A Predictor is closed once.
func (p *Predictor) Close() error {
	close(p.closed)
	for range cap(p.slots) {
		if r := <-p.slots; r != nil {
			r.Close()
		}
	}
	return nil
}

// take waits for a runner; give it back to p.slots.
func (p *Predictor) take(ctx context.Context) (model.Runner, error) {
	select { // a request that has ended must not take a runner that happens to be free
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, ErrClosed
	default:
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, ErrClosed
	case r := <-p.slots:
		if r == nil {
			r = p.model.NewRunner(p.threads)
			if b, ok := r.(model.Rounder); ok && p.rounds {
				b.RoundBF16()
			}
		}
		return r, nil
	}
}

// Check says what is wrong with a request, except for its picture, before any work is done.
func (p *Predictor) Check(r Request) error { return r.check(&p.card) }

// Do puts a request to the model. The picture is encoded once for all the tasks. An error is an *Error, unless it comes
// from the context.
func (p *Predictor) Do(ctx context.Context, r Request) (*Result, error) {
	if err := r.check(&p.card); err != nil {
		return nil, err
	}
	img, err := r.picture()
	if err != nil {
		return nil, err
	}
	beside, err := r.beside()
	if err != nil {
		return nil, err
	}
	out := &Result{Image: r.Path, Width: img.W, Height: img.H, Model: p.card.Name, Tasks: r.Tasks}
	start := time.Now()
	err = p.with(ctx, func(run model.Runner) error {
		start = time.Now() // waiting for a runner is not the model's time
		var parts []Object // before the whole, as a view lasts until the next picture
		if r.Tiles > 1 {
			if parts, err = r.tiles(ctx, run, img); err != nil {
				return err
			}
		}
		var rest *others // the same
		limit := r.Top
		if r.Views > 1 {
			if rest, err = p.views(ctx, run, img, &r); err != nil {
				return err
			}
			r.Top = -1
		}
		view, err := encodePictures(run, img, beside)
		if err != nil {
			return err
		}
		if err := p.write(ctx, out, view, &r); err != nil {
			return err
		}
		if r.Views > 1 {
			rest.join(out, limit)
		}
		if r.Tiles > 1 {
			out.Objects = r.merge(out.Objects, parts)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out.Elapsed = time.Since(start)
	return out, nil
}

// write asks all tasks of a view, and has it write as the request wants.
func (p *Predictor) write(ctx context.Context, out *Result, view model.View, r *Request) error {
	writer, ok := view.(model.Writer)
	rest := r.Writing
	rest.Beams = 0
	if ok {
		writer.Write(ctx, r.Writing)
	} else if searcher, can := view.(model.Searcher); can && rest.Zero() {
		searcher.Search(ctx, r.Writing.Beams)
	} else if can {
		return badInput("request.writing", fmt.Errorf("fovea: the model %q writes the likeliest text, and takes beams to find it; leave temperature, schema and the like out", p.card.Name))
	} else if !r.Writing.Zero() {
		return badInput("request.writing", fmt.Errorf("fovea: the model %q writes in one way only; leave temperature, beams, schema and the like out", p.card.Name))
	}
	if err := out.answer(ctx, view, r, &p.card); err != nil {
		return err
	}
	if !ok {
		return ctx.Err() // which may have ended a text early
	}
	if err := writer.Err(); err != nil {
		return badInput("request.question", fmt.Errorf("fovea: the model %q: %w", p.card.Name, err))
	}
	return nil
}

// with runs f with a runner. A shape that does not fit is a bug of the model and panics inside; here it becomes an error,
// and the runner is thrown away.
func (p *Predictor) with(ctx context.Context, f func(model.Runner) error) (err error) {
	run, err := p.take(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if e := recover(); e != nil {
			shape, ok := e.(*tensor.ShapeError)
			p.slots <- nil
			if !ok {
				panic(e)
			}
			err = &Error{Code: "model.bug", Err: fmt.Errorf("fovea: the model %q failed; please report this: %w", p.card.Name, shape)}
			return
		}
		p.slots <- run
	}()
	return f(run)
}

// picture is the request's picture in memory.
func (r *Request) picture() (*imageproc.RGB, error) {
	if r.Image == nil {
		return Load(r.Path)
	}
	return pixels(r.Image)
}

// beside is the further pictures.
func (r *Request) beside() ([]*imageproc.RGB, error) {
	var out []*imageproc.RGB
	for i, img := range r.Beside {
		if img == nil {
			return nil, badInput("image.empty", fmt.Errorf("fovea: picture %d of a question about several is missing", i+2))
		}
		x, err := pixels(img)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

func pixels(img image.Image) (*imageproc.RGB, error) {
	switch img := img.(type) {
	case *imageproc.RGB:
		if img.W < 1 || img.H < 1 || len(img.Pix) != 3*img.W*img.H {
			return nil, badInput("image.empty", fmt.Errorf("fovea: a picture of %d×%d pixels in %d bytes", img.W, img.H, len(img.Pix)))
		}
		return img, nil
	default:
		return convert(img)
	}
}

func convert(img image.Image) (*imageproc.RGB, error) {
	if b := img.Bounds(); b.Empty() {
		return nil, badInput("image.empty", fmt.Errorf("fovea: a picture of %d×%d pixels", b.Dx(), b.Dy()))
	}
	return imageproc.FromImage(img), nil
}

// answer asks all tasks of a view.
func (r *Result) answer(ctx context.Context, v model.View, q *Request, card *model.Card) error {
	for _, t := range tasks(q.Tasks) {
		if err := ctx.Err(); err != nil {
			return err
		}
		switch t {
		case task.Classify:
			if q.Template != "" {
				s, ok := v.(model.Reader)
				if !ok {
					return badInput("request.template", fmt.Errorf("fovea: the model %q does not put labels into a sentence; leave the template out", card.Name))
				}
				s.Sentence(q.Template)
			}
			r.Classes = top(v.Classify(q.Labels), q.Top)
		case task.Detect:
			switch p, ok := v.(model.Pointer); {
			case q.Tasks.Has(task.Segment):
			case q.Pointing && ok:
				r.Spots = p.Spots(q.detect(false))
			case q.Pointing:
				r.Spots = model.Middles(v.Detect(q.detect(false)))
			default:
				r.Objects = v.Detect(q.detect(false))
			}
		case task.Segment:
			if err := r.segment(v, q); err != nil {
				return err
			}
			if q.Polygons && !q.Semantic {
				if err := r.outline(ctx); err != nil {
					return err
				}
			}
		case task.Pose:
			if z, ok := v.(model.Zoomer); ok && !q.NoZoom {
				z.Zoom(max(closerLooks, len(q.Boxes)))
			}
			if q.Flip {
				v.(model.Flipper).Flip()
			}
			r.People = people(v, q, r.Objects, card.Skeleton)
		case task.Ask:
			r.Answers = v.Ask(q.Questions, q.askStep())
		case task.Caption:
			c := v.Caption(q.Step)
			r.Caption = &c
		case task.Match:
			r.Vector = v.Vector()
		}
	}
	if !r.finite() {
		return errDamaged(card.Name)
	}
	return ctx.Err()
}

// askStep is who listens to answers: nobody when a caption is listened to.
func (r *Request) askStep() func(string) {
	if r.Tasks.Has(task.Caption) {
		return nil
	}
	return r.Step
}

func (r *Request) detect(masks bool) model.DetectOptions {
	return model.DetectOptions{Query: r.Query, Threshold: r.Threshold, Overlap: r.Overlap, Max: r.Max, Masks: masks}
}

// top are the best n names, DefaultTop for 0, all for less.
func top(cs []Class, n int) []Class {
	if n == 0 {
		n = DefaultTop
	}
	if n > 0 && n < len(cs) {
		cs = cs[:n]
	}
	return cs
}

// person is the label of those who have joints.
const person = "person"

// closerLooks is how many of the people that were found, the best first, may be looked at a second time. It bounds what a request costs
// that wants people of any score; COCO's measure counts 20 people in a picture, too.
const closerLooks = 20

// people finds the joints of the people among the objects, which are looked for unless that was done already. They are
// found as objects among others, so that their scores are the same whatever else is asked for: of the object times the mean of the
// joints', as a person who is there may be in a pose that is not seen well.
func people(v model.View, q *Request, objects []Object, s *annotation.Skeleton) []Person {
	limit := q.Max
	if limit == 0 {
		limit = DefaultMax
	}
	if len(q.Boxes) > 0 {
		return q.given(v, s)
	}
	if objects == nil || len(q.Query) > 0 || len(objects) >= limit { // a full list may lack people
		o := q.detect(false)
		o.Query, o.Max = nil, MaxObjects
		objects = v.Detect(o)
	}
	out := []Person{}
	boxes := []annotation.Box{}
	for _, o := range objects {
		if o.Label == person && len(out) < limit {
			out = append(out, Person{Score: o.Score, Box: o.Box, Skeleton: s})
			boxes = append(boxes, o.Box)
		}
	}
	if len(boxes) == 0 {
		return out
	}
	for i, joints := range v.Pose(boxes) {
		out[i].Joints = joints
		out[i].Score *= annotation.JointScore(joints)
	}
	out = slices.DeleteFunc(out, func(p Person) bool { return p.Score < q.Threshold })
	slices.SortStableFunc(out, func(a, b Person) int { return cmp.Compare(b.Score, a.Score) })
	return out
}

// finite reports that no number of the result is NaN or infinite.
func (r *Result) finite() bool {
	sum := 0.
	for _, c := range r.Classes {
		sum += c.Score
	}
	for _, o := range r.Objects {
		sum += o.Score + o.Box.X0 + o.Box.Y0 + o.Box.X1 + o.Box.Y1
	}
	for _, s := range r.Spots {
		sum += s.Score + s.X + s.Y
	}
	for _, p := range r.People {
		for _, j := range p.Joints {
			sum += j.X + j.Y + j.Score
		}
	}
	for _, a := range r.Answers {
		sum += a.Score
	}
	if r.Caption != nil {
		sum += r.Caption.Score
	}
	for _, x := range r.Vector {
		sum += float64(x)
	}
	return sum-sum == 0
}
