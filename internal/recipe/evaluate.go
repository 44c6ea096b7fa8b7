package recipe

import (
	"context"
	"fmt"
	"slices"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/eval"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model/unified"
	"fovea/task"
)

// Evaluation measures a model on one data set with each task's standard metrics.
type Evaluation struct {
	Name   string
	Source dataset.Source
	Tasks  task.Set
	Limit  int
	// Captions bounds the pictures that are described, which takes longer than everything else; 0 means all.
	Captions int
	// Progress is told after every picture.
	Progress func(done, total int)
	// Keep receives pictures with what was found, for contact sheets; nil keeps none.
	Keep func(ex *dataset.Example, found annotation.Picture)
}

// Measurement is the result of an evaluation.
type Measurement struct {
	// Metrics by name, prefixed with their kind: "box AP", "answers exact".
	Metrics map[string]float64
	Images  int // that were looked at
}

// minScore is the least score of a detection that takes part in average precision: the curve needs the weak ones too.
const minScore = .02

// poseScore is the least score of a person that is asked for joints while measuring.
const poseScore = .05

// labelScore is the least score of an object whose mask labels pixels, as when a picture is divided by label.
const labelScore = .3

// Run measures the model. When the context ends, what was measured so far is returned beside its error.
func (e *Evaluation) Run(ctx context.Context, m *unified.Model) (Measurement, error) {
	l, err := newLook(e, m)
	if err != nil {
		return Measurement{}, err
	}
	n := e.Source.Len()
	if e.Limit > 0 {
		n = min(n, e.Limit)
	}
	for i := range n {
		if ctx.Err() != nil {
			return Measurement{l.scores.result(), i}, ctx.Err()
		}
		ex, err := e.Source.At(i, nil)
		if err != nil {
			return Measurement{}, fmt.Errorf("recipe: evaluate %s: %w", e.Name, err)
		}
		found, err := l.at(fmt.Sprint(i), ex)
		if err != nil {
			return Measurement{}, err
		}
		if e.Keep != nil {
			e.Keep(ex, found)
		}
		if e.Progress != nil {
			e.Progress(i+1, n)
		}
	}
	return Measurement{l.scores.result(), n}, nil
}

// look puts pictures to a model and scores what it says.
type look struct {
	m      *unified.Model
	run    *unified.Runner
	fit    imageproc.Config
	can    task.Set // what the data have labels for, and is asked for
	labels task.Source
	names  []int32 // candidates for objects
	pixels []int32 // classes of pixels, in the order of their indices; nil: pixels are not scored
	scores *scores
	most   int // pictures to describe, 0 for all
}

func newLook(e *Evaluation, m *unified.Model) (*look, error) {
	l := &look{m: m, run: unified.NewRunner(m, kernel.NewWork(nil)), fit: m.Config.Fit(), most: e.Captions}
	l.labels, l.can = labelsOf(e.Source, e.Tasks, m.Names)
	if l.names = l.labels.Candidates; len(l.names) > 0 {
		l.names = l.names[1:]
	}
	classes := e.Source.Classes()
	spelled := l.spelled(classes)
	if e.Source.Labels()&dataset.HasSemantic != 0 && e.Tasks.Has(task.Segment) {
		l.pixels = m.Names.AddAll(classes)
	}
	var err error
	if l.scores, err = newScores(spelled, false); err == nil && l.pixels != nil {
		l.scores.pixels, err = eval.NewSegmentation(classes...)
	}
	return l, err
}

