package recipe

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"fovea/dataset"
	"fovea/task"
)

// Plan is how a recipe was understood and what it will take, found out before it is run.
type Plan struct {
	Model   PlanModel `json:"model"`
	Data    []PlanSet `json:"data"`
	Eval    []PlanSet `json:"eval"`
	Train   PlanTrain `json:"train"`
	Cost    *Cost     `json:"cost,omitempty"` // nil when it was not measured
	Remarks []string  `json:"remarks"`        // what should be looked at before the run
}

// PlanModel is the model to be trained.
type PlanModel struct {
	Variant    string `json:"variant"`
	From       string `json:"from,omitempty"`
	Size       int    `json:"size"` // side of its picture, pixels
	Parameters int    `json:"parameters"`
}

// PlanSet is a data set of a recipe.
type PlanSet struct {
	Name   string          `json:"name"`
	Path   string          `json:"path,omitempty"` // "" for scenes
	Split  string          `json:"split,omitempty"`
	Tasks  []string        `json:"tasks"`            // that its labels can teach or measure, of those asked for
	Images int             `json:"images"`           // that are used
	Splits map[string]int  `json:"splits,omitempty"` // pictures in each part of the data set
	Share  float64         `json:"share,omitempty"`  // of the samples of training
	Seen   float64         `json:"seen,omitempty"`   // times that a picture is seen in training
	Holds  *dataset.Survey `json:"holds"`
	Faults []dataset.Fault `json:"faults,omitempty"` // of its files
}

// PlanTrain is the length of the training.
type PlanTrain struct {
	Epochs     int    `json:"epochs"`
	EpochSteps int    `json:"epoch_steps"`
	Steps      int    `json:"steps"`
	Batch      int    `json:"batch"`
	Out        string `json:"out"`
}

// tinyCells is the longer side of the smallest box that a model can be expected to find, in cells of its feature map.
const tinyCells = 1

// Plan says how the recipe was understood. Nothing is trained or written.
func (r *Run) Plan() (*Plan, error) {
	c := r.Config
	p := &Plan{
		Model:   PlanModel{Variant: c.Model.Variant, From: c.Model.From, Size: r.Model.Config.Size},
		Train:   PlanTrain{c.Train.Epochs, r.Loop.Config.Steps / max(c.Train.Epochs, 1), r.Loop.Config.Steps, c.Train.Batch, c.Out},
		Remarks: []string{},
	}
	for _, q := range r.Model.Params() {
		p.Model.Parameters += len(q.Data)
	}
	total := 0.0
	for _, part := range r.sampler.mix.Parts() {
		total += part.Weight
	}
	samples := float64(r.Loop.Config.Steps * c.Train.Batch)
	for i, d := range c.Data {
		s, err := r.planSet(d, r.sets[i])
		if err != nil {
			return nil, err
		}
		s.Share = r.sampler.mix.Parts()[i].Weight / total
		s.Seen = s.Share * samples / float64(max(s.Images, 1))
		p.Data = append(p.Data, *s)
	}
	for i, d := range c.Eval {
		s, err := r.planSet(d, r.evals[i].Source)
		if err != nil {
			return nil, err
		}
		p.Eval = append(p.Eval, *s)
	}
	r.remark(p)
	return p, nil
}

func (r *Run) planSet(d Data, src dataset.Source) (*PlanSet, error) {
	holds, err := dataset.TakeSurvey(src, dataset.SurveyOptions{Tiny: tinyCells / float64(r.Model.Config.FeatureSide())})
	if err != nil {
		return nil, fmt.Errorf("recipe: %w", err)
	}
	s := &PlanSet{Name: d.name(src), Path: d.Path, Split: d.Split, Images: src.Len(), Holds: holds}
	_, can := labelsOf(src, d.Task.Set, r.Model.Names)
	if d.Teacher != "" {
		if can |= d.Teaches.Set; d.Teaches.Set == 0 {
			can |= task.SetOf(task.Classify)
		}
	}
	for t := task.Classify; t <= task.Match; t++ {
		if can.Has(t) {
			s.Tasks = append(s.Tasks, t.String())
		}
	}
	if k, ok := src.(dataset.Reporter); ok {
		s.Faults = k.Report().Faults()
	}
	if d.Path != "" {
		s.Splits = splitSizes(d.Path)
	}
	return s, nil
}

