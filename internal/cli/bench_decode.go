package cli

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/internal/bench"
)

type benchDecodeOptions struct {
	name, precision, file string
	seconds               float64
	worker                bool
}

func (a *app) benchDecode() *cobra.Command {
	var o benchDecodeOptions
	c := &cobra.Command{
		Use: "decode", Short: "Measure reading prompts and writing texts",
		Long: `Measures a language model of random weights: tokens a second of reading a prompt of 512 and of writing 64 one by one, and what share of the memory's ` +
			`bandwidth, measured in the same run, the weights take while writing. With --worker the program takes part in a comparison: ` +
			`it reads lines "KEY SECONDS MINREPS", the key pp128, pp512 or tg64, and answers each with a line of JSON.`,
		Args: args(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return a.runBenchDecode(c.Context(), &o) },
	}
	f := c.Flags()
	f.StringVar(&o.name, "case", "lm256m", "the language model of SmolVLM-256M (lm256m), or that of SmolVLM (lm1700m)")
	f.StringVar(&o.precision, "precision", string(fovea.BF16), "hold its weights as f32, bf16, int8 or int4")
	f.Float64Var(&o.seconds, "seconds", 3, "measure each figure for so long")
	f.BoolVar(&o.worker, "worker", false, "read what to measure from standard input")
	f.StringVar(&o.file, "model", "", "is not read: comparisons give it")
	_ = f.MarkHidden("model")
	_ = c.RegisterFlagCompletionFunc("case", cobra.FixedCompletions(bench.DecoderCases(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (a *app) runBenchDecode(ctx context.Context, o *benchDecodeOptions) error {
	if !slices.Contains(bench.DecoderCases(), o.name) {
		return usage(didYouMean(o.name, bench.DecoderCases(), "--case "), "unknown case %q", o.name)
	}
	if !(o.seconds > 0 && o.seconds <= maxSeconds) {
		return usage("", "--seconds is %g, want 0 … %g", o.seconds, float64(maxSeconds))
	}
	if err := checkPrecision(o.precision); err != nil {
		return err
	}
	if o.worker {
		return bench.DecoderWorker(a.in, a.out, a.err, o.name, o.precision, a.threads)
	}
	d, err := bench.NewDecoder(o.name, o.precision, a.threads)
	if err != nil {
		return err
	}
	defer d.Close()
	figures := []benchFigure{{"weights", float64(d.Bytes) / 1e6, "MB"}}
	for _, item := range bench.DecoderItems[1:] {
		memory := d.Bandwidth()
		ms, err := medianOf(ctx, o.seconds, func() error { return d.Run(item) })
		if err != nil {
			return err
		}
		rate := float64(bench.Tokens(item)) / ms * 1000
		figures = append(figures, benchFigure{fmt.Sprintf("%s, %s, median", item, o.precision), rate, "tokens/s"})
		if item[0] == 'p' {
			figures = append(figures, benchFigure{"matrix products", d.GFLOP(item) / ms * 1000, "GFLOP/s"})
			continue
		}
		memory = max(memory, d.Bandwidth())
		figures = append(figures, benchFigure{"memory", memory / 1e9, "GB/s"}, benchFigure{"share of it", 100 * rate * float64(d.Bytes) / memory, "%"})
	}
	return a.printBench("decode", figures)
}