// spelled are labels as the model spells them, none twice: those that differ by case or underscores are one name for it.
func (l *look) spelled(labels []string) []string {
	var out []string
	for _, s := range labels {
		if s = l.spell(s); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (l *look) spell(label string) string {
	if id, ok := l.m.Names.Find(label); ok {
		return l.m.Names.List[id]
	}
	return label
}

// at looks at one picture.
func (l *look) at(id string, ex *dataset.Example) (annotation.Picture, error) {
	img, g := l.fit.Apply(ex.Image)
	p := l.run.Encode(img)
	found := annotation.Picture{W: ex.Image.W, H: ex.Image.H}
	for _, f := range []func(string, *dataset.Example, *unified.Picture, imageproc.Geometry, *annotation.Picture) error{
		l.objects, l.divide, l.joints, l.classify, l.ask, l.caption, l.match,
	} {
		if err := f(id, ex, p, g, &found); err != nil {
			return found, err
		}
	}
	return found, nil
}

func (l *look) objects(id string, ex *dataset.Example, p *unified.Picture, g imageproc.Geometry, found *annotation.Picture) error {
	if !l.can.Has(task.Detect) || ex.Labels&dataset.HasBoxes == 0 {
		return nil
	}
	masks, joints := l.can.Has(task.Segment), l.can.Has(task.Pose)
	found.Objects = l.run.Objects(p, g, unified.AnswerOptions{
		Detect: unified.DetectOptions{Names: l.names, Threshold: minScore}, Masks: masks, Joints: joints, PoseThreshold: poseScore, Source: ex.Image,
	})
	truth := slices.Clone(ex.Objects)
	for i := range truth {
		truth[i].Label = l.spell(truth[i].Label)
	}
	if err := l.scores.box.Add(id, truth, found.Objects); err != nil {
		return err
	}
	if masks {
		if err := l.scores.mask.Add(id, truth, found.Objects); err != nil {
			return err
		}
	}
	if joints {
		return l.scores.pose.Add(id, withJoints(truth), withJoints(found.Objects))
	}
	return nil
}

// divide scores a label for every pixel. A model without a read-out for pixels is taken at the masks of the objects that it
// finds, laid over each other.
func (l *look) divide(_ string, ex *dataset.Example, p *unified.Picture, g imageproc.Geometry, found *annotation.Picture) error {
	if l.pixels == nil || ex.Semantic == nil {
		return nil
	}
	if l.m.Divides() {
		var err error
		if found.Semantic, err = l.run.Divide(p, g, l.pixels); err != nil {
			return err
		}
		return l.scores.pixels.Add(ex.Semantic, found.Semantic)
	}
	objects := l.run.Objects(p, g, unified.AnswerOptions{Detect: unified.DetectOptions{Names: l.pixels, Threshold: labelScore}, Masks: true})
	index := map[string]uint8{}
	for k, id := range l.pixels {
		index[l.m.Names.List[id]] = uint8(k)
	}
	found.Semantic = overlay(objects, index, found.W, found.H)
	return l.scores.pixels.Add(ex.Semantic, found.Semantic)
}

// overlay makes a label map of objects with masks, best first: where several overlap, the best has the pixels; those that
// none covers are Void.
func overlay(objects []annotation.Object, index map[string]uint8, w, h int) *annotation.LabelMap {
	m := &annotation.LabelMap{W: w, H: h, Pix: make([]uint8, w*h)}
	for i := range m.Pix {
		m.Pix[i] = annotation.Void
	}
	for i := len(objects) - 1; i >= 0; i-- {
		o := objects[i]
		k, known := index[o.Label]
		if o.Mask == nil || !known || o.Mask.W != w || o.Mask.H != h {
			continue
		}
		for j, inside := range o.Mask.Pix {
			if inside != 0 {
				m.Pix[j] = k
			}
		}
	}
	return m
}

// joints asks for the joints of people whose true boxes are given, so that pose is measured apart from detection.
func (l *look) joints(id string, ex *dataset.Example, p *unified.Picture, g imageproc.Geometry, _ *annotation.Picture) error {
	if !l.can.Has(task.Pose) {
		return nil
	}
	people := withJoints(ex.Objects)
	if len(people) == 0 {
		return nil
	}
	boxes, found := make([]annotation.Box, len(people)), make([]annotation.Object, len(people))
	for i := range people {
		people[i].Label, boxes[i] = unified.Person, people[i].Box
	}
	for i, joints := range l.run.PosesIn(p, g, ex.Image, boxes) {
		found[i] = annotation.Object{Label: unified.Person, Box: boxes[i], Joints: joints, Skeleton: annotation.COCO17}
	}
	return l.scores.addGiven(id, people, found)
}

func withJoints(os []annotation.Object) []annotation.Object {
	var out []annotation.Object
	for _, o := range os {
		if len(o.Joints) > 0 {
			out = append(out, o)
		}
	}
	return out
}

func (l *look) classify(_ string, ex *dataset.Example, p *unified.Picture, _ imageproc.Geometry, found *annotation.Picture) error {
	if !l.can.Has(task.Classify) || ex.Class == "" {
		return nil
	}
	ranked := l.run.Classify(p, l.labels.Classes)
	order := make([]string, len(ranked))
	for k, c := range ranked {
		order[k] = l.m.Names.List[c.Name]
	}
	found.Class = order[0]
	return l.scores.class.Add(l.spell(ex.Class), order...)
}

func (l *look) ask(_ string, ex *dataset.Example, p *unified.Picture, _ imageproc.Geometry, found *annotation.Picture) error {
	if !l.can.Has(task.Ask) || len(ex.Questions) == 0 {
		return nil
	}
	texts := make([]string, len(ex.Questions))
	for k, q := range ex.Questions {
		texts[k] = q.Text
	}
	found.Questions = l.run.Ask(p, texts)
	for k, q := range ex.Questions {
		if _, err := l.scores.answers.Add(q.Answers, found.Questions[k].Answer, q.Type, ""); err != nil {
			return err
		}
	}
	return nil
}

func (l *look) caption(_ string, ex *dataset.Example, p *unified.Picture, _ imageproc.Geometry, found *annotation.Picture) error {
	if !l.can.Has(task.Caption) || len(ex.Captions) == 0 || l.most > 0 && l.scores.captions.Images() == l.most {
		return nil
	}
	text, _ := l.run.Caption(p, nil)
	found.Captions = []string{text}
	return l.scores.captions.Add(ex.Captions, text)
}

// match places the picture and its captions in their joint space; they are searched for each other when all are there.
func (l *look) match(_ string, ex *dataset.Example, p *unified.Picture, _ imageproc.Geometry, _ *annotation.Picture) error {
	if !l.can.Has(task.Match) || len(ex.Captions) == 0 || len(l.scores.matches.pictures) == mostMatched {
		return nil
	}
	var texts [][]float32
	for _, c := range ex.Captions {
		texts = append(texts, l.run.TextVector(c))
	}
	l.scores.matches.add(l.run.ImageVector(p), texts)
	return nil
}
