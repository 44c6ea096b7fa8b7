package cli

import (
	"github.com/spf13/cobra"

	"fovea"
	"fovea/task"
)

type detectOptions struct {
	pictureOptions
	query  []string
	max    int
	tiles  int // of detect
	points bool
}

// queryFlags are those of all commands that look for things.
func (o *detectOptions) queryFlags(c *cobra.Command) {
	o.flags(c)
	o.outFlag(c)
	o.thresholdFlag(c)
	c.Flags().StringArrayVar(&o.query, "query", nil, "look for these things, separated by commas (default the model's own labels)")
	c.Flags().IntVar(&o.max, "max", 100, "report at most so many objects")
}

func (o *detectOptions) request(c *cobra.Command, t task.Task) (fovea.Request, error) {
	req := fovea.Request{Tasks: task.SetOf(t), Query: list(o.query), Max: o.max}
	if err := o.check(c); err != nil {
		return req, err
	}
	if o.max < 1 || o.max > fovea.MaxObjects {
		return req, usage("", "--max is %d, want 1 … %d", o.max, fovea.MaxObjects)
	}
	req.Threshold = o.threshold
	return req, nil
}

// tilesHelp says what --tiles does, of detect and eval.
const tilesHelp = "look also at N by N overlapping parts of the picture, for small things; takes N·N + 1 times as long"

func (a *app) detect() *cobra.Command {
	var o detectOptions
	c := &cobra.Command{
		Use: "detect IMAGE...", Short: "Find objects and box them",
		Long:    `Finds objects: a box in pixels of the picture, a label and a probability for each. The labels are the model's own, or any words that you give.`,
		Example: "fovea detect photo.jpg --query \"person, dog\"\nfovea detect photos/ --threshold 0.5 --json",
		Args:    args(1, -1, "IMAGE"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runDetect(c, &o, args) },
	}
	o.queryFlags(c)
	c.Flags().IntVar(&o.tiles, "tiles", 1, tilesHelp)
	c.Flags().BoolVar(&o.points, "points", false, "point at each thing instead of boxing it")
	return c
}

func (a *app) runDetect(c *cobra.Command, o *detectOptions, args []string) error {
	req, err := o.request(c, task.Detect)
	if err != nil {
		return err
	}
	if o.tiles < 1 || o.tiles > fovea.MaxTiles {
		return usage("", "--tiles is %d, want 1 … %d", o.tiles, fovea.MaxTiles)
	}
	if o.points && o.tiles > 1 {
		return usage("", "--points looks at the whole picture; leave out --tiles")
	}
	req.Tiles, req.Pointing = o.tiles, o.points
	return a.run(c.Context(), &o.pictureOptions, args, req, func(it *item) {
		a.title(it)
		a.printObjects(it)
		a.printSpots(it)
	})
}
