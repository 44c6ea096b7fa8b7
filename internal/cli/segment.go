package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"fovea/task"
)

type segmentOptions struct {
	detectOptions
	semantic, panoptic, polygons bool
	stuff                        []string
}

func (a *app) segment() *cobra.Command {
	var o segmentOptions
	c := &cobra.Command{
		Use: "segment IMAGE...", Short: "Outline objects pixel by pixel",
		Long:    `Finds objects and gives each a mask of the picture's size, in COCO's run-length encoding. With --semantic every pixel gets at most one label instead; with --panoptic no two masks overlap.`,
		Example: "fovea segment photo.jpg --out masks.png\nfovea segment photo.jpg --query person --polygons --json\nfovea segment photo.jpg --semantic --json",
		Args:    args(1, -1, "IMAGE"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runSegment(c, &o, args) },
	}
	o.queryFlags(c)
	c.Flags().BoolVar(&o.semantic, "semantic", false, "give each pixel a label instead of each object a mask")
	c.Flags().BoolVar(&o.panoptic, "panoptic", false, "divide the picture among the objects: no two masks overlap")
	c.Flags().StringArrayVar(&o.stuff, "stuff", nil, "labels that have one object each, such as sky, separated by commas (with --panoptic)")
	c.Flags().BoolVar(&o.polygons, "polygons", false, "print outlines beside the masks (with --json)")
	return c
}

func (a *app) runSegment(c *cobra.Command, o *segmentOptions, args []string) error {
	req, err := o.request(c, task.Segment)
	if err != nil {
		return err
	}
	if o.semantic && o.polygons {
		return usage("leave one of them out", "--polygons outlines objects, and --semantic reports none")
	}
	if o.semantic && o.panoptic {
		return usage("leave one of them out", "--semantic divides the picture by label, --panoptic among objects")
	}
	if len(o.stuff) > 0 && !o.panoptic {
		return usage("give both, or neither", "--stuff matters only with --panoptic")
	}
	req.Semantic, req.Panoptic, req.Stuff, req.Polygons = o.semantic, o.panoptic, list(o.stuff), o.polygons
	return a.run(c.Context(), &o.pictureOptions, args, req, func(it *item) {
		a.title(it)
		if it.res.Semantic == nil {
			a.printObjects(it)
			return
		}
		a.printSemantic(it)
	})
}

func (a *app) printSemantic(it *item) {
	s := it.res.Semantic
	w, heading := labelWidth(s.Classes), "pixels"
	if len(s.Classes) == 0 {
		a.row(heading, a.outStyle.paint(dim, "no label"))
	}
	for i, label := range s.Classes {
		share := s.Map[i].Area() / float64(it.res.Width*it.res.Height)
		a.row(heading, pad(printable(label), w)+fmt.Sprintf(" %5.1f%% ", 100*share)+bar(share, barColumns))
		heading = ""
	}
}
