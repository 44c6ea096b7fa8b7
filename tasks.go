package fovea

import (
	"context"
	"fmt"
	"image"

	"fovea/model"
	"fovea/task"
)

// Look finds out everything at once: names of the picture, objects with masks, people with joints, and a description.
func (p *Predictor) Look(ctx context.Context, img image.Image) (*Result, error) {
	return p.Do(ctx, Request{Image: img, Tasks: Everything & p.card.Tasks, NoZoom: true})
}

// Classify weighs labels against each other as names of the picture and returns all of them, best first; without labels,
// the model's own, the best DefaultTop.
func (p *Predictor) Classify(ctx context.Context, img image.Image, labels ...string) ([]Class, error) {
	q := Request{Image: img, Tasks: task.SetOf(task.Classify), Labels: labels}
	if len(labels) > 0 {
		q.Top = -1
	}
	r, err := p.Do(ctx, q)
	if err != nil {
		return nil, err
	}
	return r.Classes, nil
}

// Detect finds objects with a score of DefaultThreshold or more, best first; without a query, those of the model's own
// labels.
func (p *Predictor) Detect(ctx context.Context, img image.Image, query ...string) ([]Object, error) {
	return p.objects(ctx, Request{Image: img, Tasks: task.SetOf(task.Detect), Query: query})
}

// Segment is Detect with a mask for each object.
func (p *Predictor) Segment(ctx context.Context, img image.Image, query ...string) ([]Object, error) {
	return p.objects(ctx, Request{Image: img, Tasks: task.SetOf(task.Segment), Query: query})
}

func (p *Predictor) objects(ctx context.Context, q Request) ([]Object, error) {
	r, err := p.Do(ctx, q)
	if err != nil {
		return nil, err
	}
	return r.Objects, nil
}

// Pose finds people with a score of DefaultThreshold or more and their joints.
func (p *Predictor) Pose(ctx context.Context, img image.Image) ([]Person, error) {
	r, err := p.Do(ctx, Request{Image: img, Tasks: task.SetOf(task.Pose)})
	if err != nil {
		return nil, err
	}
	return r.People, nil
}

// Ask answers a question in words.
func (p *Predictor) Ask(ctx context.Context, img image.Image, question string) (Answer, error) {
	r, err := p.Do(ctx, Request{Image: img, Tasks: task.SetOf(task.Ask), Questions: []string{question}})
	if err != nil {
		return Answer{}, err
	}
	return r.Answers[0], nil
}

// Caption describes the picture in words.
func (p *Predictor) Caption(ctx context.Context, img image.Image) (Caption, error) {
	r, err := p.Do(ctx, Request{Image: img, Tasks: task.SetOf(task.Caption)})
	if err != nil {
		return Caption{}, err
	}
	return *r.Caption, nil
}

// Embed places the picture in the joint space of pictures and texts: a unit vector of Card().Embed numbers, whose dot
// product with a text's vector says how well the two fit.
func (p *Predictor) Embed(ctx context.Context, img image.Image) ([]float32, error) {
	r, err := p.Do(ctx, Request{Image: img, Tasks: task.SetOf(task.Match)})
	if err != nil {
		return nil, err
	}
	return r.Vector, nil
}

// EmbedText places a text in the same space.
func (p *Predictor) EmbedText(ctx context.Context, text string) ([]float32, error) {
	if !p.card.Tasks.Has(task.Match) {
		return nil, badInput("request.task", fmt.Errorf("fovea: the model %q cannot embed; it can %s", p.card.Name, taskList(p.card.Tasks)))
	}
	if p.card.PicturesOnly {
		return nil, badInput("request.task", fmt.Errorf("fovea: the model %q embeds pictures, but no texts", p.card.Name))
	}
	if err := checkTexts("request.text", []string{text}); err != nil {
		return nil, err
	}
	var vector []float32
	err := p.with(ctx, func(r model.Runner) error {
		vector = r.TextVector(text)
		return nil
	})
	return vector, err
}
