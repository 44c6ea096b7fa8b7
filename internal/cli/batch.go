package cli

import (
	"bufio"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/checkpoint"
	"fovea/model"
	"fovea/task"
)

type batchOptions struct {
	detectOptions // without tiles and points
	tasks         []string
	labels        []string
	questions     []string
	list, shard   string
	part, parts   int // of shard: 1 of 4
	zoom          bool
}

func (a *app) batch() *cobra.Command {
	var o batchOptions
	c := &cobra.Command{
		Use: "batch IMAGE... --out DIR", Short: "Look at many pictures, and go on where it stopped",
		Long: `Puts every picture of folders, patterns, lists and videos to the model and writes a line of JSON for each, as the other commands print it, into DIR/results.jsonl. ` +
			`Started again, after Ctrl-C, a crash or with new pictures in the folder, it goes on with those that have no result yet, and tries those again that failed. ` +
			`Memory does not grow with the number of pictures, but for some bytes each. Several machines share the work with --shard.`,
		Example: "fovea batch photos/ --out results/ --task detect,pose\nfind . -name '*.jpg' | fovea batch --list - --out results/ --task detect --query \"person, dog\"\nfovea batch photos/ --out results/ --shard 1/4",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(c *cobra.Command, args []string) error { return a.runBatch(c, &o, args) },
	}
	o.flags(c)
	o.thresholdFlag(c)
	f := c.Flags()
	f.StringVarP(&o.out, "out", "o", "", "the folder for results.jsonl")
	f.StringVar(&o.list, "list", "", "also look at the pictures, folders and patterns that this file names, one a line; - reads standard input")
	f.StringVar(&o.shard, "shard", "", "look at part K of N alone, as K/N, so that N machines share the work; each writes a file of its own")
	f.StringArrayVar(&o.tasks, "task", nil, "do these: classify, detect, segment, pose, ask, caption, embed (default all that need no words)")
	f.StringArrayVar(&o.query, "query", nil, "look for these things, separated by commas (default the model's own labels)")
	f.StringArrayVar(&o.labels, "labels", nil, "choose from these names of pictures, separated by commas")
	f.StringArrayVar(&o.questions, "question", nil, "ask this; may be repeated")
	f.IntVar(&o.max, "max", 100, "report at most so many objects and people of a picture")
	f.BoolVar(&o.zoom, "zoom", false, "look again, closer, at people who are small in the picture, for their joints")
	_ = c.RegisterFlagCompletionFunc("task", completeTasks)
	return c
}

func (a *app) runBatch(c *cobra.Command, o *batchOptions, args []string) error {
	ctx := c.Context()
	req, err := o.batchRequest(c, args)
	if err != nil {
		return err
	}
	if args, err = a.withList(o, args); err != nil {
		return err
	}
	if err := checkSources(args, o.allowURL); err != nil {
		return err
	}
	p, err := fovea.Open(ctx, o.model, fovea.WithPrecision(fovea.Precision(o.precision)), fovea.WithThreads(a.threads), fovea.WithRunners(a.threads))
	if err != nil {
		return missingModel(o.model, err)
	}
	defer func() { _ = p.Close() }()
	if len(o.tasks) == 0 {
		o.willing = func(req *fovea.Request, card model.Card) error { return a.leaveOut(req, card, o.model) }
	}
	if err := a.settleRequest(&req, p, &o.pictureOptions); err != nil {
		return err
	}
	s, err := o.settings(p.Card().Name, req.Tasks)
	if err != nil {
		return err
	}
	j, err := openJournal(o.out, o.file(), s)
	if err != nil {
		return err
	}
	defer func() { _ = j.close() }() // closed below, unless something fails before
	bar := a.progress("looking", a.countFiles(args, o))
	files := counter{}
	start := time.Now()
	n, err := a.pictures(ctx, p, o.left(a.inputs(ctx, args, &o.pictureOptions), j, &files, bar), req, func(it *item) error {
		return j.add(it.res)
	}, func(it *item) error {
		bar.done()
		a.reportFailure(it)
		return j.add(failureLine(it))
	})
	bar.done()
	if err := errors.Join(j.close(), err); err != nil {
		if ctx.Err() != nil {
			return &failure{exitFailed, fmt.Errorf("interrupted after %d pictures, whose results are in %s", n.done+j.known, j.path), "the same command goes on"}
		}
		return err
	}
	if err := a.printBatch(j, n, time.Since(start)); err != nil {
		return err
	}
	n.done += j.known
	return n.outcome()
}

