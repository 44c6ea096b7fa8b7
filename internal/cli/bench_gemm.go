package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"fovea/internal/bench"
)

type benchGemmOptions struct {
	seconds float64
	plot    string
}

func (a *app) benchGemm() *cobra.Command {
	var o benchGemmOptions
	c := &cobra.Command{
		Use: "gemm", Short: "Measure matrix products against what the machine can do",
		Long: `Measures matrix products of transformers in float32 and, where the processor multiplies it, bfloat16, with one thread and with all of them. Each takes turns with a loop of ` +
			`multiply-adds, the most that the processor can do, and a product by a single row with reading memory; shares are of that. --plot draws the roofline.`,
		Args: args(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return a.runBenchGemm(c.Context(), &o) },
	}
	c.Flags().Float64Var(&o.seconds, "seconds", .3, "measure each figure for so long")
	c.Flags().StringVar(&o.plot, "plot", "", "draw rates over operations a byte into this .svg or .png file")
	return c
}

func (a *app) runBenchGemm(ctx context.Context, o *benchGemmOptions) error {
	if !(o.seconds > 0 && o.seconds <= maxSeconds) {
		return usage("", "--seconds is %g, want 0 … %g", o.seconds, float64(maxSeconds))
	}
	var rates []bench.Rate
	for _, threads := range []int{1, a.threads}[:min(a.threads, 2)] {
		for _, p := range bench.Products() {
			if p.BF16 && !bench.MultipliesBF16() {
				continue
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			rates = append(rates, bench.MeasureProduct(p, threads, o.seconds))
		}
	}
	bench.ShareLimits(rates)
	var figures []benchFigure
	for _, r := range rates {
		name := fmt.Sprintf("%s, %d thread%s", r.Product, r.Threads, plural(r.Threads))
		figures = append(figures, benchFigure{name + ", best", r.Best / 1e9, "GFLOP/s"}, benchFigure{name + ", median", r.Median / 1e9, "GFLOP/s"})
		if share := r.Share(); share > 0 {
			figures = append(figures, benchFigure{name + ", limit", r.Limit() / 1e9, "GFLOP/s"}, benchFigure{name + ", best of limit", 100 * share, "%"})
		}
	}
	if o.plot != "" {
		if err := bench.PlotRoofline(o.plot, rates); err != nil {
			return err
		}
	}
	return a.printBench("gemm", figures)
}
