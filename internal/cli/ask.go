package cli

import (
	"github.com/spf13/cobra"

	"fovea"
	"fovea/task"
)

type askOptions struct {
	pictureOptions
	questions []string
	writing   fovea.Writing
}

func (a *app) ask() *cobra.Command {
	var o askOptions
	c := &cobra.Command{
		Use: "ask IMAGE... QUESTION", Short: "Answer a question about a picture",
		Long:    `Answers a question in words, with the probability of the answer. The last argument is the question, unless --question asks one or more.`,
		Example: "fovea ask photo.jpg \"what colour is the car?\"\nfovea ask photos/ --question \"is it day?\" --question \"is there a dog?\" --json",
		Args:    args(1, -1, "IMAGE"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runAsk(c, &o, args) },
	}
	o.flags(c)
	o.outFlag(c)
	writingFlags(c, &o.writing)
	c.Flags().StringArrayVar(&o.questions, "question", nil, "ask this; may be repeated")
	return c
}

func (a *app) runAsk(c *cobra.Command, o *askOptions, args []string) error {
	if err := o.check(c); err != nil {
		return err
	}
	if len(o.questions) == 0 {
		if len(args) < 2 {
			return usage("fovea "+c.Use, "QUESTION is missing")
		}
		o.questions, args = args[len(args)-1:], args[:len(args)-1]
	}
	req := fovea.Request{Tasks: task.SetOf(task.Ask), Questions: o.questions, Writing: o.writing}
	if many(args) || len(o.questions) > 1 {
		return a.run(c.Context(), &o.pictureOptions, args, req, func(it *item) {
			a.title(it)
			a.printAnswers(it.res)
		})
	}
	step, end := a.streamed()
	req.Step = step
	return a.run(c.Context(), &o.pictureOptions, args, req, func(it *item) { end(it.res.Answers[0].Answer) })
}
