package fovea

import (
	"context"
	"fmt"

	"fovea/imageproc"
	"fovea/model"
	"fovea/task"
)

// viewed are the tasks whose answers are means over several views.
var viewed = task.SetOf(task.Classify, task.Match)

// checkViews names what several views cannot do.
func (r *Request) checkViews() error {
	switch {
	case r.Views < 0 || r.Views > imageproc.MaxViews:
		return badInput("request.views", fmt.Errorf("fovea: %d views, want at most %d", r.Views, imageproc.MaxViews))
	case r.Views > 1 && r.Tasks&viewed == 0:
		return badInput("request.views", fmt.Errorf("fovea: views are for recognition and for vectors of pictures; leave them out"))
	}
	return nil
}

// views answers for all views of a picture but the first, each by itself.
func (p *Predictor) views(ctx context.Context, run model.Runner, img *imageproc.RGB, r *Request) (*others, error) {
	out := &others{}
	ask := Request{Tasks: r.Tasks & viewed, Labels: r.Labels, Template: r.Template, Top: -1}
	for i := 1; i < r.Views; i++ {
		view, err := encodePicture(run, img.View(i))
		if err != nil {
			return nil, err
		}
		var one Result
		if err := p.write(ctx, &one, view, &ask); err != nil {
			return nil, err
		}
		if one.Classes != nil {
			out.classes = append(out.classes, one.Classes)
		}
		if one.Vector != nil {
			out.vectors = append(out.vectors, one.Vector)
		}
	}
	return out, nil
}

// others are the answers for the other views of a picture.
type others struct {
	classes [][]Class
	vectors [][]float32
}

// join makes what the first view answered the mean over all, with at most so many labels.
func (o *others) join(r *Result, most int) {
	if r.Classes != nil {
		r.Classes = top(model.MeanClasses(append(o.classes, r.Classes)...), most)
	}
	if r.Vector != nil {
		r.Vector = model.MeanVector(append(o.vectors, r.Vector)...)
	}
}
