package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fovea/model"
	"fovea/task"
)

type segmentOptions struct {
	detectOptions
	semantic, panoptic, polygons bool
	stuff, points, boxes         []string
}

func (a *app) segment() *cobra.Command {
	var o segmentOptions
	c := &cobra.Command{
		Use: "segment IMAGE...", Short: "Outline objects pixel by pixel",
		Long:    `Finds objects and gives each a mask of the picture's size, in COCO's run-length encoding. With --semantic every pixel gets at most one label instead; with --panoptic no two masks overlap.`,
		Example: "fovea segment photo.jpg --out masks.png\nfovea segment photo.jpg --query person --polygons --json\nfovea segment photo.jpg --semantic --json\nfovea segment photo.jpg --model facebook/sam-vit-base --point 320,180",
		Args:    args(1, -1, "IMAGE"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runSegment(c, &o, args) },
	}
	o.queryFlags(c)
	c.Flags().BoolVar(&o.semantic, "semantic", false, "give each pixel a label instead of each object a mask")
	c.Flags().BoolVar(&o.panoptic, "panoptic", false, "divide the picture among the objects: no two masks overlap")
	c.Flags().StringArrayVar(&o.stuff, "stuff", nil, "labels that have one object each, such as sky, separated by commas (with --panoptic)")
	c.Flags().StringArrayVar(&o.points, "point", nil, "outline the thing here, x,y in pixels; x,y,out is a place that does not belong to it; may be repeated (models that can be pointed at: SAM)")
	c.Flags().StringArrayVar(&o.boxes, "box", nil, "outline the thing in here, x0,y0,x1,y1 in pixels; may be repeated (likewise)")
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
	for _, text := range o.boxes {
		b, err := parseBox(text)
		if err != nil {
			return usage("as in --box 40,12,180,330", "--box %q: %w", text, err)
		}
		req.Boxes = append(req.Boxes, b)
	}
	for _, text := range o.points {
		m, err := parsePoint(text)
		if err != nil {
			return usage("as in --point 120,80 or --point 10,10,out", "--point %q: %w", text, err)
		}
		req.Points = append(req.Points, m)
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

// parsePoint reads "x,y" or "x,y,out".
func parsePoint(text string) (m model.Mark, err error) {
	parts := strings.Split(text, ",")
	if len(parts) == 3 && strings.TrimSpace(parts[2]) == "out" {
		m.Out, parts = true, parts[:2]
	}
	if len(parts) != 2 {
		return m, errors.New("want the two numbers x,y, and out after them for a place outside")
	}
	for i, to := range []*float64{&m.X, &m.Y} {
		if *to, err = strconv.ParseFloat(strings.TrimSpace(parts[i]), 64); err != nil {
			return m, fmt.Errorf("%q is no number", parts[i])
		}
	}
	return m, nil
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
