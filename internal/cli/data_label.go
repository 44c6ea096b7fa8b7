package cli

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/annotation"
	"fovea/dataset"
	"fovea/dataset/scenes"
	"fovea/model/unified"
	"fovea/task"
)

type dataLabelOptions struct {
	setOptions
	model, out string
	tasks      []string
	query      []string
	threshold  float64
	limit      int
	keep       bool
}

func (a *app) dataLabel() *cobra.Command {
	o := dataLabelOptions{setOptions: setOptions{skeleton: annotation.COCO17}}
	c := &cobra.Command{
		Use: "label PATH", Short: "Label pictures with a model, to correct and to train on",
		Long: `Puts every picture of a folder, or of a data set, to a model and writes what it finds as a new data set in COCO's layout: boxes, masks, joints, captions. Pictures keep their names. ` +
			`Labels that a model made are a draft: look at them (fovea data preview), correct them in any program that reads COCO's files, and train on them. ` +
			`With --keep the labels that the data set has stay, and only what overlaps none of them is added.`,
		Example: "fovea data label photos/ --out labelled/ --query \"person\" --threshold 0.6\nfovea data label coco_pose/ --split train --keep --task detect --out more/",
		Args:    args(1, 1, "PATH"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runDataLabel(c.Context(), &o, args[0]) },
	}
	o.flags(c)
	f := c.Flags()
	f.StringVarP(&o.model, "model", "m", fovea.DefaultModel, "the model that labels: a name, a folder or org/repo")
	f.StringVarP(&o.out, "out", "o", "", "the new folder")
	f.StringArrayVar(&o.tasks, "task", []string{"detect"}, "label these: detect, segment, pose, caption")
	f.StringArrayVar(&o.query, "query", nil, "look for these things, separated by commas (default the model's own labels)")
	f.Float64Var(&o.threshold, "threshold", .5, "leave out what is less probable, in [0, 1]")
	f.IntVar(&o.limit, "limit", 0, "label the first so many pictures (default all)")
	f.BoolVar(&o.keep, "keep", false, "keep the labels that there are, and add to them")
	_ = c.RegisterFlagCompletionFunc("model", completeModels)
	_ = c.RegisterFlagCompletionFunc("task", completeTasks)
	return c
}

// drafted are the tasks whose answers are labels of a data set.
var drafted = task.SetOf(task.Detect, task.Segment, task.Pose, task.Caption)

func (a *app) runDataLabel(ctx context.Context, o *dataLabelOptions, path string) error {
	tasks, err := parseTasks(o.tasks)
	switch {
	case err != nil:
		return err
	case o.out == "":
		return usage("fovea data label photos/ --out labelled/", "--out is missing")
	case tasks == 0 || tasks&^drafted != 0:
		return usage("", "--task is %s, want detect, segment, pose or caption", strings.Join(o.tasks, ", "))
	case !(o.threshold >= 0 && o.threshold <= 1):
		return usage("", "--threshold is %g, want 0 … 1", o.threshold)
	case o.limit < 0:
		return usage("", "--limit is %d, want at least 1", o.limit)
	}
	src, err := o.open(path)
	if err != nil {
		return err
	}
	p, err := a.open(ctx, o.model, nil)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	card := p.Card()
	if missing := tasks &^ card.Tasks; missing != 0 {
		return bad("fovea models", "the model %q cannot %s", card.Name, taskNames(missing))
	}
	l := &labeller{ctx: ctx, Source: src, model: p, ask: fovea.Request{Tasks: tasks, Query: list(o.query), Threshold: o.threshold}, keep: o.keep}
	if tasks&task.SetOf(task.Detect, task.Segment) != 0 && len(l.ask.Query) == 0 && len(card.Labels) == 0 {
		return usage(`--query "person, dog"`, "the model %q has no labels of its own: say what to look for", card.Name)
	}
	if err := a.settleRequest(&l.ask, p, &pictureOptions{}); err != nil {
		return err
	}
	if o.keep {
		l.classes = slices.Clone(src.Classes())
	}
	found := list(o.query)
	if len(found) == 0 {
		found = card.Labels
	}
	if tasks.Has(task.Pose) {
		found = append(slices.Clone(found), unified.Person)
	}
	for _, c := range found {
		if !slices.Contains(l.classes, c) {
			l.classes = append(l.classes, c)
		}
	}
	n := src.Len()
	if o.limit > 0 {
		n = min(n, o.limit)
	}
	bar := a.progress("labelling", n)
	var done tally
	skip := func(err error) bool {
		if ctx.Err() != nil {
			return false
		}
		bar.done()
		it := failedExample(err)
		a.showFailure(it)
		done.fail(it.err)
		return true
	}
	err = scenes.ExportSplits(o.out, []scenes.Split{{Name: "train", Source: l, N: n, Skip: skip, Named: true}}, bar.step)
	bar.done()
	switch done.done = n - done.failed; {
	case ctx.Err() != nil:
		return ctx.Err()
	case done.done == 0:
		return done.outcome()
	case err != nil:
		return bad("", "%s", strings.TrimPrefix(err.Error(), "scenes: "))
	}
	if a.json {
		err = a.printJSON(map[string]any{"out": o.out, "images": done.done, "objects": l.objects, "kept": l.kept, "model": card.Name})
	} else if !a.quiet {
		n, before := l.objects+l.kept, ""
		if o.keep {
			before = fmt.Sprintf(", %d of which were there before", l.kept)
		}
		fmt.Fprintf(a.err, "%s holds %d picture%s with %d object%s%s; see fovea data preview %[1]s\n", o.out, done.done, plural(done.done), n, plural(n), before)
	}
	return errors.Join(err, done.outcome())
}

