package cli

import (
	"github.com/spf13/cobra"

	"fovea"
	"fovea/task"
)

type captionOptions struct {
	pictureOptions
	writing writingOptions
}

func (a *app) caption() *cobra.Command {
	var o captionOptions
	c := &cobra.Command{
		Use: "caption IMAGE...", Short: "Describe a picture in words",
		Long:    `Describes a picture in a sentence. On a terminal the words appear as the model finds them.`,
		Example: "fovea caption photo.jpg\nfovea caption photos/ --json",
		Args:    args(1, -1, "IMAGE"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runCaption(c, &o, args) },
	}
	o.flags(c)
	o.outFlag(c)
	o.writing.flags(c)
	return c
}

func (a *app) runCaption(c *cobra.Command, o *captionOptions, args []string) error {
	if err := o.check(c); err != nil {
		return err
	}
	writing, err := o.writing.read()
	if err != nil {
		return err
	}
	req := fovea.Request{Tasks: task.SetOf(task.Caption), Writing: writing}
	if many(args) {
		return a.run(c.Context(), &o.pictureOptions, args, req, func(it *item) {
			a.title(it)
			a.paragraph("caption", printable(it.res.Caption.Text))
		})
	}
	step, end := a.streamed()
	req.Step = step
	return a.run(c.Context(), &o.pictureOptions, args, req, func(it *item) { end(it.res.Caption.Text) })
}
