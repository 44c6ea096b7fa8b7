package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/annotation"
	"fovea/checkpoint"
	"fovea/compress"
	"fovea/dataset"
	"fovea/dataset/scenes"
	"fovea/internal/recipe"
	"fovea/model/unified"
	"fovea/task"
)

type compressOptions struct {
	evalOptions
	out              string
	int8, int4, bf16 bool
	prune            float64
	calibrate        int
	lessonOptions
}

func (a *app) compress() *cobra.Command {
	o := compressOptions{evalOptions: evalOptions{setOptions: setOptions{skeleton: annotation.COCO17}, views: 1}}
	c := &cobra.Command{
		Use: "compress MODEL", Short: "Make a model smaller, and measure it before and after",
		Long: `Writes a smaller copy of a model of the program's own kind: its weights in two bytes each (--bf16), one (--int8, a scale a row) or half of one (--int4, a scale for each 32), ` +
			`or without a share of the units of its feed-forward layers (--prune), which makes it faster, too; or both. Units are chosen by what they say of pictures, and those that stay take over from those that go. ` +
			`With --distill it then learns to answer as a teacher does; with --variant, so does a new and smaller model. ` +
			`Then both models are measured as fovea eval does, and timed on the same pictures in turn. The model itself stays as it is.`,
		Example: "fovea compress runs/mine/model --int8 --out small/\nfovea compress runs/mine/model --prune 0.5 --bf16 --data coco/ --split val --task detect\nfovea compress nano --prune 0.25 --limit 100 --json\nfovea compress runs/mine/model --distill runs/mine/model --variant mini --pictures photos/",
		Args:    args(1, 1, "MODEL"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runCompress(c, &o, args[0]) },
	}
	f := c.Flags()
	f.BoolVar(&o.int8, "int8", false, "store matrices in one byte a weight and a scale a row")
	f.BoolVar(&o.int4, "int4", false, "store matrices in half a byte a weight and a scale for each 32")
	f.BoolVar(&o.bf16, "bf16", false, "store matrices in two bytes a weight (bfloat16)")
	f.Float64Var(&o.prune, "prune", 0, "take out this share of the feed-forward units, in (0, 1)")
	f.IntVar(&o.calibrate, "calibrate", 64, "choose units by so many pictures")
	f.StringVarP(&o.out, "out", "o", "", "the new model's folder (default the model's name and how it was made, here)")
	f.StringVar(&o.data, "data", "scenes", "measure on this data set: a folder or an annotation file, scenes, or none")
	f.StringVar(&o.split, "split", "", "the part of the data set: val, test, … (default the only one, or train)")
	f.StringArrayVar(&o.tasks, "task", []string{"all"}, "measure these tasks: classify, detect, segment, pose, ask, caption, match, all")
	f.IntVar(&o.limit, "limit", 200, "measure on the first so many pictures")
	f.IntVar(&o.size, "size", 0, "draw scenes of so many pixels a side (default as the model's pictures)")
	o.lessonOptions.flags(c)
	_ = c.RegisterFlagCompletionFunc("task", completeTasks)
	c.ValidArgsFunction = completeModels
	return c
}

// check names a flag with a wrong value.
func (o *compressOptions) check(c *cobra.Command) error {
	formats := 0
	for _, on := range []bool{o.int8, o.int4, o.bf16} {
		if on {
			formats++
		}
	}
	pruned := c.Flags().Changed("prune")
	switch {
	case formats > 1:
		return usage("", "--int8, --int4 and --bf16 are one choice")
	case formats == 0 && !pruned && o.distill == "":
		return usage("fovea compress MODEL --int8", "how to compress is missing: --int8, --int4, --bf16, --prune 0.5 or --distill TEACHER")
	case pruned && o.variant != "":
		return usage("leave out --prune", "--variant makes a new model, which has nothing to be pruned")
	case pruned && !(o.prune > 0 && o.prune < 1):
		return usage("--prune 0.5 takes out half of the units", "--prune is %g, want more than 0 and less than 1", o.prune)
	case o.calibrate < 1 || o.calibrate > maxScenes:
		return usage("", "--calibrate is %d, want 1 … %d", o.calibrate, maxScenes)
	case o.limit < 1 || o.limit > maxScenes:
		return usage("--data none measures nothing", "--limit is %d, want 1 … %d", o.limit, maxScenes)
	case o.size != 0 && (o.size < 32 || o.size > maxSceneSize || o.data != "scenes"):
		return usage("", "--size is %d, want 32 … %d, of scenes", o.size, maxSceneSize)
	}
	return o.lessonOptions.check(c)
}

