package blip

import (
	"context"

	"fovea/imageproc"
	"fovea/model"
)

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner { return &runner{model.NewWorker(threads), m} }

type runner struct {
	model.Worker
	m *Model
}

// Encode implements model.Runner.
func (r *runner) Encode(img *imageproc.RGB) (model.View, error) {
	out, err := r.Run(r.m, model.Sample{Pictures: []*imageproc.RGB{img}})
	if err != nil {
		return nil, err
	}
	return &view{r: r, seen: out.Copy("image_embeds"), ctx: context.Background()}, nil
}

// TextVector implements model.Runner.
func (r *runner) TextVector(string) []float32 { return nil }

// view is a picture's tokens [T, D].
type view struct {
	model.Nothing
	r    *runner
	seen []float32

	ctx     context.Context
	writing model.Writing
	err     error
}
