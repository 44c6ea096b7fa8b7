package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"fovea/checkpoint"
	"fovea/dataset"
	"fovea/internal/recipe"
	"fovea/model/unified"
	"fovea/task"
	"fovea/train"
)

// lessonOptions say how a smaller model learns from a teacher.
type lessonOptions struct {
	distill, variant, pictures string
	epochs, images             int
}

func (o *lessonOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&o.distill, "distill", "", "then train it to answer as this model does: nano, a folder or org/repo of a model that recognises or detects")
	f.StringVar(&o.variant, "variant", "", "with --distill, train a new model of this size in place of MODEL: mini, tiny, cct, vit or nano")
	f.StringVar(&o.pictures, "pictures", "", "with --distill, learn on these: a data set or a folder of photos, no labels needed (default the train part of --data, or what is not measured of it)")
	f.IntVar(&o.epochs, "epochs", 10, "with --distill, go through the pictures so many times")
	f.IntVar(&o.images, "images", 0, "with --distill, so many pictures are an epoch (default all, at most 20,000)")
	_ = c.RegisterFlagCompletionFunc("distill", completeModels)
	_ = c.RegisterFlagCompletionFunc("variant", cobra.FixedCompletions([]string{"mini", "tiny", "cct", "vit", "nano"}, cobra.ShellCompDirectiveNoFileComp))
}

func (o *lessonOptions) check(c *cobra.Command) error {
	for _, flag := range []string{"variant", "pictures", "epochs", "images"} {
		if c.Flags().Changed(flag) && o.distill == "" {
			return usage("--distill TEACHER", "--%s says how to learn from a teacher, and there is none", flag)
		}
	}
	switch _, err := unified.Variant(cmp.Or(o.variant, "nano")); {
	case err != nil:
		return usage("", "--variant: %s", strings.TrimPrefix(err.Error(), "unified: "))
	case o.epochs < 1:
		return usage("", "--epochs is %d, want at least 1", o.epochs)
	case o.images < 0:
		return usage("", "--images is %d, want at least 1", o.images)
	}
	return nil
}

// trainingScenes is how many scenes a model learns on that has no other pictures.
const trainingScenes = 20_000

// distilled trains a model, or a new one of another size, on what the teacher says of pictures, and on the labels of those for what it
// does not teach. The run is one of fovea train, in a folder beside the new model's: interrupted, the same command goes on.
func (a *app) distilled(ctx context.Context, o *compressOptions, student *unified.Model, src dataset.Source, tasks task.Set) (*unified.Model, error) {
	can, err := recipe.CanTeach(o.distill)
	if err != nil {
		return nil, usage("see fovea models", "--distill: %s", strings.TrimPrefix(err.Error(), "recipe: "))
	}
	teaches := can & tasks
	if teaches == 0 {
		return nil, bad("", "%s can teach %s, and %s is asked for", o.distill, cmp.Or(taskNames(can), "neither recognition nor detection"), taskNames(tasks))
	}
	cfg := recipe.Default()
	cfg.Out = filepath.Clean(o.out) + "-training"
	cfg.Train.Epochs, cfg.Train.Epoch = o.epochs, o.images
	cfg.Model.Variant = cmp.Or(o.variant, cfg.Model.Variant)
	if o.variant == "" {
		cfg.Model.From = filepath.Join(cfg.Out, "student")
		cfg.Train.LR, cfg.Train.MuonLR = 1e-3, .01
		if _, err := os.Stat(cfg.Model.From); err != nil {
			if err := saveModel(student, cfg.Model.From, checkpoint.F32); err != nil {
				return nil, err
			}
		}
	}
	d := a.lessons(o, src)
	d.Teacher, d.Teaches, d.Task = o.distill, recipe.Tasks{Set: teaches}, recipe.Tasks{Set: tasks &^ teaches}
	cfg.Data = []recipe.Data{d}
	run, err := recipe.Open(&cfg, recipe.Options{Resume: true, Hooks: train.Hooks{Stdout: a.err, Stderr: a.err, Quiet: a.quiet, Results: results}})
	if err != nil {
		return nil, bad("", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
	}
	if !a.quiet {
		a.describe(run)
	}
	if err := run.Train(ctx); errors.Is(err, context.Canceled) {
		return nil, &failure{exitFailed, fmt.Errorf("interrupted; the training so far is in %s", cfg.Out), "the same command goes on"}
	} else if err != nil {
		return nil, trainError(err)
	}
	return unified.Open(os.DirFS(filepath.Join(cfg.Out, "model")))
}

// lessons are the pictures to learn on; those that are measured are not among them where that can be.
func (a *app) lessons(o *compressOptions, src dataset.Source) recipe.Data {
	switch {
	case o.pictures != "":
		return recipe.Data{Path: o.pictures}
	case src == nil || o.data == "scenes":
		return recipe.Data{Scenes: trainingScenes, Seed: 1}
	}
	split, skip, ok := o.beside(src)
	if !ok {
		skip = 0
		a.note("the model learns on the %d pictures that are measured, for %s has no others: the figures flatter it; name others with --pictures", src.Len(), o.data)
	}
	return recipe.Data{Path: o.data, Split: split, Skip: skip}
}