// how names what is done, as it stands in a folder's name.
func (o *compressOptions) how() (words []string) {
	if o.prune > 0 {
		words = append(words, fmt.Sprintf("prune-%g", o.prune))
	}
	if o.variant != "" {
		words = append(words, o.variant)
	}
	if o.distill != "" {
		words = append(words, "distilled")
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{o.int8, "int8"}, {o.int4, "int4"}, {o.bf16, "bf16"}} {
		if f.on {
			words = append(words, f.name)
		}
	}
	return words
}

// compressed is the JSON of a compression.
type compressed struct {
	Task       string                          `json:"task"`
	Model      string                          `json:"model"`
	Out        string                          `json:"out"`
	How        []string                        `json:"how"`
	Parameters beforeAfter[int]                `json:"parameters"`
	Bytes      beforeAfter[int64]              `json:"bytes"`
	MS         *beforeAfter[float64]           `json:"ms,omitempty"`
	Data       string                          `json:"data,omitempty"`
	Images     int                             `json:"images,omitempty"`
	Metrics    map[string]beforeAfter[float64] `json:"metrics,omitempty"`

	left tally // pictures that were measured, and those that could not be read
}

type beforeAfter[T any] struct {
	Before T `json:"before"`
	After  T `json:"after"`
}

func (a *app) runCompress(c *cobra.Command, o *compressOptions, name string) error {
	ctx := c.Context()
	tasks, err := parseTasks(o.tasks)
	if err != nil {
		return err
	}
	if err := o.check(c); err != nil {
		return err
	}
	if o.model = name; o.distill == name && o.variant == "" && o.prune == 0 {
		return usage("add --prune 0.5 or --variant mini", "%s cannot learn from itself as it is", name)
	}
	files, short, err := fovea.Files(name)
	if err != nil {
		return missingModel(name, err)
	}
	if !isNative(files) {
		return bad("open it in fewer bits instead: --precision int8 of the commands that look at pictures", "%s is a published model; models of the program's own kind can be compressed", name)
	}
	if o.out == "" {
		o.out = strings.Join(append([]string{filepath.Base(short)}, o.how()...), "-")
	}
	if _, err := os.Lstat(o.out); !errors.Is(err, fs.ErrNotExist) {
		return usage("name another folder with --out", "%s exists already", o.out)
	}
	m, err := unified.Open(files)
	if err != nil {
		return bad("", "open model %q: %w", short, err)
	}
	var src dataset.Source
	if o.data != "none" {
		if src, err = o.source(m.Config.Size); err != nil {
			return err
		}
	}
	res := compressed{Task: "compress", Model: short, Out: o.out, How: o.how(), Parameters: beforeAfter[int]{Before: weightsOf(m)}}
	if res.Bytes.Before, err = sizeOf(files); err != nil {
		return err
	}
	small := m
	if o.prune > 0 {
		if small, err = a.pruned(ctx, o, m, src, tasks); err != nil {
			return err
		}
	}
	if o.distill != "" {
		if small, err = a.distilled(ctx, o, small, src, tasks); err != nil {
			return err
		}
	}
	if err := saveModel(small, o.out, o.format(files)); err != nil {
		return err
	}
	res.Parameters.After = weightsOf(small)
	if res.Bytes.After, err = sizeOf(os.DirFS(o.out)); err != nil {
		return err
	}
	if src != nil {
		if err := a.compareModels(ctx, o, &res, src, tasks, m); err != nil {
			return err
		}
	}
	return errors.Join(a.printCompressed(&res), res.left.outcome())
}

// format is how the new model's weights are stored: as the model's are, unless it was said.
func (o *compressOptions) format(files fs.FS) checkpoint.DType {
	switch {
	case o.int8:
		return checkpoint.I8
	case o.int4:
		return checkpoint.I4
	case o.bf16:
		return checkpoint.BF16
	}
	return unified.StoredAs(files)
}

