package fovea

import (
	"context"
	"fmt"
)

// MaxCorners bounds the corners of all outlines of a Result (Request.Polygons): a thousand masks of a picture of 64 megapixels have
// more of them than anybody could use.
const MaxCorners = 1 << 20

// outline traces the masks of objects, until the context ends.
func (r *Result) outline(ctx context.Context) error {
	corners := 0
	for i := range r.Objects {
		if err := ctx.Err(); err != nil {
			return err
		}
		o := &r.Objects[i]
		if o.Mask == nil {
			continue
		}
		polygons, err := o.Mask.Polygons()
		if err != nil {
			return &Error{Code: "model.bug", Err: fmt.Errorf("fovea: the model %q gave a broken mask; please report this: %w", r.Model, err)}
		}
		for _, p := range polygons {
			corners += len(p) / 2
		}
		if corners > MaxCorners {
			return badInput("request.polygons", fmt.Errorf("fovea: the outlines have more than %d corners; want fewer objects, a higher threshold or a smaller picture, or leave the outlines out", MaxCorners))
		}
		o.Polygons = append([][]float64{}, polygons...)
	}
	return nil
}
