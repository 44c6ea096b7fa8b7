package cli

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"fovea/internal/recipe"
	"fovea/model"
	"fovea/nn"
)

// tune trains a published model on.
func (a *app) tune(ctx context.Context, o *trainOptions, cfg *recipe.Config, opts recipe.Options) error {
	run, err := recipe.OpenTuning(cfg, opts)
	if err != nil {
		return bad("", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
	}
	if !a.quiet {
		trained, card := 0, run.Net.Card()
		for _, p := range nn.Params(run.Net.Learner) {
			if !p.Frozen {
				trained += len(p.Data)
			}
		}
		fmt.Fprintf(a.err, "%s %s (%s), %.2f M parameters, of which %.2f M are trained by %s\n", a.errStyle.paint(bold, "model"), card.Name, card.Family,
			float64(model.Parameters(run.Net.Learner))/1e6, float64(trained)/1e6, cfg.Train.Optimizer)
		a.describeData(cfg, run.Loop.Config.Steps)
	}
	if o.check || o.dry {
		return nil
	}
	if err := run.Train(ctx); err != nil {
		return trainError(err)
	}
	if !a.quiet {
		folder := filepath.Join(cfg.Out, "model")
		fmt.Fprintf(a.err, "the model is in %s; try fovea eval --model %s --data …\n", folder, folder)
	}
	return nil
}