// pruned takes units out of the model. They are chosen by pictures that are not measured: scenes that training may have seen, or
// those of the data set's train part, or else of what follows the measured ones.
func (a *app) pruned(ctx context.Context, o *compressOptions, m *unified.Model, src dataset.Source, tasks task.Set) (*unified.Model, error) {
	e := recipe.Evaluation{Name: "calibration", Tasks: tasks &^ task.SetOf(task.Match), Limit: o.calibrate, Captions: o.calibrate / 4}
	if src == nil || o.data == "scenes" {
		e.Source = scenes.New(scenes.Config{Seed: 1, N: o.calibrate, Size: cmp.Or(o.size, m.Config.Size)})
	} else {
		var err error
		if e.Source, err = a.others(o, src); err != nil {
			return nil, bad("", "%s", strings.TrimPrefix(err.Error(), "dataset: "))
		}
	}
	n := min(e.Source.Len(), o.calibrate)
	p := a.progress("choosing units", n)
	e.Progress = func(done, _ int) { p.step(done) }
	small, err := compress.Prune(ctx, m, o.prune, func(m *unified.Model) error {
		_, err := e.Run(ctx, m)
		return err
	})
	p.done()
	if err != nil && ctx.Err() == nil {
		return nil, bad("", "%s", strings.TrimPrefix(strings.TrimPrefix(err.Error(), "compress: "), "recipe: "))
	}
	return small, err
}

// others are pictures of the data set beside those that are measured. Where there are none it is those themselves, which flatters the
// smaller model; that is said.
func (a *app) others(o *compressOptions, src dataset.Source) (dataset.Source, error) {
	split, skip, ok := o.beside(src)
	switch {
	case !ok:
		a.note("the units are chosen by the %d pictures that are measured, for %s has no others: the figures flatter the smaller model; --limit %d leaves half of them to choose by",
			src.Len(), o.data, max(src.Len()/2, 1))
		return src, nil
	case skip > 0:
		return dataset.Part(src, skip, 0)
	}
	train := setOptions{split: split, skeleton: o.skeleton}
	return train.open(o.data)
}

// beside is where the data set has pictures that are not measured: its train part, or what follows the measured ones.
func (o *compressOptions) beside(src dataset.Source) (split string, skip int, ok bool) {
	if o.split != "" && o.split != "train" {
		if _, err := (&setOptions{split: "train"}).open(o.data); err == nil {
			return "train", 0, true
		}
	}
	return o.split, o.limit, src.Len() > o.limit
}

// saveModel writes a model's folder: all of it or nothing.
func saveModel(m *unified.Model, dir string, format checkpoint.DType) error {
	dir = filepath.Clean(dir)
	if err := os.MkdirAll(filepath.Dir(dir), 0o777); err != nil {
		return usage("name another folder with --out", "--out: %w", err)
	}
	part, err := os.MkdirTemp(filepath.Dir(dir), ".compress-")
	if err != nil {
		return usage("name another folder with --out", "--out: %w", err)
	}
	defer func() { _ = os.RemoveAll(part) }()
	err = m.Save(part, checkpoint.WriteOptions{DType: format})
	if err == nil {
		if err = os.Chmod(part, 0o755); err == nil { //nolint:gosec // a model is for all to read
			err = os.Rename(part, dir)
		}
	}
	if errors.Is(err, syscall.ENOSPC) {
		return &failure{exitFailed, fmt.Errorf("no space is left for %s: %w", dir, err), "make room, or name a folder elsewhere with --out"}
	}
	return err
}

