package recipe

import (
	"context"
	"fmt"
	"image"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/imageproc"
	"fovea/model/unified"
)

// contactEach is the number of pictures of every measured set on a contact sheet.
const contactEach = 8

// shownScore is the least score of an object that is drawn: at .02, where measuring starts, pictures would be full of them.
const shownScore = .4

// contact draws pictures from all over every measured set twice, the truth on the left and what the model finds on the
// right, as one sheet.
func (r *Run) contact() (image.Image, error) {
	var cells []*imageproc.RGB
	var captions []string
	for _, e := range r.evals {
		e.Limit, e.Spread, e.Progress = contactEach, true, nil
		e.Keep = func(ex *dataset.Example, found annotation.Picture) {
			truth := ex.Picture
			truth.Questions = nil
			classes := e.Source.Classes()
			cells = append(cells, r.draw(ex, truth, classes), r.draw(ex, confident(found), classes))
			captions = append(captions, fmt.Sprintf("%s %s", e.Name, ex.ID), "found")
		}
		if _, err := e.Run(context.Background(), r.Model); err != nil {
			return nil, err
		}
	}
	return imageproc.Grid(cells, captions, 8), nil
}

// draw is one cell of the sheet.
func (r *Run) draw(ex *dataset.Example, p annotation.Picture, classes []string) *imageproc.RGB {
	return imageproc.Draw(ex.Image, p, imageproc.DrawOptions{MinSide: 256, Labels: r.Model.Config.Labels, Classes: classes})
}

// confident keeps what a person would be shown: objects above shownScore, and the first question answered.
func confident(found annotation.Picture) annotation.Picture {
	out := found
	out.Objects = nil
	for _, o := range found.Objects {
		if o.Score >= shownScore {
			if o.Label != unified.Person {
				o.Joints = nil
			}
			out.Objects = append(out.Objects, o)
		}
	}
	out.Questions = found.Questions[:min(len(found.Questions), 1)]
	return out
}
