package cli

import (
	"context"
	"image"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/task"
)

type askOptions struct {
	pictureOptions
	questions []string
	together  bool
	writing   writingOptions
}

func (a *app) ask() *cobra.Command {
	var o askOptions
	c := &cobra.Command{
		Use: "ask IMAGE... QUESTION", Short: "Answer a question about a picture",
		Long: `Answers a question in words, with the probability of the answer. The last argument is the question, unless --question asks one or more.`,
		Example: "fovea ask photo.jpg \"what colour is the car?\"\nfovea ask photos/ --question \"is it day?\" --question \"is there a dog?\" --json\n" +
			"fovea ask before.jpg after.jpg \"what has changed?\" --together --model qwen2.5-vl-3b/",
		Args: args(1, -1, "IMAGE"),
		RunE: func(c *cobra.Command, args []string) error { return a.runAsk(c, &o, args) },
	}
	o.flags(c)
	o.outFlag(c)
	o.writing.flags(c)
	c.Flags().StringArrayVar(&o.questions, "question", nil, "ask this; may be repeated")
	c.Flags().BoolVar(&o.together, "together", false, "ask about all pictures at once, of models that write piece by piece")
	return c
}

func (a *app) runAsk(c *cobra.Command, o *askOptions, args []string) error {
	if err := o.check(c); err != nil {
		return err
	}
	if len(o.questions) == 0 {
		last := args[len(args)-1]
		if len(args) < 2 {
			return usage("fovea "+c.Use, "QUESTION is missing")
		}
		if info, err := os.Stat(last); err == nil && !info.IsDir() {
			return usage("fovea "+c.Use, "QUESTION is missing: the last argument, %s, is a file", last)
		}
		o.questions, args = []string{last}, args[:len(args)-1]
	}
	writing, err := o.writing.read()
	if err != nil {
		return err
	}
	req := fovea.Request{Tasks: task.SetOf(task.Ask), Questions: o.questions, Writing: writing}
	if o.together {
		return a.askTogether(c.Context(), o, args, req)
	}
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

// askTogether puts questions about all pictures at once. One picture that fails fails all.
func (a *app) askTogether(ctx context.Context, o *askOptions, args []string, req fovea.Request) error {
	if o.out != "" {
		return usage("leave one of them out", "--out draws into one picture, and --together asks about all of them")
	}
	if err := checkSources(args, o.allowURL); err != nil {
		return err
	}
	p, err := a.open(ctx, o.model, []string{"-"}, fovea.WithPrecision(fovea.Precision(o.precision)))
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	if err := p.Check(req); err != nil {
		return err
	}
	if !p.Card().Together {
		return usage("SmolVLM, Idefics3, PaliGemma and Qwen-VL can be asked about several; without --together each picture is asked about by itself",
			"the model %q answers about one picture at a time", p.Card().Name)
	}
	var names []string
	var pictures []image.Image
	for in := range a.inputs(ctx, args, &o.pictureOptions) {
		img, err := in.load(ctx)
		if err != nil && ctx.Err() == nil {
			var n tally
			n.fail(err)
			a.showFailure(&item{input: in, err: err})
			return n.outcome()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if names, pictures = append(names, in.name), append(pictures, img); len(pictures) > fovea.MaxTogether {
			break
		}
	}
	if len(pictures) == 0 {
		return ctx.Err()
	}
	req.Image, req.Path, req.Beside = pictures[0], names[0], pictures[1:]
	show := func(it *item) {
		a.title(it)
		a.printAnswers(it.res)
	}
	if len(req.Questions) == 1 {
		step, end := a.streamed()
		req.Step, show = step, func(it *item) { end(it.res.Answers[0].Answer) }
	}
	it := &item{input: input{name: strings.Join(names, ", ")}}
	if it.res, err = p.Do(ctx, req); err != nil {
		return err
	}
	if it.res.Images = names; a.json {
		return a.printJSON(it.res)
	}
	show(it)
	return nil
}
