package recipe

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/eval"
	"fovea/model"
	"fovea/task"
)

// ErrNothing says that a data set has no labels for what a model can do.
var ErrNothing = errors.New("the data set has no labels for any of the tasks that the model is asked for and can do")

// RunOn measures any model as Run does the program's own. Labels that the model does not know count as not found. When the
// context ends, what was measured so far is returned beside its error. Pictures that cannot be read are left out and listed; when none
// can, that is an error. Pictures are looked at side by side where the model can, and
// scored in their order, so that the result does not depend on the number of cores.
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
	var unread []error
	for k := 0; k < n; {
		for _, l := range m.looks(ctx, k, n) {
			if ctx.Err() != nil {
				return Measurement{m.scores.result(), k - len(unread), unread}, ctx.Err()
			}
			if l.err == nil {
				l.err = m.score(l)
			}
			var damaged *dataset.ExampleError
			if errors.As(l.err, &damaged) {
				unread = append(unread, l.err)
			} else if l.err != nil {
				return Measurement{}, fmt.Errorf("recipe: evaluate %s: %w", e.Name, l.err)
			}
			if k++; e.Progress != nil {
				e.Progress(k, n)
			}
		}
	}
	if n > 0 && len(unread) == n {
		return Measurement{Unread: unread}, fmt.Errorf("recipe: evaluate %s: no picture can be read, the first because: %w", e.Name, unread[0])
	}
	return Measurement{m.scores.result(), n - len(unread), unread}, nil
}

// measure puts pictures to a model and scores what it says.
type measure struct {
	e             *Evaluation
	makers        []Answerer // the model, as often as it can work side by side
	can           task.Set   // what there are labels for, is asked for and can be done
	labels, query []string   // of the data set's, those that the model knows
	pixels        map[string]uint8
	spelled       map[string]string // labels as the model spells them, where it does so in a way of its own
	scores        *scores
}

func newMeasure(e *Evaluation, a Answerer) (*measure, error) {
	m, card := &measure{e: e, makers: []Answerer{a}, spelled: map[string]string{}}, a.Card()
	has, classes := e.Source.Labels(), e.Source.Classes()
	if s, ok := a.(speller); ok {
		for _, c := range classes {
			m.spelled[c] = s.Spell(c)
		}
	}
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
	if f, ok := a.(forker); ok { // after it has learnt to spell
		for len(m.makers) < runtime.GOMAXPROCS(0) {
			m.makers = append(m.makers, f.Fork())
		}
	}
	return m, err
}

// spell is a label as the model spells it.
func (m *measure) spell(label string) string {
	if s, ok := m.spelled[label]; ok {
		return s
	}
	return label
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

// look is what a model answers about one picture, beside the truth.
type look struct {
	index   int // in the data set
	ex      *dataset.Example
	objects []annotation.Object // of ex, spelled as the model does
	q       Query
	found   *Found
	people  []annotation.Object // of objects, those whose joints were asked for in their true boxes
	given   []annotation.Object // and what was found there, as sure as the boxes are
	texts   [][]float32         // vectors of the captions, where pictures and texts are matched
	err     error
}

// ahead is how many pictures each maker looks at before they are scored.
const ahead = 4

// looks answers about the next few pictures from the k-th of n on.
func (m *measure) looks(ctx context.Context, k, n int) []*look {
	out := make([]*look, min(n-k, 1))
	if len(m.makers) > 1 {
		out = make([]*look, min(n-k, ahead*len(m.makers)))
	}
	var next atomic.Int64
	var ended sync.WaitGroup
	for _, a := range m.makers[:min(len(m.makers), len(out))] {
		ended.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(out); i = int(next.Add(1)) - 1 {
				out[i] = m.look(ctx, a, k+i, n)
			}
		})
	}
	ended.Wait()
	return out
}

