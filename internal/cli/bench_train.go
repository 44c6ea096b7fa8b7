package cli

import (
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"fovea/internal/bench"
)

type benchTrainOptions struct {
	name      string
	precision string
	seconds   float64
	worker    bool
}

func (a *app) benchTrain() *cobra.Command {
	var o benchTrainOptions
	c := &cobra.Command{
		Use: "train", Short: "Measure training steps",
		Long: `Measures steps of training, forward, backward and optimiser, of fixed models on fixed data. With --worker the program takes part in a comparison: ` +
			`it reads lines "KEY SECONDS MINREPS" and answers each with a line of JSON.`,
		Args: args(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return a.runBenchTrain(c.Context(), &o) },
	}
	f := c.Flags()
	f.StringVar(&o.name, "case", "joint", "what to train: joint (pictures and texts together), vit384 (a classifier), cct (a small one of pictures of 32 pixels)")
	f.StringVar(&o.precision, "precision", "f32", "f32, or bf16 for products of rounded operands")
	f.Float64Var(&o.seconds, "seconds", 5, "measure for so long")
	f.BoolVar(&o.worker, "worker", false, "read what to measure from standard input")
	_ = c.RegisterFlagCompletionFunc("case", cobra.FixedCompletions(bench.StepCases(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) runBenchTrain(ctx context.Context, o *benchTrainOptions) error {
	if !slices.Contains(bench.StepCases(), o.name) {
		return usage(didYouMean(o.name, bench.StepCases(), "--case "), "unknown case %q", o.name)
	}
	if !(o.seconds > 0 && o.seconds <= maxSeconds) {
		return usage("", "--seconds is %g, want 0 … %g", o.seconds, float64(maxSeconds))
	}
	if o.precision != "f32" && o.precision != "bf16" {
		return usage("", "--precision is %q, want f32 or bf16", o.precision)
	}
	if o.worker {
		return bench.Worker(a.in, a.out, o.name, o.precision, a.threads)
	}
	s, err := bench.NewStep(o.name, o.precision, a.threads)
	if err != nil {
		return err
	}
	ms, err := medianOf(ctx, o.seconds, func() error { s.Run(); return nil })
	if err != nil {
		return err
	}
	return a.printBench("train", []benchFigure{
		{o.name + " step, median", ms, "ms"}, {"pictures", float64(s.Batch) / ms * 1000, "images/s"}, {"matrix products", s.GFLOP / ms * 1000, "GFLOP/s"},
	})
}

// maxSeconds bounds the time of a measurement.
const maxSeconds = 600

// medianOf runs f at least three times and for so long, after once for nothing, and returns the median in milliseconds.
func medianOf(ctx context.Context, seconds float64, f func() error) (float64, error) {
	var times []float64
	for start := time.Now(); len(times) < 4 || time.Since(start).Seconds() < seconds; {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		t := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		times = append(times, time.Since(t).Seconds()*1000)
	}
	times = times[1:]
	slices.Sort(times)
	return times[len(times)/2], nil
}
