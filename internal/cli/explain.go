package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/annotation"
	"fovea/imageproc"
	"fovea/task"
)

type explainOptions struct {
	pictureOptions
	task, question, label, box string
	auc                        bool
}

// explainedTasks are the tasks whose answers can be explained.
var explainedTasks = []string{"classify", "detect", "ask", "caption"}

func (a *app) explain() *cobra.Command {
	var o explainOptions
	c := &cobra.Command{
		Use: "explain IMAGE...", Short: "Show which regions and words an answer rests on",
		Long: `Shows which regions of a picture an answer rests on, and of a question which words: as a grid of heat in the terminal, drawn over the picture with --out, and as numbers with --json. ` +
			`Also says how far that can be trusted: the score of the answer while the hottest regions are taken away (deletion, low is good) and while a blurred picture gets them back (insertion, high is good). For models of the program's own kind.`,
		Example: "fovea explain photo.jpg --question \"how many people are there?\" --out why.png\nfovea explain photo.jpg --label person --box 10,20,200,400\nfovea explain photos/ --task caption --json",
		Args:    args(1, -1, "IMAGE"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runExplain(c, &o, args) },
	}
	o.flags(c)
	o.outFlag(c)
	f := c.Flags()
	f.StringVar(&o.task, "task", "", "whose answer: classify, detect, ask or caption (default ask with --question, detect with --label or --box, else classify)")
	f.StringVar(&o.question, "question", "", "explain the answer to this")
	f.StringVar(&o.label, "label", "", "explain an object of this label (default person); with --task classify, this name of the picture (default the most probable one)")
	f.StringVar(&o.box, "box", "", "explain the object here: x0,y0,x1,y1 in pixels (default the most probable one)")
	f.BoolVar(&o.auc, "auc", true, "measure deletion and insertion, too; --auc=false is 33 times faster")
	_ = c.RegisterFlagCompletionFunc("task", cobra.FixedCompletions(explainedTasks, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// request makes sense of the flags.
func (o *explainOptions) request(c *cobra.Command) (q fovea.ExplainRequest, err error) {
	if err := o.check(c); err != nil {
		return q, err
	}
	if o.task == "" {
		o.task = "classify"
		switch {
		case o.question != "":
			o.task = "ask"
		case o.label != "" || o.box != "":
			o.task = "detect"
		}
	}
	switch {
	case !slices.Contains(explainedTasks, o.task):
		return q, usage(didYouMean(o.task, explainedTasks, "--task "), "--task %s cannot be explained; %s can", o.task, strings.Join(explainedTasks, ", "))
	case o.task == "ask" && strings.TrimSpace(o.question) == "":
		return q, usage(`fovea explain photo.jpg --question "how many people are there?"`, "--question is missing")
	case o.task != "ask" && o.question != "":
		return q, usage("", "--question is for --task ask, not %s", o.task)
	case o.label != "" && o.task != "detect" && o.task != "classify":
		return q, usage("", "--label is for --task detect and classify, not %s", o.task)
	case o.box != "" && o.task != "detect":
		return q, usage("", "--box is for --task detect, not %s", o.task)
	}
	q = fovea.ExplainRequest{Question: o.question, Label: o.label, AUC: o.auc}
	if q.Task, err = task.Parse(o.task); err != nil {
		return q, err
	}
	if o.box != "" {
		if q.Box, err = parseBox(o.box); err != nil {
			return q, usage("--box 10,20,200,400", "--box %s: %w", o.box, err)
		}
	}
	return q, nil
}

func (a *app) runExplain(c *cobra.Command, o *explainOptions, args []string) error {
	ctx := c.Context()
	q, err := o.request(c)
	if err != nil {
		return err
	}
	if err := checkSources(args, o.allowURL); err != nil {
		return err
	}
	d, err := newDrawer(o.out, many(args))
	if err != nil {
		return err
	}
	p, err := a.open(ctx, o.model, nil, fovea.WithPrecision(fovea.Precision(o.precision)))
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	if !p.CanExplain() {
		return usage("--model nano can", "the answers of the model %q cannot be explained; those of the program's own kind can", p.Card().Name)
	}
	var n tally
	for in := range a.inputs(ctx, args, &o.pictureOptions) {
		it := &item{input: in, palette: p.Card().Labels}
		e, err := a.explained(ctx, p, it, q)
		if ctx.Err() != nil {
			break
		}
		if it.err = err; err != nil {
			n.fail(err)
			a.showFailure(it)
			continue
		}
		if n.done > 0 && !a.json {
			fmt.Fprintln(a.out)
		}
		n.done++
		if err := a.showExplanation(d, it, q, e); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return n.outcome()
}

func (a *app) explained(ctx context.Context, p *fovea.Predictor, it *item, q fovea.ExplainRequest) (*fovea.Explanation, error) {
	img, err := it.load(ctx)
	if err != nil {
		return nil, err
	}
	it.img, q.Image, q.Path = img, img, it.name
	e, err := p.Explain(ctx, q)
	if err == nil {
		e.Frame = it.frame
	}
	return e, err
}

func (a *app) showExplanation(d *drawer, it *item, q fovea.ExplainRequest, e *fovea.Explanation) error {
	if a.json {
		if err := a.printJSON(e); err != nil {
			return err
		}
	} else {
		a.printExplanation(it, q, e)
	}
	if d == nil {
		return nil
	}
	where, err := d.save(it, drawExplanation(it, q, e))
	if err == nil && !a.quiet {
		a.drawnInto(where)
	}
	return err
}

// drawExplanation is the picture under its heat, with the answer.
func drawExplanation(it *item, q fovea.ExplainRequest, e *fovea.Explanation) *imageproc.RGB {
	pic := annotation.Picture{W: e.Width, H: e.Height}
	switch q.Task {
	case task.Detect:
		pic.Objects = []annotation.Object{{Label: e.Target, Score: e.Score, Box: e.Box}}
	case task.Classify:
		pic.Class = e.Target
	case task.Ask:
		pic.Questions = []annotation.Question{{Text: q.Question, Answer: e.Target, Score: e.Score}}
	default:
		pic.Captions = []string{e.Target}
	}
	return imageproc.Draw(imageproc.Heat(it.img, e.Regions.Grid[0], e.Regions.Grid[1], e.Regions.Values), pic, imageproc.DrawOptions{Labels: it.palette})
}

func (a *app) printExplanation(it *item, q fovea.ExplainRequest, e *fovea.Explanation) {
	s := a.outStyle
	a.title(&item{input: it.input, res: &fovea.Result{Width: e.Width, Height: e.Height, Model: e.Model, Elapsed: time.Duration(e.MS * float64(time.Millisecond))}})
	answer := s.paint(bold, printable(e.Target)) + s.paint(dim, percent(e.Score))
	if q.Task == task.Ask {
		answer = printable(q.Question) + " → " + answer
	}
	if q.Task == task.Detect {
		answer += fmt.Sprintf("  %5.0f,%-5.0f %5.0f×%-5.0f", e.Box.X0, e.Box.Y0, e.Box.W(), e.Box.H())
	}
	a.row(q.Task.String(), strings.TrimRight(answer, " "))
	heading := "rests on"
	for _, line := range a.heatLines(e.Regions) {
		a.row(heading, line)
		heading = ""
	}
	a.printTokens(e.Tokens)
	if e.DeletionAUC != nil {
		a.row("deletion", fmt.Sprintf("%.3f", *e.DeletionAUC)+s.paint(dim, "  mean score while the hottest regions go first; low is good"))
		a.row("insertion", fmt.Sprintf("%.3f", *e.InsertionAUC)+s.paint(dim, "  mean score while they come first; high is good"))
	}
}

// printTokens lists the words of a question with their shares.
func (a *app) printTokens(tokens []fovea.Token) {
	w, most := 0, 0.
	for _, t := range tokens {
		w, most = max(w, len([]rune(t.Text))), max(most, t.Value)
	}
	heading := "words"
	for _, t := range tokens {
		a.row(heading, pad(printable(strings.TrimSpace(t.Text)), w)+" "+percent(t.Value)+" "+a.outStyle.paint("33;", bar(t.Value/max(most, 1e-9), barColumns)))
		heading = ""
	}
}

// shades stand for heat where there are no colours.
var shades = []rune(" ░▒▓█")

// heatLines draws a grid of heat, two columns a cell so that cells are about square. Wide grids lose columns to fit.
func (a *app) heatLines(r fovea.Regions) []string {
	rows, cols := r.Grid[0], r.Grid[1]
	lo, hi := slices.Min(r.Values), slices.Max(r.Values)
	step := 1
	for 2*cols/step > max(a.outStyle.width-margin-4, 16) {
		step++
	}
	var out []string
	for y := 0; y < rows; y += step {
		line := ""
		for x := 0; x < cols; x += step {
			v := 0.
			for j := y; j < min(y+step, rows); j++ {
				v = max(v, slices.Max(r.Values[j*cols+x:j*cols+min(x+step, cols)]))
			}
			v = (v - lo) / max(hi-lo, 1e-12)
			if a.outStyle.on {
				c := imageproc.HeatColor(v)
				line += a.outStyle.paint(fmt.Sprintf("48;2;%d;%d;%d;", c[0], c[1], c[2]), "  ")
				continue
			}
			line += strings.Repeat(string(shades[min(int(v*float64(len(shades))), len(shades)-1)]), 2)
		}
		out = append(out, line)
	}
	return out
}
