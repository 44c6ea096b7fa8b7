package fovea

import (
	"context"
	"errors"
	"fmt"
	"image"
	"sync"
	"time"

	"fovea/imageproc"
	"fovea/model"
	"fovea/task"
)

// Encoded is a picture that a Predictor has encoded: any number of requests can be put to it, each for a small part of
// what encoding costs, at any time and from any goroutine. It needs no closing.
type Encoded struct {
	w, h  int // of the first
	n     int // pictures
	bytes int64
	owner *Predictor
	img   *imageproc.RGB // for models whose views cannot be kept

	mu   sync.Mutex
	kept any // what the runner's Keep gave
}

// Size is the picture's width and height in pixels.
func (e *Encoded) Size() (w, h int) { return e.w, e.h }

// Bytes is about how much memory it holds.
func (e *Encoded) Bytes() int64 { return e.bytes }

// A keeper is a model.Runner whose views outlive it: what Keep makes of a view can be taken up by any runner of the model.
// Of other models' pictures the pixels are kept, and every request encodes them again.
type keeper interface {
	// Keep detaches a view from its runner and says how many bytes it holds.
	Keep(model.View) (kept any, bytes int64)
	// Resume makes a view of what was kept. It must not change kept, which others may be resuming.
	Resume(kept any) model.View
}

// Encode runs a picture through the model once, for DoEncoded; with others beside it, for questions about all of them (see
// Request.Beside).
func (p *Predictor) Encode(ctx context.Context, img image.Image, beside ...image.Image) (*Encoded, error) {
	q := Request{Image: img, Beside: beside, Tasks: task.SetOf(task.Ask)}
	if img == nil {
		return nil, badInput("image.empty", fmt.Errorf("fovea: no picture is given"))
	}
	if err := q.together(len(beside), &p.card); err != nil {
		return nil, err
	}
	pic, err := q.picture()
	if err != nil {
		return nil, err
	}
	others, err := q.beside()
	if err != nil {
		return nil, err
	}
	e := &Encoded{w: pic.W, h: pic.H, n: 1 + len(others), owner: p}
	err = p.with(ctx, func(run model.Runner) error {
		k, ok := run.(keeper)
		if !ok { // models that look at several pictures keep what they saw
			e.img, e.bytes = pic, int64(len(pic.Pix))
			return nil
		}
		view, err := encodePictures(run, pic, others)
		if err != nil {
			return err
		}
		e.kept, e.bytes = k.Keep(view)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// DoEncoded puts a request to a picture that this Predictor has encoded; the request's Image is not looked at. Unlike Do it
// stops in the middle of a text when the context ends.
func (p *Predictor) DoEncoded(ctx context.Context, e *Encoded, r Request) (*Result, error) {
	if err := r.check(&p.card); err != nil {
		return nil, err
	}
	if e.owner != p {
		return nil, badInput("request.encoded", fmt.Errorf("fovea: the picture was encoded by another model than this %q", p.card.Name))
	}
	if r.Tiles > 1 {
		return nil, badInput("request.tiles", errors.New("fovea: tiles want the picture itself, not one that was encoded as a whole"))
	}
	if len(r.Beside) > 0 {
		return nil, badInput("request.pictures", errors.New("fovea: a question about several pictures wants all of them encoded together"))
	}
	if err := r.together(e.n-1, &p.card); err != nil {
		return nil, err
	}
	if r.Views > 1 {
		return nil, badInput("request.views", errors.New("fovea: views want the picture itself, not one that was encoded"))
	}
	out := &Result{Image: r.Path, Width: e.w, Height: e.h, Model: p.card.Name, Tasks: r.Tasks}
	if r.Tasks&task.SetOf(task.Ask, task.Caption) != 0 {
		r.Step = interruptible(ctx, r.Step)
	}
	err := p.with(ctx, func(run model.Runner) (err error) {
		defer interrupted(&err)
		start := time.Now()
		view, err := e.view(run)
		if err != nil {
			return err
		}
		if err := p.write(ctx, out, view, &r); err != nil {
			return err
		}
		e.update(run, view)
		out.Elapsed = time.Since(start)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (e *Encoded) view(run model.Runner) (model.View, error) {
	k, ok := run.(keeper)
	if !ok {
		return encodePicture(run, e.img)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return k.Resume(e.kept), nil
}

// update keeps what answering has added to a view, such as feature maps that only masks and joints need.
func (e *Encoded) update(run model.Runner, v model.View) {
	k, ok := run.(keeper)
	if !ok {
		return
	}
	kept, _ := k.Keep(v)
	e.mu.Lock()
	e.kept = kept
	e.mu.Unlock()
}

// stop leaves the writing of a text, which has no other way out than its listener; it never leaves DoEncoded.
type stop struct{ err error }

// interruptible is a listener that stops the text when the context has ended. Between two words the runner holds nothing
// that would have to be put away.
func interruptible(ctx context.Context, step func(string)) func(string) {
	return func(text string) {
		if err := ctx.Err(); err != nil {
			panic(stop{err})
		}
		if step != nil {
			step(text)
		}
	}
}

func interrupted(err *error) {
	switch e := recover().(type) {
	case nil:
	case stop:
		*err = e.err
	default:
		panic(e)
	}
}

// Keep detaches a picture from the runner that encoded it.
func (r *nativeRunner) Keep(v model.View) (any, int64) {
	n := v.(*nativeView)
	c := r.model.Config
	side := c.FeatureSide()
	floats := len(n.pic.Tokens) + len(n.pic.S4) + side*side*c.Features // the feature map comes when it is asked for
	return &nativeView{pic: n.pic, g: n.g, img: n.img}, int64(4*floats + len(n.img.Pix) + n.pic.Cache.Bytes())
}

// Resume makes a view of a picture that any runner of the model has encoded. Answers add to a picture, so it is a copy.
func (r *nativeRunner) Resume(kept any) model.View {
	n := kept.(*nativeView)
	pic := *n.pic
	return &nativeView{nativeRunner: r, pic: &pic, g: n.g, img: n.img}
}
