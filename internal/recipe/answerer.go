package recipe

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/eval"
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

// Query is what is asked of a picture.
type Query struct {
	Tasks     task.Set
	Labels    []string // Classify
	Views     int      // Classify: the mean over so many views (imageproc.RGB.View); at least 1
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

// ErrNothing says that a data set has no labels for what a model can do.
var ErrNothing = errors.New("the data set has no labels for any of the tasks that the model is asked for and can do")

// RunOn measures any model as Run does the program's own. Labels that the model does not know count as not found. When the
// context ends, what was measured so far is returned beside its error.
func (e *Evaluation) RunOn(ctx context.Context, a Answerer) (Measurement, error) {
	m, err := newMeasure(e, a)
	if err != nil {
		return Measurement{}, err
	}
	all := e.Source.Len()
	n := all
	if e.Limit > 0 {
		n = min(n, e.Limit)
	}
	for i := range n {
		if err = ctx.Err(); err == nil {
			at := i
			if e.Spread {
				at = i * all / n
			}
			err = m.at(ctx, at)
		}
		if err != nil && ctx.Err() != nil {
			return Measurement{m.scores.result(), i}, ctx.Err()
		}
		if err != nil {
			return Measurement{}, fmt.Errorf("recipe: evaluate %s: %w", e.Name, err)
		}
		if e.Progress != nil {
			e.Progress(i+1, n)
		}
	}
	return Measurement{m.scores.result(), n}, nil
}

// measure puts pictures to a model and scores what it says.
type measure struct {
	e             *Evaluation
	a             Answerer
	can           task.Set // what there are labels for, is asked for and can be done
	labels, query []string // of the data set's, those that the model knows
	pixels        map[string]uint8
	spell         func(string) string // labels as the model spells them
	scores        *scores
	captioned     int
}

func newMeasure(e *Evaluation, a Answerer) (*measure, error) {
	m, card := &measure{e: e, a: a, spell: func(label string) string { return label }}, a.Card()
	if s, ok := a.(speller); ok {
		m.spell = s.Spell
	}
	has, classes := e.Source.Labels(), e.Source.Classes()
	_, m.can = served(has)
	m.can &= e.Tasks & card.Tasks
	if card.PicturesOnly {
		m.can &^= task.SetOf(task.Match)
	}
	if m.can == 0 {
		return nil, ErrNothing
	}
	m.labels, m.query = known(classes, card.Classes, card.OpenVocabulary), known(classes, card.Labels, card.OpenVocabulary)
	for _, l := range []struct {
		tasks task.Set
		names []string
	}{{task.SetOf(task.Classify), m.labels}, {task.SetOf(task.Detect, task.Segment), m.query}} {
		if m.can&l.tasks != 0 && len(l.names) == 0 {
			return nil, fmt.Errorf("recipe: the model %q knows none of the %d labels of %s", card.Name, len(classes), e.Name)
		}
	}
	if m.can.Has(task.Pose) && (card.Skeleton == nil || card.Skeleton.Name != annotation.COCO17.Name) {
		return nil, fmt.Errorf("recipe: the joints of the model %q are not COCO's 17", card.Name)
	}
	if has&dataset.HasSemantic != 0 && m.can.Has(task.Segment) {
		m.pixels = map[string]uint8{}
		for i, c := range classes {
			m.pixels[c] = uint8(i)
		}
	}
	var spelled []string
	for _, c := range classes {
		if c = m.spell(c); !slices.Contains(spelled, c) {
			spelled = append(spelled, c)
		}
	}
	var err error
	if m.scores, err = newScores(spelled); err == nil && m.pixels != nil {
		m.scores.pixels, err = eval.NewSegmentation(classes...)
	}
	return m, err
}

// known are the labels that a model has a name for; one of an open vocabulary knows all.
func known(labels, names []string, open bool) (out []string) {
	for _, l := range labels {
		if open || model.IndexLabel(names, l) >= 0 {
			out = append(out, l)
		}
	}
	return out
}

// at measures one picture.
func (m *measure) at(ctx context.Context, i int) error {
	ex, err := m.e.Source.At(i, nil)
	if err != nil {
		return err
	}
	objects := slices.Clone(ex.Objects)
	for k := range objects {
		objects[k].Label = m.spell(objects[k].Label)
	}
	q, f := m.ask(ex), &Found{}
	if q.Tasks != 0 {
		if f, err = m.a.Answer(ctx, ex.Image, q); err != nil {
			return fmt.Errorf("%s: %w", ex.ID, err)
		}
		if err := m.score(fmt.Sprint(i), ex, objects, q, f); err != nil {
			return err
		}
		if m.can.Has(task.Match) {
			if err := m.match(ctx, ex, f.Vector); err != nil {
				return err
			}
		}
	}
	people, err := m.given(ctx, fmt.Sprint(i), ex, withJoints(objects))
	if err != nil {
		return err
	}
	if m.e.Keep != nil {
		if q.Tasks&task.SetOf(task.Detect, task.Segment, task.Pose) == 0 { // no objects were looked for
			f.Objects = people
		}
		m.e.Keep(ex, f.picture(ex))
	}
	return nil
}

// given asks for the joints of people in their true boxes, scores them, and returns them as sure as the boxes are.
func (m *measure) given(ctx context.Context, id string, ex *dataset.Example, people []annotation.Object) ([]annotation.Object, error) {
	if !m.can.Has(task.Pose) || len(people) == 0 {
		return nil, nil
	}
	q := Query{Tasks: task.SetOf(task.Pose)}
	for _, o := range people {
		q.People = append(q.People, o.Box)
	}
	f, err := m.a.Answer(ctx, ex.Image, q)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", ex.ID, err)
	}
	sure := slices.Clone(f.People)
	for i := range sure {
		sure[i].Score = 1
	}
	return sure, m.scores.addGiven(id, people, f.People)
}

