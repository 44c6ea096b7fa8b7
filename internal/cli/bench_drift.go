package cli

import (
	"bytes"
	"context"

	"github.com/spf13/cobra"

	"fovea"
)

type benchDriftOptions struct{ model, precision string }

func (a *app) benchDrift() *cobra.Command {
	var o benchDriftOptions
	c := &cobra.Command{
		Use: "drift", Short: "Measure what fewer bits a weight do to a published model",
		Long: `Runs a model with float32 weights and with weights of fewer bits on a picture, and says how far its outputs are apart: the largest difference ` +
			`and the root of the mean squared one, in percent of the output's range.`,
		Args: args(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return a.runBenchDrift(c.Context(), &o) },
	}
	c.Flags().StringVarP(&o.model, "model", "m", "", "measure this model: a name or a folder")
	c.Flags().StringVar(&o.precision, "precision", string(fovea.Int8), "bf16, int8 or int4")
	_ = c.RegisterFlagCompletionFunc("model", completeModels)
	return c
}

func (a *app) runBenchDrift(ctx context.Context, o *benchDriftOptions) error {
	if o.model == "" {
		return usage("fovea models lists those that are there", "no model is given; name one with --model")
	}
	if err := checkPrecision(o.precision); err != nil {
		return err
	}
	data, err := benchJPEG(640, 480)
	if err != nil {
		return err
	}
	img, err := fovea.Decode(bytes.NewReader(data))
	if err != nil {
		return err
	}
	list, now, was, err := fovea.Drift(ctx, o.model, fovea.Precision(o.precision), img)
	if err != nil {
		return missingModel(o.model, err)
	}
	figures := []benchFigure{{"matrices, f32", float64(was) / 1e6, "MB"}, {"matrices, " + o.precision, float64(now) / 1e6, "MB"}}
	for _, d := range list {
		figures = append(figures, benchFigure{d.Output + ", worst", 100 * d.Worst, "%"}, benchFigure{d.Output + ", mean", 100 * d.Mean, "%"})
	}
	return a.printBench("drift", figures)
}

// checkPrecision refuses a --precision that there is not.
func checkPrecision(p string) error {
	switch fovea.Precision(p) {
	case "", fovea.F32, fovea.BF16, fovea.Int8, fovea.Int4:
		return nil
	}
	return usage("", "--precision is %q, want f32, bf16, int8 or int4", p)
}