// failedExample is a picture of a data set that cannot be read.
func failedExample(err error) *item {
	it := &item{err: fovea.PictureError(err)}
	var known *dataset.ExampleError
	if errors.As(err, &known) {
		it.name, it.err = known.ID, fovea.PictureError(known.Err)
	}
	return it
}

// labeller is a data set whose labels a model makes as they are read.
type labeller struct {
	dataset.Source
	ctx     context.Context
	model   *fovea.Predictor
	ask     fovea.Request
	classes []string
	keep    bool

	objects, kept int
}

// Classes implements dataset.Source.
func (l *labeller) Classes() []string { return l.classes }

// same reports that a box that was found is of a thing that has one: of a label that was kept, which is right, any part of it or more;
// of another that was found, about the same.
func same(found, other annotation.Object, kept bool) bool {
	if found.Label != other.Label {
		return false
	}
	if i := found.Box.Intersect(other.Box); kept && !i.Empty() {
		return i.Area() > .5*min(found.Box.Area(), other.Box.Area())
	}
	return found.Box.IoU(other.Box) > .5
}

// At implements dataset.Source.
func (l *labeller) At(i int, rng *rand.Rand) (*dataset.Example, error) {
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	ex, err := l.Source.At(i, rng)
	if err != nil {
		return nil, err
	}
	ask := l.ask
	ask.Image = ex.Image
	r, err := l.model.Do(l.ctx, ask)
	if err != nil {
		return nil, &dataset.ExampleError{Set: l.Name(), ID: ex.ID, Err: err}
	}
	f, err := foundBy(r)
	if err != nil {
		return nil, &dataset.ExampleError{Set: l.Name(), ID: ex.ID, Err: err}
	}
	p := annotation.Picture{W: ex.Image.W, H: ex.Image.H}
	if l.keep {
		p.Objects, p.Captions, p.Questions = ex.Objects, ex.Captions, ex.Questions
	}
	l.kept += len(p.Objects)
	before := len(p.Objects)
	for _, o := range slices.Concat(f.Objects, f.People) { // people last: they bring joints to those that were found as objects
		if !slices.Contains(l.classes, o.Label) {
			continue
		}
		if o.Mask != nil && o.Area == 0 { // found, but not drawn
			o.Mask = nil
		}
		for k := range o.Joints {
			if o.Joints[k].V = annotation.Visible; o.Joints[k].Score < fovea.DefaultThreshold {
				o.Joints[k].V = annotation.Absent
			}
		}
		twin := -1
		for k, x := range p.Objects {
			if twin < 0 && same(o, x, k < before) {
				twin = k
			}
		}
		if twin < 0 {
			p.Objects = append(p.Objects, o)
		} else if twin >= before && p.Objects[twin].Joints == nil {
			p.Objects[twin].Joints, p.Objects[twin].Skeleton = o.Joints, o.Skeleton
		}
	}
	l.objects += len(p.Objects) - before
	if f.Caption != "" {
		p.Captions = append(p.Captions, f.Caption)
	}
	ex.Picture = p
	return ex, nil
}