// look has a model answer about the k-th picture of n.
func (m *measure) look(ctx context.Context, a Answerer, k, n int) *look {
	l := &look{index: k, found: &Found{}}
	if m.e.Spread {
		l.index = k * m.e.Source.Len() / n
	}
	if l.err = ctx.Err(); l.err != nil {
		return l
	}
	if l.ex, l.err = m.e.Source.At(l.index, nil); l.err != nil {
		return l
	}
	l.objects = slices.Clone(l.ex.Objects)
	for i := range l.objects {
		l.objects[i].Label = m.spell(l.objects[i].Label)
	}
	l.q = m.ask(l.ex, k)
	if l.err = m.answer(ctx, a, l, k); l.err != nil {
		l.err = fmt.Errorf("%s: %w", l.ex.ID, l.err)
	}
	return l
}

// answer asks for all that the labels of the k-th picture can score.
func (m *measure) answer(ctx context.Context, a Answerer, l *look, k int) (err error) {
	if l.q.Tasks != 0 {
		if l.found, err = a.Answer(ctx, l.ex.Image, l.q); err != nil {
			return err
		}
	}
	if l.q.Tasks.Has(task.Match) && k < mostMatched {
		for _, text := range l.ex.Captions {
			v, err := a.TextVector(ctx, text)
			if err != nil {
				return err
			}
			l.texts = append(l.texts, v)
		}
	}
	if l.people = withJoints(l.objects); !m.can.Has(task.Pose) || len(l.people) == 0 {
		l.people = nil
		return nil
	}
	q := Query{Tasks: task.SetOf(task.Pose), Views: m.e.Views}
	for _, o := range l.people {
		q.People = append(q.People, o.Box)
	}
	f, err := a.Answer(ctx, l.ex.Image, q)
	if err != nil {
		return err
	}
	l.given = f.People
	return nil
}

// ask is what the labels of the k-th picture can score.
func (m *measure) ask(ex *dataset.Example, k int) Query {
	q := Query{Labels: m.labels, Query: m.query, Semantic: m.pixels != nil}
	for _, p := range []struct {
		task task.Task
		has  bool
	}{
		{task.Classify, ex.Class != ""}, {task.Detect, ex.Labels&dataset.HasBoxes != 0}, {task.Segment, ex.Labels&dataset.HasMasks != 0 && ex.Labels&dataset.HasBoxes != 0 || ex.Semantic != nil},
		{task.Pose, ex.Labels&dataset.HasBoxes != 0}, {task.Ask, len(ex.Questions) > 0}, {task.Match, len(ex.Captions) > 0},
		{task.Caption, len(ex.Captions) > 0 && (m.e.Captions == 0 || k < m.e.Captions)},
	} {
		if p.has && m.can.Has(p.task) {
			q.Tasks |= task.SetOf(p.task)
		}
	}
	if q.Tasks&task.SetOf(task.Classify, task.Match) != 0 {
		q.Views = m.e.Views
	}
	if q.Tasks.Has(task.Segment) && !q.Semantic { // the same objects, with masks
		q.Tasks &^= task.SetOf(task.Detect)
	}
	for _, x := range ex.Questions {
		q.Questions = append(q.Questions, x.Text)
	}
	return q
}

// score adds an answer to the scores, and shows it.
func (m *measure) score(l *look) error {
	s, id, ex, objects, q, f := m.scores, fmt.Sprint(l.index), l.ex, l.objects, l.q, l.found
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
	if len(l.texts) > 0 {
		s.matches.add(f.Vector, l.texts)
	}
	var sure []annotation.Object
	if len(l.people) > 0 {
		sure = slices.Clone(l.given)
		for i := range sure {
			sure[i].Score = 1
		}
		errs = append(errs, s.addGiven(id, l.people, l.given))
	}
	if m.e.Keep != nil {
		if q.Tasks&task.SetOf(task.Detect, task.Segment, task.Pose) == 0 { // no objects were looked for
			f.Objects = sure
		}
		m.e.Keep(ex, f.picture(ex))
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
