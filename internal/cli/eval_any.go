package cli

import (
	"context"
	"encoding/json"
	"io/fs"
	"slices"

	"fovea"
	"fovea/annotation"
	"fovea/dataset"
	"fovea/imageproc"
	"fovea/internal/recipe"
	"fovea/model"
	"fovea/model/unified"
	"fovea/task"
)

// isNative reports that a model's files are those of the program's own kind.
func isNative(files fs.FS) bool {
	b, err := fs.ReadFile(files, "config.json")
	var c struct {
		Architectures []string `json:"architectures"`
		Type          string   `json:"model_type"`
	}
	return err != nil || json.Unmarshal(b, &c) != nil || len(c.Architectures) == 0 && c.Type == ""
}

// answerer has an open model answer the questions that measuring asks.
type answerer struct {
	p     *fovea.Predictor
	names dataset.Names // of its classes; nil: its own
	tiles int           // see fovea.Request
	beams int           // see fovea.Writing
}

// Card implements recipe.Answerer.
func (a answerer) Card() model.Card {
	c := a.p.Card()
	if a.names != nil && !c.OpenVocabulary {
		c.Classes = a.names.All(c.Classes)
	}
	return c
}

// TextVector implements recipe.Answerer.
func (a answerer) TextVector(ctx context.Context, text string) ([]float32, error) {
	return a.p.EmbedText(ctx, text)
}

// leastScore is the least score of what takes part in average precision, whose curve needs the weak ones too.
const leastScore = .001

// Answer implements recipe.Answerer.
func (a answerer) Answer(ctx context.Context, img *imageproc.RGB, q recipe.Query) (*recipe.Found, error) {
	req := fovea.Request{
		Image: img, Tasks: q.Tasks, Labels: q.Labels, Query: q.Query, Questions: q.Questions, Boxes: q.People, Semantic: q.Semantic && q.Tasks.Has(task.Segment),
		Top: -1, Threshold: leastScore, Tiles: a.tiles, Writing: fovea.Writing{Beams: a.beams},
	}
	if q.Tasks&task.SetOf(task.Classify, task.Match) != 0 {
		req.Views = q.Views
	}
	if least := a.p.Card().Threshold; least > 0 {
		req.Threshold = min(least, leastScore)
	}
	joined := a.names != nil && !a.p.Card().OpenVocabulary && q.Tasks.Has(task.Classify)
	if joined {
		req.Labels = nil // all, as several may have one name
	}
	r, err := a.p.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	if joined {
		r.Classes = slices.DeleteFunc(model.JoinClasses(r.Classes, a.names.Of), func(c model.Class) bool { return !slices.Contains(q.Labels, c.Label) })
	}
	return foundBy(r)
}

// foundBy is a result as annotations.
func foundBy(r *fovea.Result) (f *recipe.Found, err error) {
	f = &recipe.Found{Vector: r.Vector}
	for _, c := range r.Classes {
		f.Labels = append(f.Labels, c.Label)
	}
	for _, o := range r.Objects {
		x := annotation.Object{Label: o.Label, Score: o.Score, Box: o.Box}
		if o.Mask != nil {
			if x.Mask, err = o.Mask.Bitmap(); err != nil {
				return nil, err
			}
			x.Area = o.Mask.Area()
		}
		f.Objects = append(f.Objects, x)
	}
	if s := r.Semantic; s != nil {
		f.Pixels = map[string]annotation.RLE{}
		for i, name := range s.Classes {
			f.Pixels[name] = s.Map[i]
		}
	}
	for _, p := range r.People {
		f.People = append(f.People, annotation.Object{Label: unified.Person, Score: p.Score, Box: p.Box, Joints: p.Joints, Skeleton: p.Skeleton})
	}
	for _, x := range r.Answers {
		f.Questions = append(f.Questions, x.Answer)
	}
	if r.Caption != nil {
		f.Caption = r.Caption.Text
	}
	return f, nil
}
