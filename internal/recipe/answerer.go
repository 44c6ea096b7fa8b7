package recipe

import (
	"context"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/imageproc"
	"fovea/model"
	"fovea/task"
)

// Answerer answers about pictures: any model, published or not, that is to be measured.
type Answerer interface {
	Card() model.Card
	// Answer does the tasks of q. What belongs to a task that was asked for is set.
	Answer(ctx context.Context, img *imageproc.RGB, q Query) (*Found, error)
	// TextVector places a text in the joint space of pictures and texts.
	TextVector(ctx context.Context, text string) ([]float32, error)
}

// A speller is an Answerer for which several spellings of a label are one name.
type speller interface {
	// Spell is the one spelling that it answers with.
	Spell(label string) string
}

// A forker is an Answerer that can work at several pictures side by side.
type forker interface {
	// Fork is the same model for another goroutine. It knows the labels that the first knows by then.
	Fork() Answerer
}

// Query is what is asked of a picture.
type Query struct {
	Tasks     task.Set
	Labels    []string // Classify
	Views     int      // Classify, Match: the mean over so many views (imageproc.RGB.View); Pose of given people: with more than 1 the mean of the picture and its mirror image
	Query     []string // Detect, Segment
	Semantic  bool     // Segment: labels of pixels, not objects
	Questions []string
	People    []annotation.Box // Pose: given, not to be found; pixels
}

// Found is what was answered. Coordinates are pixels of the picture.
type Found struct {
	Labels    []string // best first
	Objects   []annotation.Object
	Pixels    map[string]annotation.RLE // of each label; or
	Divided   *annotation.LabelMap      // the index of each pixel's label in Query
	People    []annotation.Object
	Questions []string // answers
	Caption   string
	Vector    []float32
}

// picture is what was found as annotations.
func (f *Found) picture(ex *dataset.Example) annotation.Picture {
	p := annotation.Picture{W: ex.Image.W, H: ex.Image.H, Objects: f.Objects, Semantic: f.Divided}
	if len(f.Labels) > 0 {
		p.Class = f.Labels[0]
	}
	for i, answer := range f.Questions {
		p.Questions = append(p.Questions, annotation.Question{Text: ex.Questions[i].Text, Answer: answer})
	}
	if f.Caption != "" {
		p.Captions = []string{f.Caption}
	}
	return p
}

// network is a network in training as an Answerer, for the tasks that lessons teach.
type network struct {
	net model.Model
	run model.Runner
}

// Card implements Answerer.
func (n *network) Card() model.Card { return n.net.Card() }

// Answer implements Answerer.
func (n *network) Answer(ctx context.Context, img *imageproc.RGB, q Query) (*Found, error) {
	v, err := n.run.Encode(img)
	if err != nil {
		return nil, err
	}
	f := &Found{}
	w, writes := v.(model.Writer)
	if writes {
		w.Write(ctx, model.Writing{})
	}
	if q.Tasks.Has(task.Ask) {
		for _, a := range v.Ask(q.Questions, nil) {
			f.Questions = append(f.Questions, a.Answer)
		}
	}
	if q.Tasks.Has(task.Caption) {
		f.Caption = v.Caption(nil).Text
	}
	if q.Tasks.Has(task.Match) {
		f.Vector = append(f.Vector, v.Vector()...)
	}
	if writes {
		err = w.Err()
	}
	return f, err
}

// TextVector implements Answerer.
func (n *network) TextVector(_ context.Context, text string) ([]float32, error) {
	return n.run.TextVector(text), nil
}