// ask is what a picture's labels can score.
func (m *measure) ask(ex *dataset.Example) Query {
	q := Query{Labels: m.labels, Query: m.query, Semantic: m.pixels != nil}
	for _, p := range []struct {
		task task.Task
		has  bool
	}{
		{task.Classify, ex.Class != ""}, {task.Detect, ex.Labels&dataset.HasBoxes != 0}, {task.Segment, ex.Labels&dataset.HasMasks != 0 && ex.Labels&dataset.HasBoxes != 0 || ex.Semantic != nil},
		{task.Pose, ex.Labels&dataset.HasBoxes != 0}, {task.Ask, len(ex.Questions) > 0}, {task.Match, len(ex.Captions) > 0},
		{task.Caption, len(ex.Captions) > 0 && (m.e.Captions == 0 || m.captioned < m.e.Captions)},
	} {
		if p.has && m.can.Has(p.task) {
			q.Tasks |= task.SetOf(p.task)
		}
	}
	if q.Tasks.Has(task.Classify) {
		q.Views = m.e.Views
	}
	if q.Tasks.Has(task.Caption) {
		m.captioned++
	}
	if q.Tasks.Has(task.Segment) && !q.Semantic { // the same objects, with masks
		q.Tasks &^= task.SetOf(task.Detect)
	}
	for _, x := range ex.Questions {
		q.Questions = append(q.Questions, x.Text)
	}
	return q
}

// score adds an answer to the scores; objects are the example's, spelled as the model does.
func (m *measure) score(id string, ex *dataset.Example, objects []annotation.Object, q Query, f *Found) error {
	s := m.scores
	var errs []error
	if q.Tasks.Has(task.Classify) {
		errs = append(errs, s.class.Add(m.spell(ex.Class), f.Labels...))
	}
	segments := q.Tasks.Has(task.Segment) && !q.Semantic
	if q.Tasks.Has(task.Detect) || segments && m.can.Has(task.Detect) {
		errs = append(errs, s.box.Add(id, objects, f.Objects))
	}
	if segments {
		errs = append(errs, s.mask.Add(id, objects, f.Objects))
	}
	if q.Tasks.Has(task.Segment) && ex.Semantic != nil {
		var err error
		if f.Divided == nil {
			f.Divided, err = paint(f.Pixels, m.pixels, ex.Image.W, ex.Image.H)
		}
		if errs = append(errs, err); err == nil {
			errs = append(errs, s.pixels.Add(ex.Semantic, f.Divided))
		}
	}
	if q.Tasks.Has(task.Pose) {
		errs = append(errs, s.pose.Add(id, withJoints(objects), f.People))
	}
	if q.Tasks.Has(task.Ask) {
		for k, x := range ex.Questions {
			_, err := s.answers.Add(x.Answers, f.Questions[k], x.Type, "")
			errs = append(errs, err)
		}
	}
	if q.Tasks.Has(task.Caption) {
		errs = append(errs, s.captions.Add(ex.Captions, f.Caption))
	}
	return errors.Join(errs...)
}

// paint makes a map of labels of the pixels of each; the others are Void.
func paint(pixels map[string]annotation.RLE, index map[string]uint8, w, h int) (*annotation.LabelMap, error) {
	out := &annotation.LabelMap{W: w, H: h, Pix: make([]uint8, w*h)}
	for i := range out.Pix {
		out.Pix[i] = annotation.Void
	}
	for label, rle := range pixels {
		k, ok := index[label]
		if !ok {
			continue
		}
		b, err := rle.Bitmap()
		if err != nil {
			return nil, err
		}
		if b.W != w || b.H != h {
			return nil, fmt.Errorf("a map of %d × %d pixels for a picture of %d × %d", b.W, b.H, w, h)
		}
		for i, v := range b.Pix {
			if v != 0 {
				out.Pix[i] = k
			}
		}
	}
	return out, nil
}

// match keeps the vectors of a picture and its captions for the end, when each is looked for among all.
func (m *measure) match(ctx context.Context, ex *dataset.Example, vector []float32) error {
	if len(ex.Captions) == 0 || len(m.scores.matches.pictures) == mostMatched {
		return nil
	}
	var texts [][]float32
	for _, text := range ex.Captions {
		v, err := m.a.TextVector(ctx, text)
		if err != nil {
			return fmt.Errorf("%s: %w", ex.ID, err)
		}
		texts = append(texts, v)
	}
	m.scores.matches.add(vector, texts)
	return nil
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
