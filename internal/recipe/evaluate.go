package recipe

import (
	"fmt"
	"strings"

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
	// Progress is told after every picture.
	Progress func(done, total int)
	// Keep receives pictures with what was found, for contact sheets; nil keeps none.
	Keep func(ex *dataset.Example, found annotation.Picture)
}

// minScore is the least score of a detection that takes part in average precision: the curve needs the weak ones too.
const minScore = .02

// poseScore is the least score of a person that is asked for joints while measuring.
const poseScore = .05

// Run measures the model; the metrics' names are prefixed with their kind: "box AP", "answers exact".
func (e *Evaluation) Run(m *unified.Model) (map[string]float64, error) {
	r := unified.NewRunner(m, kernel.NewWork(nil))
	fit := m.Config.Fit()
	n := e.Source.Len()
	if e.Limit > 0 {
		n = min(n, e.Limit)
	}
	labels, can := labelsOf(e.Source, e.Tasks, m.Names)
	names := labels.Candidates
	if len(names) > 0 {
		names = names[1:]
	}
	classes := e.Source.Classes()
	box, mask := eval.NewDetection(eval.Boxes, classes...), eval.NewDetection(eval.Masks, classes...)
	pose := eval.NewDetection(eval.Keypoints, unified.Person)
	pck := eval.NewPCK(.1, eval.BoxSide)
	vqa := eval.NewVQA()
	top, err := eval.NewClassification(classes...)
	if err != nil {
		return nil, err
	}
	for i := range n {
		ex, err := e.Source.At(i, nil)
		if err != nil {
			return nil, fmt.Errorf("recipe: evaluate %s: %w", e.Name, err)
		}
		img, g := fit.Apply(ex.Image)
		p := r.Encode(img)
		found := annotation.Picture{W: ex.Image.W, H: ex.Image.H}
		if can.Has(task.Detect) && ex.Labels&dataset.HasBoxes != 0 {
			found.Objects = r.Objects(p, g, unified.AnswerOptions{
				Detect: unified.DetectOptions{Names: names, Threshold: minScore}, Masks: can.Has(task.Segment), Joints: can.Has(task.Pose), PoseThreshold: poseScore,
			})
			id := fmt.Sprint(i)
			if err := box.Add(id, ex.Objects, found.Objects); err != nil {
				return nil, err
			}
			if can.Has(task.Segment) {
				if err := mask.Add(id, ex.Objects, found.Objects); err != nil {
					return nil, err
				}
			}
			if can.Has(task.Pose) {
				if err := pose.Add(id, withJoints(ex.Objects), withJoints(found.Objects)); err != nil {
					return nil, err
				}
			}
		}
		if can.Has(task.Pose) {
			if err := addPCK(r, p, g, ex.Objects, pck); err != nil {
				return nil, err
			}
		}
		if can.Has(task.Classify) && ex.Class != "" {
			ranked := r.Classify(p, labels.Classes)
			order := make([]string, len(ranked))
			for k, c := range ranked {
				order[k] = m.Names.List[c.Name]
			}
			found.Class = order[0]
			if err := top.Add(ex.Class, order...); err != nil {
				return nil, err
			}
		}
		if can.Has(task.Ask) && len(ex.Questions) > 0 {
			qs := make([]string, len(ex.Questions))
			for k, q := range ex.Questions {
				qs[k] = q.Text
			}
			found.Questions = r.Ask(p, qs)
			for k, q := range ex.Questions {
				if _, err := vqa.Add(q.Answers, found.Questions[k].Answer, q.Type, ""); err != nil {
					return nil, err
				}
			}
		}
		if can.Has(task.Caption) && e.Keep != nil && len(ex.Captions) > 0 {
			c, _ := r.Caption(p, nil)
			found.Captions = []string{c}
		}
		if e.Keep != nil {
			e.Keep(ex, found)
		}
		if e.Progress != nil {
			e.Progress(i+1, n)
		}
	}
	out := map[string]float64{}
	merge := func(prefix string, from map[string]float64) {
		for k, v := range from {
			out[strings.TrimSpace(prefix+" "+k)] = v
		}
	}
	if can.Has(task.Detect) && box.Images() > 0 {
		merge("box", box.Result())
	}
	if can.Has(task.Segment) && mask.Images() > 0 {
		merge("mask", mask.Result())
	}
	if can.Has(task.Pose) {
		if pose.Images() > 0 {
			merge("pose", pose.Result())
		}
		if pck.People() > 0 {
			merge("pose", pck.Result())
		}
	}
	if top.Images() > 0 {
		merge("class", top.Result())
	}
	if vqa.Questions() > 0 {
		merge("answers", vqa.Result())
		merge("answers", vqa.PerQuestionType())
	}
	return out, nil
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

// addPCK asks for the joints of people whose true boxes are given, so that pose is measured apart from detection.
func addPCK(r *unified.Runner, p *unified.Picture, g imageproc.Geometry, truth []annotation.Object, pck *eval.PCK) error {
	people := withJoints(truth)
	for i, o := range r.PosesIn(p, g, people) {
		if _, err := pck.Add(people[i], &o); err != nil {
			return err
		}
	}
	return nil
}
