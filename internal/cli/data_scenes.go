package cli

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/spf13/cobra"

	"fovea/dataset"
	"fovea/dataset/scenes"
	"fovea/imageproc"
)

type dataScenesOptions struct {
	out, photos  string
	n, val, size int
	seed         uint64
}

func (a *app) dataScenes() *cobra.Command {
	var o dataScenesOptions
	c := &cobra.Command{
		Use: "scenes --out FOLDER", Short: "Draw synthetic scenes with all their labels to disk",
		Long: `Draws pictures of shapes and people with boxes, masks, joints, questions and captions, and writes them in the layouts of COCO and VQA v2. ` +
			`The folder appears complete or not at all; it must not exist yet, or be empty.`,
		Example: "fovea data scenes --out scenes/ --n 10000 --val 500",
		Args:    args(0, 0, ""),
		RunE:    func(c *cobra.Command, _ []string) error { return a.runDataScenes(c.Context(), &o) },
	}
	f := c.Flags()
	f.StringVarP(&o.out, "out", "o", "", "the new folder")
	f.IntVar(&o.n, "n", 1000, "so many pictures to train on")
	f.IntVar(&o.val, "val", 0, "and so many to measure on")
	f.IntVar(&o.size, "size", 128, "side of the pictures, pixels")
	f.Uint64Var(&o.seed, "seed", 1, "other seeds draw other pictures")
	f.StringVar(&o.photos, "photos", "", "a folder of photos for some of the backgrounds; they should show no people")
	return c
}

// Bounds of generated pictures.
const (
	maxScenes    = 10_000_000
	maxSceneSize = 2048
)

func (a *app) runDataScenes(ctx context.Context, o *dataScenesOptions) error {
	switch {
	case o.out == "":
		return usage("fovea data scenes --out scenes/", "--out is missing")
	case o.n < 1 || o.val < 0 || o.n > maxScenes || o.val > maxScenes:
		return usage("", "--n is %d and --val %d, want 1 … %d and 0 … %d", o.n, o.val, maxScenes, maxScenes)
	case o.size < 32 || o.size > maxSceneSize:
		return usage("", "--size is %d, want 32 … %d", o.size, maxSceneSize)
	}
	photos, err := a.readPhotos(ctx, o.photos)
	if err != nil {
		return err
	}
	source := func(seed uint64, n int) dataset.Source {
		return until{scenes.New(scenes.Config{Seed: seed, N: n, Size: o.size, Backgrounds: photos}), ctx}
	}
	splits := []scenes.Split{{Name: "train", Source: source(o.seed, o.n), N: o.n}}
	if o.val > 0 {
		// A seed of its own: no picture of one split is in the other.
		splits = append(splits, scenes.Split{Name: "val", Source: source(o.seed+1<<63, o.val), N: o.val})
	}
	p := a.progress("drawing", o.n+o.val)
	err = scenes.ExportSplits(o.out, splits, p.step)
	p.done()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case a.json:
		return a.printJSON(map[string]any{"out": o.out, "images": o.n + o.val})
	}
	if !a.quiet {
		fmt.Fprintf(a.err, "%d pictures are in %s; see fovea data info %s\n", o.n+o.val, o.out, o.out)
	}
	return nil
}

// until is a source that ends with its context.
type until struct {
	dataset.Source
	ctx context.Context
}

// At implements dataset.Source.
func (u until) At(i int, rng *rand.Rand) (*dataset.Example, error) {
	if err := u.ctx.Err(); err != nil {
		return nil, err
	}
	return u.Source.At(i, rng)
}

// readPhotos reads the pictures of a folder.
func (a *app) readPhotos(ctx context.Context, folder string) ([]*imageproc.RGB, error) {
	if folder == "" {
		return nil, nil
	}
	src, err := dataset.Open(folder, dataset.OpenOptions{})
	if err != nil {
		return nil, bad("", "--photos: %w", err)
	}
	var out []*imageproc.RGB
	for i := range src.Len() {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if ex, err := src.At(i, nil); err == nil { // a damaged photo is no loss among backgrounds
			out = append(out, ex.Image)
		}
	}
	if len(out) == 0 {
		return nil, bad("", "--photos: %s holds no picture that can be read", folder)
	}
	return out, nil
}
