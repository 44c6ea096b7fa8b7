package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/annotation"
	"fovea/task"
)

type poseOptions struct {
	pictureOptions
	max   int
	boxes []string
	zoom  bool
	flip  bool
}

func (a *app) pose() *cobra.Command {
	var o poseOptions
	c := &cobra.Command{
		Use: "pose IMAGE...", Short: "Find people and their joints",
		Long:    `Finds people and their 17 joints, COCO's: nose, eyes, ears, shoulders, elbows, wrists, hips, knees and ankles. Each joint has a place in pixels of the picture and a probability.`,
		Example: "fovea pose photo.jpg --out pose.png\nfovea pose photo.jpg --box 40,12,180,330 --box 200,20,310,335\nfovea pose photos/ --json",
		Args:    args(1, -1, "IMAGE"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runPose(c, &o, args) },
	}
	o.flags(c)
	o.outFlag(c)
	o.thresholdFlag(c)
	c.Flags().IntVar(&o.max, "max", 100, "report at most so many people")
	c.Flags().BoolVar(&o.zoom, "zoom", true, "look again, closer, at people who are small in the picture; --zoom=false is faster")
	c.Flags().BoolVar(&o.flip, "flip", false, "look at each person's mirror image, too, and take the mean; twice the time (ViTPose)")
	c.Flags().StringArrayVar(&o.boxes, "box", nil, "look for one person's joints here, x0,y0,x1,y1 in pixels, instead of finding people; may be repeated")
	return c
}

func (a *app) runPose(c *cobra.Command, o *poseOptions, args []string) error {
	if err := o.check(c); err != nil {
		return err
	}
	if o.max < 1 || o.max > fovea.MaxObjects {
		return usage("", "--max is %d, want 1 … %d", o.max, fovea.MaxObjects)
	}
	req := fovea.Request{Tasks: task.SetOf(task.Pose), Threshold: o.threshold, Max: o.max, NoZoom: !o.zoom, Flip: o.flip}
	for _, text := range o.boxes {
		b, err := parseBox(text)
		if err != nil {
			return usage("as in --box 40,12,180,330", "--box %q: %w", text, err)
		}
		req.Boxes = append(req.Boxes, b)
	}
	return a.run(c.Context(), &o.pictureOptions, args, req, func(it *item) {
		a.title(it)
		a.printPeople(it)
		a.printJoints(it.res)
	})
}

// parseBox reads "x0,y0,x1,y1".
func parseBox(text string) (b annotation.Box, err error) {
	parts := strings.Split(text, ",")
	if len(parts) != 4 {
		return b, fmt.Errorf("want the four numbers x0,y0,x1,y1, got %d", len(parts))
	}
	for i, to := range []*float64{&b.X0, &b.Y0, &b.X1, &b.Y1} {
		if *to, err = strconv.ParseFloat(strings.TrimSpace(parts[i]), 64); err != nil {
			return b, fmt.Errorf("%q is no number", parts[i])
		}
	}
	switch {
	case !b.Finite():
		return b, errors.New("its numbers are not finite")
	case b.Empty():
		return b, errors.New("it is empty: x0 must be less than x1, and y0 less than y1")
	}
	return b, nil
}

// printJoints lists the joints of each person, two columns of them.
func (a *app) printJoints(r *fovea.Result) {
	for i, p := range r.People {
		heading := "joints"
		if len(r.People) > 1 {
			heading = fmt.Sprintf("joints %d", i+1)
		}
		half := (len(p.Joints) + 1) / 2
		for k := range half {
			line := a.joint(&p, k)
			if k+half < len(p.Joints) {
				line += "    " + a.joint(&p, k+half)
			}
			a.row(heading, line)
			heading = ""
		}
	}
}

func (a *app) joint(p *fovea.Person, k int) string {
	j := p.Joints[k]
	text := pad(strings.ReplaceAll(p.Skeleton.Joints[k], "_", " "), 14) + fmt.Sprintf(" %6.0f,%-6.0f", j.X, j.Y)
	if j.Score < certain {
		return a.outStyle.paint(dim, text+" "+percent(j.Score))
	}
	return text + " " + percent(j.Score)
}
