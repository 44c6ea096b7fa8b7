package cli

import (
	"github.com/spf13/cobra"

	"fovea"
	"fovea/imageproc"
	"fovea/model"
	"fovea/task"
)

// viewsHelp says what --views does, of classify and eval.
const viewsHelp = "average recognition (measuring: matching, too) over so many views of a picture: 2 adds its mirror image, up to 10 both moved a little; each takes as long as a picture"

type classifyOptions struct {
	pictureOptions
	labels   []string
	template string
	top      int
	views    int
}

func (a *app) classify() *cobra.Command {
	var o classifyOptions
	c := &cobra.Command{
		Use: "classify IMAGE...", Short: "Recognise what a picture shows",
		Long:    `Names a picture: the best labels with their probabilities. The labels are the model's own, or any words that you give; their probabilities sum to 1.`,
		Example: "fovea classify photo.jpg\nfovea classify photos/ --labels \"cat, dog, neither\" --json",
		Args:    args(1, -1, "IMAGE"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runClassify(c, &o, args) },
	}
	o.flags(c)
	o.outFlag(c)
	c.Flags().StringArrayVar(&o.labels, "labels", nil, "choose from these words, separated by commas")
	c.Flags().StringVar(&o.template, "template", "", "put each label into this sentence, at {} (models of pictures and texts: CLIP, SigLIP; default \""+model.Template+"\")")
	c.Flags().IntVar(&o.views, "views", 1, viewsHelp)
	c.Flags().IntVar(&o.top, "top", 0, "print so many labels (default 5, or all of --labels)")
	return c
}

func (a *app) runClassify(c *cobra.Command, o *classifyOptions, args []string) error {
	if err := o.check(c); err != nil {
		return err
	}
	if o.top < 0 {
		return usage("", "--top is %d, want at least 1", o.top)
	}
	if o.views < 1 || o.views > imageproc.MaxViews {
		return usage("", "--views is %d, want 1 … %d", o.views, imageproc.MaxViews)
	}
	req := fovea.Request{Tasks: task.SetOf(task.Classify), Views: o.views, Labels: list(o.labels), Template: o.template, Top: o.top}
	if req.Top == 0 && len(req.Labels) > 0 {
		req.Top = -1
	}
	return a.run(c.Context(), &o.pictureOptions, args, req, a.printClasses)
}

func (a *app) printClasses(it *item) {
	a.title(it)
	var labels []string
	for _, c := range it.res.Classes {
		labels = append(labels, printable(c.Label))
	}
	w, heading := labelWidth(labels), "class"
	for i, c := range it.res.Classes {
		a.row(heading, pad(labels[i], w)+a.meter(c.Score))
		heading = ""
	}
}
