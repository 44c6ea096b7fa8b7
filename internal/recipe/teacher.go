package recipe

import (
	"fmt"
	"slices"

	"fovea/annotation"
	"fovea/augment"
	"fovea/dataset"
	"fovea/imageproc"
	"fovea/model"
	"fovea/model/all"
	"fovea/model/unified"
	"fovea/task"
)

// leastShare is the least probability of a teacher's that is passed on; the many below it are noise.
const leastShare = 1e-3

// The scores of a teacher's objects: from sure on they are taught as if somebody had labelled them; between doubt and sure nothing is
// taught where they are; the rest is background.
const (
	sure  = .5
	doubt = .2
)

// teacher is a model that says what is on the pictures of a data set, so that photographs that nobody has labelled teach
// recognition (distillation: Hinton et al. 2015) and detection. It looks at the very pictures that the student gets, cut and coloured
// as they are, so that few photographs become many examples (Beyer et al. 2022, Knowledge distillation: A good teacher is patient and
// consistent). It is safe for use by several goroutines.
type teacher struct {
	teaches task.Set // Classify, Detect, or both
	rename  dataset.Names
	classes []string // what it may say of a picture, each once
	labels  []string // and of an object
	sight   func() sight
	idle    chan sight
}

// sight looks at pictures for a teacher; it serves one goroutine at a time.
type sight interface {
	// see says what a picture shows, best first, and which objects of at least the score doubt are in it, pixels.
	see(img *imageproc.RGB, teaches task.Set) ([]model.Class, []annotation.Object, error)
	close()
}

// sighting is what a teacher says of a picture.
type sighting struct {
	classes []augment.Soft      // most likely first; weights add up to 1
	objects []annotation.Object // crowds are those that it is not sure of
}

// openTeachers opens those of the data sets that have one; nil for the others.
func openTeachers(data []Data) ([]*teacher, error) {
	out := make([]*teacher, len(data))
	open := map[[3]string]*teacher{}
	for i, d := range data {
		if d.Teacher == "" {
			continue
		}
		teaches := d.Teaches.Set
		if teaches == 0 {
			teaches = task.SetOf(task.Classify)
		}
		key := [3]string{d.Teacher, d.TeacherNames, fmt.Sprint(teaches)}
		if open[key] == nil {
			t, err := openTeacher(d.Teacher, d.TeacherNames, teaches)
			if err != nil {
				return nil, fmt.Errorf("recipe: data[%d].teacher: %w", i, err)
			}
			open[key] = t
		}
		out[i] = open[key]
	}
	return out, nil
}

// CanTeach says which of the tasks that a teacher can teach, recognition and detection, a model can.
func CanTeach(name string) (task.Set, error) {
	card, _, err := openSight(name)
	if err != nil {
		return 0, fmt.Errorf("recipe: %w", err)
	}
	return lessonsOf(card), nil
}

func lessonsOf(card model.Card) (can task.Set) {
	if len(card.Classes) > 0 {
		can |= task.SetOf(task.Classify)
	}
	if len(card.Labels) > 0 {
		can |= task.SetOf(task.Detect)
	}
	return can & card.Tasks
}

// openSight opens a model, the program's own or a published one: its card, and what makes sights of it.
func openSight(name string) (card model.Card, make func() sight, err error) {
	p, err := locate(name)
	if err != nil {
		return card, nil, err
	}
	if p.published() != nil {
		net, err := all.Open(p.dir)
		if err != nil {
			return card, nil, err
		}
		return net.Card(), func() sight { return published{net.NewRunner(1)} }, nil
	}
	m, err := unified.Open(p.files)
	if err != nil {
		return card, nil, err
	}
	o := newOwn(m, false, 0)
	card = o.Card()
	card.Classes, card.Labels = m.Config.Classes, m.Config.Labels
	return card, func() sight { return o.Fork().(*own) }, nil
}

// openTeacher opens a model that recognises, detects, or both. names is a file of lines "class TAB name" that give its classes other
// names, where several may have one; "": its classes keep theirs.
func openTeacher(name, names string, teaches task.Set) (*teacher, error) {
	card, sights, err := openSight(name)
	if err != nil {
		return nil, err
	}
	t := &teacher{teaches: teaches, sight: sights, idle: make(chan sight, 64)}
	can := lessonsOf(card)
	if (teaches &^ can).Has(task.Classify) {
		return nil, fmt.Errorf("%s does not name what is on a picture; it cannot teach recognition", name)
	}
	if (teaches &^ can).Has(task.Detect) {
		return nil, fmt.Errorf("%s finds no objects by labels of its own; it cannot teach detection", name)
	}
	if names != "" {
		if t.rename, err = dataset.ReadNames(names); err != nil {
			return nil, err
		}
	}
	if teaches.Has(task.Classify) {
		t.classes = t.rename.All(card.Classes)
	}
	if teaches.Has(task.Detect) {
		t.labels = t.rename.All(card.Labels)
	}
	for c := range t.rename {
		if model.IndexLabel(card.Classes, c) < 0 && model.IndexLabel(card.Labels, c) < 0 {
			return nil, fmt.Errorf("%s: %q is none of the classes of %s", names, c, name)
		}
	}
	return t, nil
}

// names reports that there is a teacher, and that it teaches recognition.
func (t *teacher) names() bool { return t != nil && t.teaches.Has(task.Classify) }

// look says what is on a picture.
func (t *teacher) look(img *imageproc.RGB) (sighting, error) {
	var eye sight
	select {
	case eye = <-t.idle:
	default:
		eye = t.sight()
	}
	classes, objects, err := eye.see(img, t.teaches)
	if err != nil {
		eye.close()
		return sighting{}, err
	}
	var out sighting
	if i := slices.IndexFunc(classes, func(c model.Class) bool { return c.Score < leastShare }); i >= 0 {
		classes = classes[:i]
	}
	sum := 0.
	for _, c := range classes {
		sum += c.Score
	}
	for _, c := range model.JoinClasses(classes, t.rename.Of) {
		out.classes = append(out.classes, augment.Soft{Class: c.Label, Weight: c.Score / sum})
	}
	for _, o := range objects {
		o.Label, o.Crowd = t.rename.Of(o.Label), o.Score < sure
		out.objects = append(out.objects, o)
	}
	select {
	case t.idle <- eye:
	default:
		eye.close()
	}
	return out, nil
}

// published is a published model as a sight.
type published struct{ model.Runner }

func (p published) see(img *imageproc.RGB, teaches task.Set) (classes []model.Class, objects []annotation.Object, err error) {
	view, err := p.Encode(img)
	if err != nil {
		return nil, nil, err
	}
	if teaches.Has(task.Classify) {
		classes = view.Classify(nil)
	}
	if teaches.Has(task.Detect) {
		for _, o := range view.Detect(model.DetectOptions{Threshold: doubt}) {
			objects = append(objects, annotation.Object{Label: o.Label, Score: o.Score, Box: o.Box})
		}
	}
	return classes, objects, nil
}

func (p published) close() { p.Close() }

// see implements sight. Objects have masks.
func (o *own) see(img *imageproc.RGB, teaches task.Set) (classes []model.Class, objects []annotation.Object, err error) {
	square, g := o.m.Config.Fit().Apply(img)
	pic := o.run.Encode(square)
	if teaches.Has(task.Classify) {
		classes = o.named(pic, nil)
	}
	if teaches.Has(task.Detect) {
		objects = o.run.Objects(pic, g, unified.AnswerOptions{Detect: unified.DetectOptions{Threshold: doubt}, Masks: true})
	}
	return classes, objects, nil
}

func (*own) close() {}
