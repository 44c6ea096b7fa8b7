package cli

import (
	"context"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"fovea/dataset"
	"fovea/dataset/scenes"
	"fovea/imageproc"
)

type dataPreviewOptions struct {
	setOptions
	out  string
	n    int
	cols int
	seed uint64
	aug  bool
}

func (a *app) dataPreview() *cobra.Command {
	var o dataPreviewOptions
	c := &cobra.Command{
		Use: "preview PATH", Short: "Draw annotated samples of a data set on one sheet",
		Long: `Draws some pictures of a data set with all their labels side by side. PATH "scenes" stands for generated scenes. ` +
			`With --augment each picture is drawn once for each transform of a recipe's augment section, with its labels after it.`,
		Example: "fovea data preview coco/ --split val --out sheet.png\nfovea data preview scenes --n 12\nfovea data preview pets/ --augment --n 2",
		Args:    args(1, 1, "PATH"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runDataPreview(c.Context(), &o, args[0]) },
	}
	o.flags(c)
	f := c.Flags()
	f.StringVarP(&o.out, "out", "o", "preview.png", "the PNG or JPEG file to write")
	f.IntVar(&o.n, "n", 9, "so many pictures")
	f.BoolVar(&o.aug, "augment", false, "show what each augmentation makes of every picture")
	f.IntVar(&o.cols, "cols", 0, "so many side by side (default about as many as below each other)")
	f.Uint64Var(&o.seed, "seed", 1, "other seeds choose other pictures")
	return c
}

// drawnScenes are so many that pictures can be joined with others.
const drawnScenes = 16

// maxPreview bounds the pictures of a sheet.
const maxPreview = 400

func (a *app) runDataPreview(ctx context.Context, o *dataPreviewOptions, path string) error {
	switch {
	case o.n < 1 || o.n > maxPreview || o.cols < 0 || o.cols > maxPreview:
		return usage("", "--n is %d and --cols %d, want 1 … %d and 0 … %d", o.n, o.cols, maxPreview, maxPreview)
	case !ends(o.out, drawnEndings):
		return usage("end it in .png or .jpg", "--out %s is no kind of picture that can be drawn", o.out)
	}
	var src dataset.Source = scenes.New(scenes.Config{Seed: o.seed, N: max(o.n, drawnScenes)})
	if path != "scenes" {
		var err error
		if src, err = o.open(path); err != nil {
			return err
		}
	}
	if src.Len() == 0 {
		return bad("", "%s holds no picture", src.Name())
	}
	rng := rand.New(rand.NewPCG(o.seed, 0))
	var cells []*imageproc.RGB
	var titles []string
	failed := 0
	for _, i := range rng.Perm(src.Len())[:min(o.n, src.Len())] {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		ex, err := src.At(i, dataset.RNG(o.seed, i))
		if err != nil {
			failed++
			report(a.err, a.errStyle, err)
			continue
		}
		if o.aug {
			more, names, err := augmented(src, ex, o.seed)
			if err != nil {
				return err
			}
			cells, titles = append(cells, more...), append(titles, names...)
			continue
		}
		cells = append(cells, imageproc.Draw(ex.Image, ex.Picture, imageproc.DrawOptions{Classes: src.Classes()}))
		titles = append(titles, ex.ID)
	}
	if len(cells) == 0 {
		return errShown{exitBad}
	}
	if err := imageproc.Save(o.out, imageproc.Grid(cells, titles, o.cols)); err != nil {
		return err
	}
	if !a.quiet {
		a.drawnInto(o.out)
	}
	if failed > 0 {
		return errShown{exitSome}
	}
	return nil
}