// batchRequest makes sense of the flags.
func (o *batchOptions) batchRequest(c *cobra.Command, args []string) (req fovea.Request, err error) {
	if req, err = o.request(c, task.Detect); err != nil {
		return req, err
	}
	req.Labels, req.Questions, req.NoZoom = list(o.labels), o.questions, !o.zoom
	if len(req.Labels) > 0 {
		req.Top = -1
	}
	if req.Tasks, err = parseTasks(o.tasks); err != nil {
		return req, err
	}
	if len(o.tasks) == 0 {
		req.Tasks = fovea.Everything
	}
	if len(o.questions) > 0 {
		req.Tasks |= task.SetOf(task.Ask)
	}
	o.part, o.parts = 1, 1
	if o.shard != "" {
		k, n, ok := strings.Cut(o.shard, "/")
		o.part, _ = strconv.Atoi(k)
		o.parts, _ = strconv.Atoi(n)
		if !ok || o.part < 1 || o.part > o.parts {
			return req, usage("--shard 1/4, 2/4, … on four machines", "--shard is %q, want K/N with K from 1 to N", o.shard)
		}
	}
	switch {
	case o.out == "":
		return req, usage("fovea batch photos/ --out results/", "--out is missing")
	case len(args) == 0 && o.list == "":
		return req, usage("fovea batch photos/ --out results/", "IMAGE or --list is missing")
	case len(o.tasks) > 0 && req.Tasks.Has(task.Ask) && len(o.questions) == 0:
		return req, usage(`--question "how many people are there?"`, "--task ask wants a --question")
	}
	return req, nil
}

// withList adds what a list names to the arguments.
func (a *app) withList(o *batchOptions, args []string) ([]string, error) {
	if o.list == "" {
		return args, nil
	}
	r := a.in
	if o.list != "-" {
		f, err := os.Open(o.list)
		if err != nil {
			return nil, usage("", "--list: %w", err)
		}
		defer func() { _ = f.Close() }()
		r = f
	}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if name := strings.TrimSuffix(lines.Text(), "\r"); strings.TrimSpace(name) != "" {
			args = append(args, name)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, usage("a list names a picture a line", "--list %s: %w", o.list, err)
	}
	if len(args) == 0 {
		return nil, usage("", "--list %s names no picture", o.list)
	}
	return args, nil
}

// file is the name of this machine's results.
func (o *batchOptions) file() string {
	if o.parts == 1 {
		return "results.jsonl"
	}
	return fmt.Sprintf("results-%d-of-%d.jsonl", o.part, o.parts)
}

// settings are all that a result depends on but the picture.
func (o *batchOptions) settings(model string, tasks task.Set) (batchSettings, error) {
	files, _, err := fovea.Files(o.model)
	if err != nil {
		return batchSettings{}, err
	}
	weights, err := checkpoint.Digest(files)
	return batchSettings{Model: model, Weights: weights, Tasks: taskNames(tasks), Query: list(o.query), Labels: list(o.labels), Questions: o.questions,
		Threshold: o.threshold, Max: o.max, Precision: o.precision, Every: o.every, Zoom: o.zoom}, err
}

// counter counts the files that inputs are of: the frames of a video are one after the other.
type counter struct {
	files int
	last  string
}

func (c *counter) add(name string) int {
	if name != c.last || c.files == 0 {
		c.files, c.last = c.files+1, name
	}
	return c.files
}

// left are the inputs of this machine that have no result yet.
func (o *batchOptions) left(all iter.Seq[input], j *journal, files *counter, bar *progress) iter.Seq[input] {
	return func(yield func(input) bool) {
		for in := range all {
			bar.step(files.add(in.name) - 1)
			if o.mine(in.name) && !j.has(in.name, in.frame) && !yield(in) {
				return
			}
		}
	}
}

// mine says whether a picture is of this machine's part: that depends on its name alone, so that new ones move none.
func (o *batchOptions) mine(name string) bool {
	if o.parts == 1 {
		return true
	}
	h := fnv.New64a()
	_, _ = io.WriteString(h, filepath.ToSlash(name))
	return int(h.Sum64()%uint64(o.parts)) == o.part-1
}

// countFiles counts the files that arguments stand for, for somebody who watches.
func (a *app) countFiles(args []string, o *batchOptions) (n int) {
	if !a.errStyle.term || a.quiet {
		return 0
	}
	for _, arg := range args {
		names, _ := filepath.Glob(arg)
		if _, err := os.Stat(arg); err == nil || len(names) == 0 {
			names = []string{arg}
		}
		for _, name := range names {
			if info, err := os.Stat(name); err != nil || !info.IsDir() {
				n++
				continue
			}
			_ = filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
				switch {
				case err != nil:
				case passedOver(name, path, d) && d.IsDir():
					return fs.SkipDir
				case !d.IsDir() && !passedOver(name, path, d):
					n++
				}
				return nil
			})
		}
	}
	return n
}

func (a *app) printBatch(j *journal, n tally, took time.Duration) error {
	speed := float64(n.done+n.failed) / max(took.Seconds(), 1e-9)
	if a.json {
		return a.printJSON(batchDone{"batch", j.path, n.done, j.known, n.failed, speed})
	}
	if a.quiet {
		return nil
	}
	text := fmt.Sprintf("%d picture%s, %.1f a second", n.done, plural(n.done), speed)
	if j.known > 0 {
		text += fmt.Sprintf(", and %d from before", j.known)
	}
	if n.failed > 0 {
		text += fmt.Sprintf("; %d could not be read", n.failed)
	}
	fmt.Fprintf(a.err, "%s; the results are in %s\n", text, j.path)
	return nil
}

// batchDone is the JSON at the end of a batch.
type batchDone struct {
	Task   string  `json:"task"`
	Out    string  `json:"out"`
	Images int     `json:"images"`
	Before int     `json:"before"`
	Failed int     `json:"failed"`
	Speed  float64 `json:"images_per_second"`
}
