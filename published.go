package fovea

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"fovea/annotation"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/internal/nano"
	"fovea/model"
	"fovea/model/all"
	"fovea/model/unified"
	"fovea/task"
)

// openNetwork opens a folder of a published family (package model/all) as the Hugging Face hub has it; of other folders,
// and of "", it gives nil.
func openNetwork(dir string, p Precision) (model.Network, error) {
	if dir == "" {
		return nil, nil
	}
	f, err := model.OpenFolder(dir)
	if err != nil || f.Class == "" && f.Type == "" {
		return nil, nil
	}
	return all.OpenAs(dir, string(p))
}

// remedy is what to do about a model that cannot be opened, as far as the cause tells.
func remedy(err error) string {
	var unknown *model.UnknownError
	var other *checkpoint.BindError
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &unknown):
		return "docs/reference/models.md lists the classes that are supported"
	case errors.As(err, &other) && other.Pickle != nil:
		return "fetch the repository's model.safetensors into the folder"
	case errors.As(err, &other):
		return "config.json and the weights are of two models or revisions: fetch both again, together"
	case errors.Is(err, checkpoint.ErrFormat) || errors.As(err, &syntax):
		return "fetch the file again"
	case errors.Is(err, fs.ErrNotExist) || errors.Is(err, checkpoint.ErrNoWeights):
		return "fetch the whole folder: config.json, the weights as .safetensors and, where the repository has them, preprocessor_config.json and the tokenizer's files"
	}
	return ""
}

// openFolder opens what a folder holds: the program's own model, or one of a published family. dir is "" for a model that is
// part of the program.
func openFolder(fsys fs.FS, dir, name string, p Precision) (model.Model, error) {
	net, err := openNetwork(dir, p)
	switch {
	case err != nil:
		return nil, err
	case net != nil:
		if net.Card().NeedsBoxes {
			return withFinder(net)
		}
		return net, nil
	}
	m, err := unified.Open(fsys)
	if err == nil {
		err = p.lower(m)
	}
	if err != nil {
		return nil, err
	}
	return newNative(m, name), nil
}

// encodePicture has a model look at a picture. Published models refuse shapes so extreme that resizing them would take much
// memory.
func encodePicture(run model.Runner, img *imageproc.RGB) (model.View, error) {
	v, err := run.Encode(img)
	if err != nil {
		return nil, badInput("image.shape", fmt.Errorf("fovea: %w", err))
	}
	return v, nil
}

// encodePictures has a model look at a picture, and at others beside it that questions are about, too.
func encodePictures(run model.Runner, img *imageproc.RGB, beside []*imageproc.RGB) (model.View, error) {
	if len(beside) == 0 {
		return encodePicture(run, img)
	}
	v, err := run.(model.Gatherer).EncodeAll(append([]*imageproc.RGB{img}, beside...))
	if err != nil {
		return nil, badInput("image.shape", fmt.Errorf("fovea: %w", err))
	}
	return v, nil
}

// words says what is wrong with the names that a request gives to a model: one with a fixed list knows no others, and one
// without a list of its own needs some.
func (r *Request) words(card *model.Card) error {
	things := card.Labels
	if r.Semantic && len(card.Pixels) > 0 {
		things = card.Pixels
	}
	for _, l := range []struct {
		code, what string
		tasks      task.Set
		asked, own []string
	}{
		{"request.label", "label", task.SetOf(task.Classify), r.Labels, card.Classes},
		{"request.query", "query", task.SetOf(task.Detect, task.Segment), r.Query, things},
	} {
		if r.Tasks&l.tasks == 0 {
			continue
		}
		if len(l.asked) == 0 && len(l.own) == 0 && card.OpenVocabulary && !card.Anything {
			return badInput(l.code, fmt.Errorf("fovea: the model %q has no list of its own; give at least one %s", card.Name, l.what))
		}
		for _, word := range l.asked {
			if !card.OpenVocabulary && model.IndexLabel(l.own, word) < 0 {
				return badInput(l.code, fmt.Errorf("fovea: the model %q knows a fixed list of %d names, and %q is none of them", card.Name, len(l.own), word))
			}
		}
	}
	if r.Tasks.Has(task.Ask) && card.Question != nil {
		for _, q := range r.Questions {
			if err := card.Question(q); err != nil {
				return badInput("request.question", fmt.Errorf("fovea: the model %q: %w", card.Name, err))
			}
		}
	}
	for _, b := range r.Boxes {
		if !b.Finite() || b.Empty() {
			return badInput("request.boxes", fmt.Errorf("fovea: the box %v of a person is empty or not finite", b))
		}
	}
	if len(r.Boxes) > MaxObjects {
		return badInput("request.boxes", fmt.Errorf("fovea: %d boxes of people, at most %d are taken", len(r.Boxes), MaxObjects))
	}
	return nil
}

// finder is a model of poses that has people found by another model, when no boxes are given.
type finder struct {
	model.Model
	people native
}

// withFinder gives a model of poses the program's own model for finding people.
func withFinder(pose model.Model) (model.Model, error) {
	m, err := unified.Open(nano.FS())
	if err != nil {
		return nil, err
	}
	return finder{pose, newNative(m, DefaultModel)}, nil
}

// Card implements model.Model.
func (f finder) Card() model.Card {
	c := f.Model.Card()
	c.NeedsBoxes = false
	return c
}

// NewRunner implements model.Model.
func (f finder) NewRunner(threads int) model.Runner {
	return &finderRunner{f.Model.NewRunner(threads), f.people.NewRunner(threads)}
}

type finderRunner struct {
	model.Runner
	people model.Runner
}

// Close implements model.Runner.
func (r *finderRunner) Close() {
	r.Runner.Close()
	r.people.Close()
}

// Encode implements model.Runner.
func (r *finderRunner) Encode(img *imageproc.RGB) (model.View, error) {
	v, err := r.Runner.Encode(img)
	if err != nil {
		return nil, err
	}
	return &finderView{View: v, r: r, img: img}, nil
}

type finderView struct {
	model.View
	r   *finderRunner
	img *imageproc.RGB
}

// Detect finds people; it is asked only for the sake of their joints.
func (v *finderView) Detect(o model.DetectOptions) []Object {
	found, err := v.r.people.Encode(v.img)
	if err != nil {
		return nil
	}
	o.Query = []string{person}
	return found.Detect(o)
}

// Flip implements model.Flipper, for models whose card says so.
func (v *finderView) Flip() { v.View.(model.Flipper).Flip() }

// given finds the joints of the people whose boxes a request gives.
func (r *Request) given(v model.View, s *annotation.Skeleton) []Person {
	out := []Person{}
	for i, joints := range v.Pose(r.Boxes) {
		out = append(out, Person{Score: 1, Box: r.Boxes[i], Joints: joints, Skeleton: s})
	}
	return out
}
