package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/annotation"
	"fovea/dataset"
	"fovea/dataset/scenes"
	"fovea/imageproc"
	"fovea/internal/recipe"
	"fovea/model/unified"
	"fovea/task"
)

type evalOptions struct {
	setOptions
	model, data string
	names       string
	tasks       []string
	limit, skip int
	size, views int
	tiles       int
	beams       int
	precision   string
}

func (a *app) eval() *cobra.Command {
	o := evalOptions{setOptions: setOptions{skeleton: annotation.COCO17}} // what the model answers with
	c := &cobra.Command{
		Use: "eval --data PATH", Short: "Measure a model on a labelled data set",
		Long: `Puts every picture of a data set to a model and scores the answers with the task's standard metric: top1 and top5, COCO's AP and AR over boxes, masks and joints, ` +
			`mIoU over pixels, VQA accuracy, CIDEr and BLEU over captions, and, of published models, recall at 1, 5 and 10 of pictures and captions among each other. One line for each task. Ctrl-C ends it with the metrics of the pictures so far. PATH "scenes" stands for generated scenes that no training run has seen.`,
		Example: "fovea eval --data coco/ --split val --task detect\nfovea eval --model runs/first/model --data scenes --limit 300 --json",
		Args:    args(0, 0, ""),
		RunE:    func(c *cobra.Command, _ []string) error { return a.runEval(c.Context(), &o) },
	}
	f := c.Flags()
	f.StringVarP(&o.model, "model", "m", fovea.DefaultModel, "measure this model: a name, a folder or org/repo")
	f.StringVar(&o.data, "data", "", "the data set: a folder or an annotation file, or scenes")
	f.StringVar(&o.split, "split", "", "the part of the data set: val, test, … (default the only one, or train)")
	f.StringArrayVar(&o.tasks, "task", []string{"all"}, "measure these tasks: classify, detect, segment, pose, ask, caption, match, all")
	f.IntVar(&o.limit, "limit", 0, "use the first so many pictures (default all; of scenes 500)")
	f.IntVar(&o.skip, "skip", 0, "leave out the first so many pictures of the data set, which were trained on; --limit counts from there")
	f.IntVar(&o.size, "size", 0, "draw scenes of so many pixels a side (default as the model's pictures)")
	f.IntVar(&o.views, "views", 1, viewsHelp)
	f.IntVar(&o.beams, "beams", 0, beamsHelp)
	f.IntVar(&o.tiles, "tiles", 1, "with --task detect, "+tilesHelp)
	f.StringVar(&o.precision, "precision", "", precisionHelp)
	f.StringVar(&o.names, "names", "", "a file of lines `CLASS TAB NAME` that give classes of the data set, and of a published model, other names")
	_ = c.RegisterFlagCompletionFunc("model", completeModels)
	_ = c.RegisterFlagCompletionFunc("task", completeTasks)
	return c
}

// unseenScenes is the seed of scenes to measure on; training uses small seeds.
const unseenScenes = 1_000_001

