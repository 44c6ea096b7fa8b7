package fovea

import (
	"context"
	"fmt"

	"fovea/imageproc"
	"fovea/model"
	"fovea/task"
)

// checkViews names what several views cannot do.
func (r *Request) checkViews() error {
	switch {
	case r.Views < 0 || r.Views > imageproc.MaxViews:
		return badInput("request.views", fmt.Errorf("fovea: %d views, want at most %d", r.Views, imageproc.MaxViews))
	case r.Views > 1 && !r.Tasks.Has(task.Classify):
		return badInput("request.views", fmt.Errorf("fovea: views are for recognition; leave them out"))
	}
	return nil
}

// views weighs the labels of all views of a picture but the first, each by itself.
func (p *Predictor) views(ctx context.Context, run model.Runner, img *imageproc.RGB, r *Request) ([][]Class, error) {
	var out [][]Class
	ask := Request{Tasks: task.SetOf(task.Classify), Labels: r.Labels, Template: r.Template, Top: -1}
	for i := 1; i < r.Views; i++ {
		view, err := encodePicture(run, img.View(i))
		if err != nil {
			return nil, err
		}
		var one Result
		if err := p.write(ctx, &one, view, &ask); err != nil {
			return nil, err
		}
		out = append(out, one.Classes)
	}
	return out, nil
}
