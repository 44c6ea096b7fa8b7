package fovea

import (
	"context"
	"fmt"
	"image"

	"fovea/imageproc"
	"fovea/model"
)

// A batcher is a keeper that encodes several pictures in one pass, which costs less a picture.
type batcher interface {
	keeper
	// EncodeBatch runs pictures through the model together. The views are valid until the next Encode.
	EncodeBatch(imgs []*imageproc.RGB) ([]model.View, error)
}

// EncodeAll is Encode for several pictures. A model that can runs them in one pass, others run them one after the other. There
// is a result, or an error, for every picture.
func (p *Predictor) EncodeAll(ctx context.Context, imgs []image.Image) (out []*Encoded, errs []error) {
	out, errs = make([]*Encoded, len(imgs)), make([]error, len(imgs))
	pics, at := make([]*imageproc.RGB, 0, len(imgs)), make([]int, 0, len(imgs))
	for i, img := range imgs {
		if img == nil {
			errs[i] = badInput("image.empty", fmt.Errorf("fovea: no picture is given"))
			continue
		}
		q := Request{Image: img}
		pic, err := q.picture()
		if err != nil {
			errs[i] = err
			continue
		}
		pics, at = append(pics, pic), append(at, i)
	}
	together := false
	if len(pics) > 1 {
		err := p.with(ctx, func(run model.Runner) error {
			b, ok := run.(batcher)
			if !ok {
				return nil
			}
			together = true
			views, err := b.EncodeBatch(pics)
			if err != nil {
				return badInput("image.shape", fmt.Errorf("fovea: %w", err))
			}
			for k, v := range views {
				e := &Encoded{w: pics[k].W, h: pics[k].H, n: 1, owner: p}
				e.kept, e.bytes = b.Keep(v)
				out[at[k]] = e
			}
			return nil
		})
		if err != nil {
			for _, i := range at {
				errs[i] = err
			}
			return out, errs
		}
	}
	if !together {
		for k, i := range at {
			out[i], errs[i] = p.Encode(ctx, pics[k])
		}
	}
	return out, errs
}

// EncodeBatch implements batcher.
func (r *nativeRunner) EncodeBatch(imgs []*imageproc.RGB) ([]model.View, error) {
	if len(r.model.Names.List) > len(r.weights.Names.List)+maxNames {
		r.reset()
	}
	squares, fits := make([]*imageproc.RGB, len(imgs)), make([]imageproc.Geometry, len(imgs))
	for i, img := range imgs {
		squares[i], fits[i] = r.model.Config.Fit().Apply(img)
	}
	views := make([]model.View, len(imgs))
	for i, pic := range r.run.EncodeBatch(squares) {
		views[i] = &nativeView{nativeRunner: r, pic: pic, g: fits[i], img: imgs[i]}
	}
	return views, nil
}