func (a *app) runEval(ctx context.Context, o *evalOptions) error {
	tasks, err := parseTasks(o.tasks)
	if err != nil {
		return err
	}
	switch {
	case o.data == "":
		return usage("fovea eval --data coco/ --split val", "--data is missing")
	case o.size != 0 && (o.size < 32 || o.size > maxSceneSize || o.data != "scenes"):
		return usage("", "--size is %d, want 32 … %d, of scenes", o.size, maxSceneSize)
	case o.views < 1 || o.views > imageproc.MaxViews:
		return usage("", "--views is %d, want 1 … %d", o.views, imageproc.MaxViews)
	case o.tiles < 1 || o.tiles > fovea.MaxTiles:
		return usage("", "--tiles is %d, want 1 … %d", o.tiles, fovea.MaxTiles)
	case o.tiles > 1 && tasks != task.SetOf(task.Detect):
		return usage("add --task detect", "--tiles is for boxes alone")
	case o.skip < 0 || o.skip > 0 && o.data == "scenes":
		return usage("", "--skip is %d, want a number of pictures of a data set", o.skip)
	case o.limit < 0 || o.limit > maxScenes:
		return usage("", "--limit is %d, want at least 1", o.limit)
	}
	if err := checkPrecision(o.precision); err != nil {
		return err
	}
	if err := (fovea.Writing{Beams: o.beams}).Check(); err != nil {
		return usage("", "--beams: %s", strings.TrimPrefix(err.Error(), "generate: "))
	}
	var names dataset.Names
	if o.names != "" {
		if names, err = dataset.ReadNames(o.names); err != nil {
			return bad("", "%s", strings.TrimPrefix(err.Error(), "dataset: "))
		}
	}
	files, name, err := fovea.Files(o.model)
	if err != nil {
		return missingModel(o.model, err)
	}
	e := recipe.Evaluation{Tasks: tasks, Limit: o.limit, Views: o.views, Beams: o.beams, Precision: o.precision}
	side, run, done, err := a.measured(ctx, o, names, files, name, &e)
	if err != nil {
		return err
	}
	defer done()
	src, err := o.source(side)
	if err != nil {
		return err
	}
	if names != nil {
		src = dataset.Renamed(src, names)
	}
	e.Name, e.Source = src.Name(), src
	n := src.Len()
	if o.limit > 0 {
		n = min(n, o.limit)
	}
	p := a.progress("measuring "+name, n)
	e.Progress = func(done, _ int) { p.step(done) }
	start := time.Now()
	got, err := run(ctx)
	p.done()
	if errors.Is(err, recipe.ErrNothing) {
		return bad("see fovea data info and fovea show", "%s: %w", o.data, err)
	}
	left := a.unread(got)
	if left.failed > 0 && left.done == 0 && ctx.Err() == nil {
		return left.outcome()
	}
	if err != nil && (ctx.Err() == nil || got.Images == 0) {
		return bad("", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
	}
	printed := a.printEvaluation(got.Metrics, tasks, measures{Data: o.data, Images: got.Images, Speed: float64(got.Images) / time.Since(start).Seconds()})
	if err != nil { // interrupted
		return &failure{exitFailed, fmt.Errorf("interrupted after %d of %d pictures; the metrics are of those", got.Images, n), ""}
	}
	return errors.Join(printed, left.outcome())
}

// unread reports the pictures of an evaluation that could not be read.
func (a *app) unread(m recipe.Measurement) tally {
	n := tally{done: m.Images}
	for _, err := range m.Unread {
		it := failedExample(err)
		a.showFailure(it)
		n.fail(it.err)
	}
	return n
}

// measured opens a model for an evaluation, whose pictures have the given side: the program's own answer it directly, any other, and
// parts of pictures, through package fovea.
func (a *app) measured(ctx context.Context, o *evalOptions, names dataset.Names, files fs.FS, name string, e *recipe.Evaluation) (side int, run func(context.Context) (recipe.Measurement, error), done func(), err error) {
	if isNative(files) && o.tiles == 1 {
		m, err := unified.Open(files)
		if err != nil {
			return 0, nil, nil, bad("", "open model %q: %w", name, err)
		}
		return m.Config.Size, func(ctx context.Context) (recipe.Measurement, error) { return e.Run(ctx, m) }, func() {}, nil
	}
	p, err := a.open(ctx, o.model, nil, fovea.WithPrecision(fovea.Precision(o.precision)))
	if err != nil {
		return 0, nil, nil, err
	}
	run = func(ctx context.Context) (recipe.Measurement, error) {
		return e.RunOn(ctx, answerer{p, names, o.tiles, o.beams})
	}
	return p.Card().Size, run, func() { _ = p.Close() }, nil
}

// source opens the data set. Scenes are drawn at the size of the model's pictures, side, unless another is asked for.
func (o *evalOptions) source(side int) (dataset.Source, error) {
	if o.data != "scenes" {
		src, err := o.open(o.data)
		if err == nil && o.skip > 0 {
			if src, err = dataset.Part(src, o.skip, 0); err != nil {
				err = usage("", "--skip: %s", strings.TrimPrefix(err.Error(), "dataset: "))
			}
		}
		return src, err
	}
	n := o.limit
	if n == 0 {
		n = 500
	}
	return scenes.New(scenes.Config{Seed: unseenScenes, N: n, Size: cmp.Or(o.size, side)}), nil
}

// kinds are the first words of the metrics of each task.
var kinds = map[task.Task]string{task.Classify: "class", task.Detect: "box", task.Segment: "mask", task.Pose: "pose", task.Ask: "answers",
	task.Caption: "captions", task.Match: "retrieval"}

// printEvaluation prints the metrics of each task on its own, under the names that people know.
func (a *app) printEvaluation(metrics map[string]float64, tasks task.Set, about measures) error {
	printed := false
	for t := task.Classify; t <= task.Match; t++ {
		m := about
		m.Task, m.Metrics = t.String(), map[string]float64{}
		for name, v := range metrics {
			if rest, ok := strings.CutPrefix(name, kinds[t]+" "); ok && tasks.Has(t) {
				m.Metrics[rest] = v
			}
		}
		if len(m.Metrics) == 0 {
			continue
		}
		if err := a.printMeasures(m); err != nil {
			return err
		}
		printed = true
	}
	if !printed {
		return bad("see fovea data info", "%s has no labels for %s", about.Data, taskNames(tasks))
	}
	return nil
}

func taskNames(s task.Set) string {
	var out []string
	for t := task.Classify; t <= task.Match; t++ {
		if s.Has(t) {
			out = append(out, t.String())
		}
	}
	return strings.Join(out, ", ")
}

// headlines are the metrics that end a training run, in their order, and how they are spelled there.
var headlines = []struct{ metric, name string }{
	{"class top1", "Accuracy"}, {"box AP", "Box AP"}, {"box AP50", "Box AP50"}, {"mask AP", "Mask AP"}, {"mask AP50", "Mask AP50"}, {"mask mIoU", "mIoU"},
	{"pose AP", "Pose AP"}, {"pose PCK", "Pose PCK"}, {"answers vqa_accuracy", "VQA Accuracy"}, {"captions CIDEr", "Caption CIDEr"}, {"captions BLEU4", "Caption BLEU4"},
	{"pose PCK_torso", "Pose PCK@.2 (torso)"}, {"pose AP50_given_box", "Pose AP50 (box given)"}, {"retrieval i2t_R@1", "Image to Text R@1"}, {"retrieval t2i_R@1", "Text to Image R@1"},
}

// results are the last lines of a training run: "Test Accuracy: 85.5 %", with the set's name where several have the metric.
func results(metrics map[string]float64) []string {
	var out []string
	for _, h := range headlines {
		var sets []string
		for key := range metrics {
			if set, ok := strings.CutSuffix(key, " "+h.metric); ok {
				sets = append(sets, set)
			}
		}
		slices.Sort(sets)
		for _, set := range sets {
			name := h.name
			if len(sets) > 1 {
				name += " (" + set + ")"
			}
			out = append(out, fmt.Sprintf("Test %s: %.1f %%", name, 100*metrics[set+" "+h.metric]))
		}
	}
	return out
}