// compareModels measures both models on the same pictures.
func (a *app) compareModels(ctx context.Context, o *compressOptions, res *compressed, src dataset.Source, tasks task.Set, before *unified.Model) error {
	after, err := unified.Open(os.DirFS(o.out))
	if err != nil {
		return fmt.Errorf("%s was written and cannot be read: %w", o.out, err)
	}
	n := min(src.Len(), o.limit)
	res.Data, res.Metrics = o.data, map[string]beforeAfter[float64]{}
	for i, m := range []*unified.Model{before, after} {
		p := a.progress([]string{"measuring before", "measuring after"}[i], n)
		e := recipe.Evaluation{Name: src.Name(), Source: src, Tasks: tasks, Limit: n, Views: 1, Captions: n, Progress: func(done, _ int) { p.step(done) }}
		got, err := e.Run(ctx, m)
		p.done()
		if err != nil && ctx.Err() == nil {
			return bad("", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
		} else if err != nil {
			return err
		}
		if res.Images = got.Images; i == 0 {
			res.left = a.unread(got)
		}
		for name, v := range got.Metrics {
			b := res.Metrics[name]
			if i == 0 {
				b.Before = v
			} else {
				b.After = v
			}
			res.Metrics[name] = b
		}
	}
	if len(res.Metrics) == 0 {
		return bad("see fovea data info; the smaller model is in "+o.out, "%s has no labels for %s", o.data, taskNames(tasks))
	}
	ms, err := a.race(ctx, o, src)
	res.MS = ms
	return err
}

// racePictures is how many pictures both models are timed on.
const racePictures = 20

// race times both models on the same pictures in turn, so that what else the machine does slows both, and takes the medians of
// the milliseconds that a picture takes through the model, whatever is asked then.
func (a *app) race(ctx context.Context, o *compressOptions, src dataset.Source) (*beforeAfter[float64], error) {
	var p [2]*fovea.Predictor
	for i, name := range []string{o.model, o.out} {
		var err error
		if p[i], err = fovea.Open(ctx, name, fovea.WithThreads(a.threads)); err != nil {
			return nil, err
		}
		defer func() { _ = p[i].Close() }()
	}
	var times [2][]float64
	for k := range min(src.Len(), o.limit, racePictures) + 1 {
		ex, err := src.At(max(k-1, 0), nil)
		if err != nil {
			continue // it was not measured either
		}
		for i := range p {
			start := time.Now()
			if _, err := p[i].Encode(ctx, ex.Image); err != nil {
				return nil, err
			}
			if k > 0 { // the first time warms up
				times[i] = append(times[i], float64(time.Since(start).Microseconds())/1000)
			}
		}
	}
	if len(times[0]) == 0 {
		return nil, nil
	}
	for i := range times {
		slices.Sort(times[i])
	}
	mid := func(t []float64) float64 { return float64(int(10*t[len(t)/2]+.5)) / 10 }
	return &beforeAfter[float64]{mid(times[0]), mid(times[1])}, nil
}

func weightsOf(m *unified.Model) (n int) {
	for _, p := range m.Params() {
		n += p.Shape.Size()
	}
	return n
}

// sizeOf is the size of a model's files.
func sizeOf(files fs.FS) (n int64, err error) {
	for _, name := range unified.FileNames() {
		info, err := fs.Stat(files, name)
		if err != nil {
			return 0, err
		}
		n += info.Size()
	}
	return n, nil
}

func (a *app) printCompressed(r *compressed) error {
	if a.json {
		return a.printJSON(r)
	}
	s := a.outStyle
	fmt.Fprintf(a.out, "%s  %s\n", s.paint(bold, printable(r.Model)+" → "+printable(r.Out)), s.paint(dim, strings.Join(r.How, ", ")))
	type line struct{ name, before, after, note string }
	lines := []line{
		{"size", amount(r.Bytes.Before), amount(r.Bytes.After), percent(float64(r.Bytes.After) / float64(max(r.Bytes.Before, 1)))},
		{"weights", fmt.Sprintf("%.2f M", float64(r.Parameters.Before)/1e6), fmt.Sprintf("%.2f M", float64(r.Parameters.After)/1e6), percent(float64(r.Parameters.After) / float64(max(r.Parameters.Before, 1)))},
	}
	if r.MS != nil {
		lines = append(lines, line{"ms a picture", fmt.Sprintf("%.1f", r.MS.Before), fmt.Sprintf("%.1f", r.MS.After), percent(r.MS.After / max(r.MS.Before, 1e-9))})
	}
	for _, h := range headlines {
		if v, ok := r.Metrics[h.metric]; ok && (v.Before != -1 || v.After != -1) {
			lines = append(lines, line{h.metric, fmt.Sprintf("%.4f", v.Before), fmt.Sprintf("%.4f", v.After), fmt.Sprintf("%+.4f", v.After-v.Before)})
		}
	}
	w := 12
	for _, l := range lines {
		w = max(w, len(l.name))
	}
	for _, l := range lines {
		fmt.Fprintf(a.out, "  %s %9s → %9s  %s\n", s.paint(cyan, pad(l.name, w)), l.before, l.after, s.paint(dim, l.note))
	}
	if r.Images > 0 {
		fmt.Fprintf(a.out, "  %s\n", s.paint(dim, fmt.Sprintf("measured on %d picture%s of %s", r.Images, plural(r.Images), printable(r.Data))))
	}
	return nil
}
