package recipe

import (
	"context"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/model/unified"
	"fovea/task"
)

// own is the program's own model as an Answerer, in training or after it. Its patches choose among the labels of the data set alone.
type own struct {
	m   *unified.Model
	run *unified.Runner

	round bool // products are of operands rounded to bfloat16
	beams int  // see unified.Runner.Search

	img *imageproc.RGB // the last picture, which is encoded once for all that is asked about it
	pic *unified.Picture
	fit *imageproc.RGB // the picture as the model sees it
	g   imageproc.Geometry
}

func newOwn(m *unified.Model, round bool, beams int) *own {
	work := kernel.NewWork(nil)
	if round {
		work.RoundBF16()
	}
	o := &own{m: m, run: unified.NewRunner(m, work), round: round, beams: beams}
	o.run.Search(context.Background(), beams)
	return o
}

// Fork implements forker: the same weights, and names of its own, as those that it is asked for are added to them.
func (o *own) Fork() Answerer {
	m := *o.m
	m.Names = task.NewNames(m.Vocab)
	m.Names.AddAll(o.m.Names.List[1:])
	return newOwn(&m, o.round, o.beams)
}

const (
	minScore   = .02 // least score of a detection that takes part in average precision: the curve needs the weak ones too
	poseScore  = .05 // of a person who is asked for joints while measuring
	labelScore = .3  // of an object whose mask labels pixels, as when a picture is divided by label
)

// Card implements Answerer.
func (o *own) Card() model.Card {
	return model.Card{
		Name: "own", OpenVocabulary: true, Skeleton: annotation.COCO17,
		Tasks: task.SetOf(task.Classify, task.Detect, task.Segment, task.Pose, task.Ask, task.Caption, task.Match),
	}
}

// Spell implements speller: labels that differ by case or underscores are one name for the model.
func (o *own) Spell(label string) string { return o.m.Names.List[o.m.Names.Add(label)] }

// Answer implements Answerer.
func (o *own) Answer(_ context.Context, img *imageproc.RGB, q Query) (*Found, error) {
	if img != o.img {
		square, g := o.m.Config.Fit().Apply(img)
		o.img, o.g, o.pic, o.fit = img, g, o.run.Encode(square), square
	}
	f := &Found{}
	views := []*unified.Picture{o.pic}
	for i := 1; i < q.Views && q.Tasks&task.SetOf(task.Classify, task.Match) != 0; i++ {
		square, _ := o.m.Config.Fit().Apply(img.View(i))
		views = append(views, o.run.Encode(square))
	}
	if q.Tasks.Has(task.Classify) {
		for _, c := range o.classify(views, q) {
			f.Labels = append(f.Labels, c.Label)
		}
	}
	if err := o.objects(f, q); err != nil {
		return nil, err
	}
	if len(q.People) > 0 {
		f.People = nil
		pic := o.pic
		if q.Views > 1 {
			pic = o.run.EncodeMirrored(o.fit)
		}
		for i, joints := range o.run.PosesIn(pic, o.g, img, q.People) {
			f.People = append(f.People, annotation.Object{Label: unified.Person, Box: q.People[i], Joints: joints, Skeleton: annotation.COCO17})
		}
	}
	if q.Tasks.Has(task.Ask) {
		for _, a := range o.run.Ask(o.pic, q.Questions) {
			f.Questions = append(f.Questions, a.Answer)
		}
	}
	if q.Tasks.Has(task.Caption) {
		f.Caption, _ = o.run.Caption(o.pic, nil)
	}
	if q.Tasks.Has(task.Match) {
		var each [][]float32
		for _, v := range views {
			each = append(each, o.run.ImageVector(v))
		}
		f.Vector = model.MeanVector(each...)
	}
	return f, nil
}

// classify weighs the labels by their mean over several views.
func (o *own) classify(views []*unified.Picture, q Query) []model.Class {
	names := once(o.m.Names.AddAll(q.Labels))
	var each [][]model.Class
	for _, v := range views {
		each = append(each, o.named(v, names))
	}
	return model.MeanClasses(each...)
}

// named weighs names, nil for the model's own, as those of a picture, best first.
func (o *own) named(pic *unified.Picture, names []int32) (out []model.Class) {
	for _, c := range o.run.Classify(pic, names) {
		out = append(out, model.Class{Label: o.m.Names.List[c.Name], Score: c.Score})
	}
	return out
}

// objects finds objects, their masks and joints in one go, or the labels of pixels.
func (o *own) objects(f *Found, q Query) (err error) {
	names := o.m.Names.AddAll(q.Query)
	if q.Tasks.Has(task.Segment) && q.Semantic {
		if o.m.Divides() {
			f.Divided, err = o.run.Divide(o.pic, o.g, names)
			return err
		}
		// without a read-out for pixels: the masks of the objects that it finds, laid over each other
		index := map[string]uint8{}
		for k, id := range names {
			index[o.m.Names.List[id]] = uint8(k)
		}
		found := o.run.Objects(o.pic, o.g, unified.AnswerOptions{Detect: unified.DetectOptions{Names: once(names), Threshold: labelScore}, Masks: true})
		f.Divided = overlay(found, index, o.img.W, o.img.H)
		return nil
	}
	joints := q.Tasks.Has(task.Pose) && len(q.People) == 0
	if !joints && !q.Tasks.Has(task.Detect) && !q.Tasks.Has(task.Segment) {
		return nil
	}
	f.Objects = o.run.Objects(o.pic, o.g, unified.AnswerOptions{
		Detect: unified.DetectOptions{Names: once(names), Threshold: minScore}, Masks: q.Tasks.Has(task.Segment), Joints: joints, PoseThreshold: poseScore, Source: o.img,
	})
	f.People = withJoints(f.Objects)
	for i := range f.People { // a copy: as objects they keep their scores
		f.People[i].Score *= annotation.JointScore(f.People[i].Joints)
	}
	return nil
}

// TextVector implements Answerer.
func (o *own) TextVector(_ context.Context, text string) ([]float32, error) {
	return o.run.TextVector(text), nil
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

func withJoints(os []annotation.Object) []annotation.Object {
	var out []annotation.Object
	for _, o := range os {
		if len(o.Joints) > 0 {
			out = append(out, o)
		}
	}
	return out
}
