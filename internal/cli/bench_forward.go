package cli

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/internal/bench"
	"fovea/task"
)

type benchForwardOptions struct {
	model, encoder string
	precision      string
	seconds        float64
	worker         bool
}

func (a *app) benchForward() *cobra.Command {
	var o benchForwardOptions
	c := &cobra.Command{
		Use: "forward", Short: "Measure answers of a model",
		Long: `Measures how soon a model answers about a decoded 640×480 picture, task by task and all at once, and how many pictures a second it detects ` +
			`objects in with a runner on each thread.`,
		Args: args(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return a.runBenchForward(c.Context(), &o) },
	}
	c.Flags().StringVarP(&o.model, "model", "m", fovea.DefaultModel, "measure this model: a name or a folder")
	c.Flags().Float64Var(&o.seconds, "seconds", 1, "measure each figure for so long")
	c.Flags().StringVar(&o.encoder, "case", "", "measure a plain vision transformer instead: "+strings.Join(bench.EncoderCases(), ", ")+"; --model may name a file of its weights")
	c.Flags().BoolVar(&o.worker, "worker", false, "read what to measure from standard input: lines \"KEY SECONDS MINREPS\", the key with --case a batch, of a published model --model "+bench.FamilyItems)
	c.Flags().StringVar(&o.precision, "precision", "", precisionHelp)
	_ = c.RegisterFlagCompletionFunc("case", cobra.FixedCompletions(bench.EncoderCases(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("model", completeModels)
	return c
}

func (a *app) runBenchForward(ctx context.Context, o *benchForwardOptions) error {
	if !(o.seconds > 0 && o.seconds <= maxSeconds) {
		return usage("", "--seconds is %g, want 0 … %g", o.seconds, float64(maxSeconds))
	}
	if err := checkPrecision(o.precision); err != nil {
		return err
	}
	if o.encoder != "" {
		return a.runBenchEncoder(ctx, o)
	}
	data, err := benchJPEG(640, 480)
	if err != nil {
		return err
	}
	img, err := fovea.Decode(bytes.NewReader(data))
	if err != nil {
		return err
	}
	if o.worker {
		return bench.FamilyWorker(a.in, a.out, o.model, cmp.Or(o.precision, string(fovea.F32)), a.threads, img)
	}
	precision := fovea.WithPrecision(fovea.Precision(o.precision))
	p, err := a.open(ctx, o.model, []string{"-"}, precision)
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	var figures []benchFigure
	for _, t := range append(tasksOf(p.Card().Tasks), p.Card().Tasks) {
		name := "everything at once"
		if t != p.Card().Tasks {
			name = taskNames(t)
		}
		req := fovea.Request{Image: img, Tasks: t, Questions: []string{"what is there?"}}
		ms, err := medianOf(ctx, o.seconds, func() error {
			_, err := p.Do(ctx, req)
			return err
		})
		if err != nil {
			return err
		}
		figures = append(figures, benchFigure{name, ms, "ms"})
	}
	many, err := a.open(ctx, o.model, nil, precision)
	if err != nil {
		return err
	}
	defer func() { _ = many.Close() }()
	rate, err := rateOf(ctx, a.threads, o.seconds, func() error {
		_, err := many.Do(ctx, fovea.Request{Image: img, Tasks: task.SetOf(task.Detect)})
		return err
	})
	if err != nil {
		return err
	}
	return a.printBench("forward", append(figures, benchFigure{fmt.Sprintf("detect, %d runner%s", a.threads, plural(a.threads)), rate, "images/s"}))
}

// tasksOf lists the tasks of a set, each as a set.
func tasksOf(s task.Set) (out []task.Set) {
	for t := task.Classify; t <= task.Match; t++ {
		if s.Has(t) {
			out = append(out, task.SetOf(t))
		}
	}
	return out
}

// runBenchEncoder times a plain vision transformer, the yardstick of comparisons with other programs.
func (a *app) runBenchEncoder(ctx context.Context, o *benchForwardOptions) error {
	if !slices.Contains(bench.EncoderCases(), o.encoder) {
		return usage(didYouMean(o.encoder, bench.EncoderCases(), "--case "), "unknown case %q", o.encoder)
	}
	file, precision := o.model, cmp.Or(o.precision, string(fovea.F32))
	if file == fovea.DefaultModel {
		file = ""
	}
	if o.worker {
		return bench.EncoderWorker(a.in, a.out, o.encoder, file, precision, a.threads)
	}
	e, err := bench.NewEncoder(o.encoder, file, precision, a.threads)
	if err != nil {
		return err
	}
	defer e.Close()
	var figures []benchFigure
	for _, batch := range []int{1, 8} {
		pixels := e.Pixels(batch)
		ms, err := medianOf(ctx, o.seconds, func() error { e.Run(pixels, batch); return nil })
		if err != nil {
			return err
		}
		figures = append(figures, benchFigure{fmt.Sprintf("%s, batch %d, median", o.encoder, batch), ms, "ms"}, benchFigure{"matrix products", e.GFLOP(batch) / ms * 1000, "GFLOP/s"})
	}
	return a.printBench("forward", figures)
}
