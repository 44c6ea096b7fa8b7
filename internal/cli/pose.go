package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/task"
)

type poseOptions struct {
	pictureOptions
	max int
}

func (a *app) pose() *cobra.Command {
	var o poseOptions
	c := &cobra.Command{
		Use: "pose IMAGE...", Short: "Find people and their joints",
		Long:    `Finds people and their 17 joints, COCO's: nose, eyes, ears, shoulders, elbows, wrists, hips, knees and ankles. Each joint has a place in pixels of the picture and a probability.`,
		Example: "fovea pose photo.jpg --out pose.png\nfovea pose photos/ --json",
		Args:    args(1, -1, "IMAGE"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runPose(c, &o, args) },
	}
	o.flags(c)
	o.outFlag(c)
	o.thresholdFlag(c)
	c.Flags().IntVar(&o.max, "max", 100, "report at most so many people")
	return c
}

func (a *app) runPose(c *cobra.Command, o *poseOptions, args []string) error {
	if err := o.check(c); err != nil {
		return err
	}
	if o.max < 1 || o.max > fovea.MaxObjects {
		return usage("", "--max is %d, want 1 … %d", o.max, fovea.MaxObjects)
	}
	req := fovea.Request{Tasks: task.SetOf(task.Pose), Threshold: o.threshold, Max: o.max}
	return a.run(c.Context(), &o.pictureOptions, args, req, func(it *item) {
		a.title(it)
		a.printPeople(it)
		a.printJoints(it.res)
	})
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