// splitSizes are the numbers of pictures in the parts of a data set that can be opened.
func splitSizes(path string) map[string]int {
	names, _, err := dataset.Splits(path)
	if err != nil { // the path is a split or a file: there is nothing beside it
		return nil
	}
	out := map[string]int{}
	for _, n := range names {
		if src, err := dataset.Open(path, dataset.OpenOptions{Split: n}); err == nil && n != "" {
			out[n] = src.Len()
		}
	}
	return out
}

// remark says what should be looked at: tasks without labels, pictures that are both trained on and measured, names that the
// model cannot tell apart, labels that are measured but not taught.
func (r *Run) remark(p *Plan) {
	c := r.Config
	add := func(format string, args ...any) { p.Remarks = append(p.Remarks, fmt.Sprintf(format, args...)) }
	if len(c.Eval) == 0 {
		add("nothing is measured; list held-out data under eval")
	}
	for i, d := range c.Data {
		for t := task.Classify; t <= task.Match; t++ {
			if d.Task.Listed.Has(t) && !slices.Contains(p.Data[i].Tasks, t.String()) {
				add("%s has no labels for %s", p.Data[i].Name, t)
			}
		}
		for k, e := range c.Eval {
			if n := shared(d, e, r.sets[i], r.evals[k].Source); n > 0 {
				add("%d of the %d pictures of %s that are measured are trained on, too (data[%d], eval[%d])", n, r.evals[k].Source.Len(), p.Eval[k].Name, i, k)
			}
		}
	}
	var taught, measured []string
	for _, s := range p.Data {
		taught = append(taught, namesOf(s.Holds)...)
	}
	for _, s := range p.Eval {
		measured = append(measured, namesOf(s.Holds)...)
	}
	p.Remarks = append(p.Remarks, r.Hints()...)
	var never []string
	for _, m := range measured {
		if known := func(t string) bool { return len(dataset.Twins([]string{t, m})) > 0 || t == m }; !slices.ContainsFunc(taught, known) && !slices.Contains(never, m) {
			never = append(never, m)
		}
	}
	if len(never) > 0 {
		const listed = 8
		more := ""
		if n := len(never) - listed; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		add("%s%s: measured, but in no data set to train on", quoted(never[:min(len(never), listed)]), more)
	}
}

// Hints says which labels of the data sets are one name for the model, though they are spelled differently.
func (r *Run) Hints() []string {
	var names, out []string
	for _, s := range r.sets {
		names = append(names, s.Classes()...)
	}
	for _, e := range r.evals {
		names = append(names, e.Source.Classes()...)
	}
	for _, t := range dataset.Twins(names) {
		out = append(out, quoted(t)+" are one name for the model, which knows no case; rename them if they are not meant to be")
	}
	return out
}

// namesOf are the labels that occur in a data set.
func namesOf(s *dataset.Survey) []string {
	var out []string
	for _, c := range s.Classes {
		if c.Samples() > 0 || c.Pixels > 0 {
			out = append(out, c.Name)
		}
	}
	return out
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = fmt.Sprintf("%q", n)
	}
	return strings.Join(out, ", ")
}

// shared is the number of pictures that two sets of a recipe have in common, by their files or, of scenes, their seed.
func shared(a, b Data, x, y dataset.Source) int {
	if a.Scenes > 0 || b.Scenes > 0 {
		if a.Scenes > 0 && b.Scenes > 0 && a.Seed == b.Seed {
			return min(a.Scenes, b.Scenes)
		}
		return 0
	}
	in := map[string]bool{}
	for _, f := range dataset.Files(x) {
		in[real(f)] = true
	}
	n := 0
	for _, f := range dataset.Files(y) {
		if in[real(f)] {
			n++
		}
	}
	return n
}

// real is the path of a file without links and dots.
func real(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		path = p
	}
	if p, err := filepath.Abs(path); err == nil {
		path = p
	}
	return path
}
