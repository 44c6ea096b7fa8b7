package cli

import (
	"context"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fovea/augment"
	"fovea/internal/recipe"
	"fovea/train"
)

type benchAugmentOptions struct{ metric string }

func (a *app) benchAugment() *cobra.Command {
	var o benchAugmentOptions
	c := &cobra.Command{
		Use: "augment CONFIG.yaml", Short: "Measure what each augmentation of a recipe gains",
		Long: `Trains a recipe without augmentation, then with each transform of its augment section alone, and with all of them, and prints its metric ` +
			`in percent, of several measured sets that of the first by name, and the difference to none. Everything else stays as the recipe says, the seed too; nothing is written. Choose a recipe that trains in minutes.`,
		Example: "fovea bench augment small.yaml --metric 'box AP50'",
		Args:    args(1, 1, "CONFIG.yaml"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runBenchAugment(c.Context(), &o, args[0]) },
	}
	c.Flags().StringVar(&o.metric, "metric", "", "the metric, such as \"class top1\" or \"mask mIoU\" (default the first of those that end a training)")
	return c
}

func (a *app) runBenchAugment(ctx context.Context, o *benchAugmentOptions, file string) error {
	cfg, err := recipe.Load(file)
	if err != nil {
		return usage("", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
	}
	if len(cfg.Eval) == 0 {
		return bad("list held-out data under eval", "%s measures nothing", file)
	}
	all := cfg.Augment
	trials := []augmentTrial{{"none", augment.Config{}}}
	trials = append(trials, alone(all)...)
	if len(trials) > 2 {
		trials = append(trials, augmentTrial{"all", all})
	}
	var figures []benchFigure
	none := 0.0
	p := a.progress("training", len(trials))
	defer p.done()
	for i, t := range trials {
		got, err := trainWith(ctx, *cfg, t.config)
		if err != nil {
			return err
		}
		v, err := o.pick(got, file)
		if err != nil {
			return err
		}
		if figures = append(figures, benchFigure{t.name, 100 * v, "%"}); i == 0 {
			none = v
		} else {
			figures = append(figures, benchFigure{t.name + ", gain", 100 * (v - none), "points"})
		}
		p.step(i + 1)
	}
	p.done()
	return a.printBench("augment", figures)
}

type augmentTrial struct {
	name   string
	config augment.Config
}

// alone are the transforms that a configuration has, each by itself under its key.
func alone(c augment.Config) []augmentTrial {
	var out []augmentTrial
	for i, v := 0, reflect.ValueOf(c); i < v.NumField(); i++ {
		key := v.Type().Field(i).Tag.Get("yaml")
		if v.Field(i).IsZero() || key == "min_visible" { // which is none by itself
			continue
		}
		var one augment.Config
		reflect.ValueOf(&one).Elem().Field(i).Set(v.Field(i))
		out = append(out, augmentTrial{key, one})
	}
	return out
}

// trainWith trains a recipe with other augmentation and returns its last metrics.
func trainWith(ctx context.Context, cfg recipe.Config, augmentation augment.Config) (map[string]float64, error) {
	cfg.Augment, cfg.Out, cfg.Train.EvalEvery = augmentation, "", 0
	var got map[string]float64
	run, err := recipe.Open(&cfg, recipe.Options{Hooks: train.Hooks{Stdout: io.Discard, Stderr: io.Discard, Quiet: true, NoReport: true,
		Results: func(m map[string]float64) []string { got = m; return nil }}})
	if err != nil {
		return nil, bad("", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
	}
	if err := run.Loop.Run(ctx); err != nil {
		return nil, trainError(err)
	}
	return got, nil
}

// pick is the metric that was asked for, or the first headline.
func (o *benchAugmentOptions) pick(metrics map[string]float64, file string) (float64, error) {
	for _, h := range headlines {
		want := h.metric
		if o.metric != "" {
			want = o.metric
		}
		for _, name := range slices.Sorted(maps.Keys(metrics)) {
			if strings.HasSuffix(name, " "+want) {
				return metrics[name], nil
			}
		}
	}
	return 0, bad("fovea train "+file+" --dry-run says what is measured", "%s does not measure %q", file, o.metric)
}
