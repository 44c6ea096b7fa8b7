package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/imageproc"
	"fovea/model"
)

// pictureOptions are the flags of all commands that look at pictures.
type pictureOptions struct {
	model     string
	out       string
	threshold float64
	precision string
	every     int
	allowURL  bool
	willing   func(req *fovea.Request, card model.Card) error // leaves out what the model cannot do; nil: that is an error
}

// precisionHelp says what --precision does wherever a model answers.
const precisionHelp = "hold the model's matrices as f32, or in less memory as bf16, int8 or int4 (default f32, and bf16 for more than 1 GiB of 16-bit weights)"

func (o *pictureOptions) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVarP(&o.model, "model", "m", fovea.DefaultModel, "use this model: a name or a folder")
	f.StringVar(&o.precision, "precision", "", precisionHelp)
	f.IntVar(&o.every, "every", 1, "look at every so many frames of a video or GIF")
	f.BoolVar(&o.allowURL, "allow-url", false, "fetch pictures from http and https URLs")
	_ = c.RegisterFlagCompletionFunc("model", completeModels)
	c.ValidArgsFunction = completePictures
}

func (o *pictureOptions) outFlag(c *cobra.Command) {
	c.Flags().StringVarP(&o.out, "out", "o", "", "draw the answer into this PNG or JPEG file, or into files of this folder")
}

func (o *pictureOptions) thresholdFlag(c *cobra.Command) {
	c.Flags().Float64Var(&o.threshold, "threshold", fovea.DefaultThreshold, "leave out what is less probable, in [0, 1]")
}

// check names a flag with a wrong value.
func (o *pictureOptions) check(c *cobra.Command) error {
	if !(o.threshold >= 0 && o.threshold <= 1) {
		return usage("", "--threshold is %g, want a probability in [0, 1]", o.threshold)
	}
	if !c.Flags().Changed("threshold") {
		o.threshold = 0 // the model's own default
	} else if o.threshold == 0 {
		o.threshold = 1e-9 // a request's 0 means the default
	}
	if err := checkPrecision(o.precision); err != nil {
		return err
	}
	if o.every < 1 {
		return usage("", "--every is %d, want at least 1", o.every)
	}
	return nil
}

// item is one picture on its way through a command.
type item struct {
	input
	img     *imageproc.RGB
	res     *fovea.Result
	err     error
	palette []string // labels in the order of their colours
}

// pictures puts a request to every input and shows the answers in their order. Several pictures are under way at once when
// there are several threads. One that fails is handed to failed and does not stop the rest.
func (a *app) pictures(ctx context.Context, p *fovea.Predictor, inputs iter.Seq[input], req fovea.Request, show, failed func(*item) error) (n tally, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	queue := make(chan chan *item, p.Runners()) // each will hold one answer
	go func() {
		defer close(queue)
		for in := range inputs {
			answer := make(chan *item, 1)
			select {
			case <-ctx.Done():
				return
			case queue <- answer:
			}
			go func() { answer <- ask(ctx, p, in, req) }()
		}
	}()
	for answer := range queue {
		it := <-answer
		switch {
		case it.err == nil:
			n.done++
			err = show(it)
		case ctx.Err() == nil:
			n.fail(it.err)
			err = failed(it)
		}
		if err != nil {
			return n, err
		}
	}
	return n, ctx.Err()
}

// tally counts the inputs of a command.
type tally struct {
	done, failed int
	retry        bool // one of the failures may be none the next time
}

func (n *tally) fail(err error) {
	n.failed++
	n.retry = n.retry || !isPermanent(err)
}

// outcome is the exit of a command over several inputs.
func (n tally) outcome() error {
	switch {
	case n.failed == 0:
		return nil
	case n.done > 0:
		return errShown{exitSome}
	case !n.retry:
		return errShown{exitBad}
	}
	return errShown{exitFailed}
}

// ask reads a picture and puts the request to it.
func ask(ctx context.Context, p *fovea.Predictor, in input, req fovea.Request) *item {
	it := &item{input: in, palette: req.Query}
	if len(it.palette) == 0 {
		it.palette = p.Card().Labels
	}
	if it.img, it.err = in.load(ctx); it.err != nil {
		return it
	}
	req.Image, req.Path = it.img, it.name
	if it.res, it.err = p.Do(ctx, req); it.err == nil {
		it.res.Frame = it.frame
	}
	return it
}

// open opens the model for some pictures: for several, each thread takes one; a single one has all threads. A name that
// does not exist becomes a hint.
func (a *app) open(ctx context.Context, name string, args []string, opts ...fovea.Option) (*fovea.Predictor, error) {
	runners := 1
	if many(args) {
		runners = a.threads
	}
	p, err := fovea.Open(ctx, name, append(opts, fovea.WithThreads(a.threads), fovea.WithRunners(runners))...)
	return p, missingModel(name, err)
}

func isPermanent(err error) bool {
	var e *fovea.Error
	return errors.As(err, &e) && e.BadInput
}

// showFailure reports a picture that failed: as a line of JSON among the results, or to people.
func (a *app) showFailure(it *item) {
	if !a.json {
		a.reportFailure(it)
		return
	}
	_ = a.printJSON(failureLine(it))
}

// reportFailure tells people about a picture that failed.
func (a *app) reportFailure(it *item) {
	what, hint := explain(it.err)
	report(a.err, a.errStyle, &failure{err: fmt.Errorf("%s: %s", printable(it.name), what), hint: hint})
}

// failedLine is the JSON of a picture that failed.
type failedLine struct {
	Image string      `json:"image"`
	Frame *int        `json:"frame,omitempty"`
	Error *failedWhat `json:"error"`
}

type failedWhat struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func failureLine(it *item) failedLine {
	what, hint := explain(it.err)
	if hint != "" {
		what += "; " + hint
	}
	return failedLine{it.name, it.frame, &failedWhat{fovea.Code(it.err), what}}
}

// explain splits an error about a picture into what is wrong, without the picture's name, and what to do about it.
func explain(err error) (what, hint string) {
	var pic *imageproc.Error
	if errors.As(err, &pic) {
		return pic.Msg, pic.Hint
	}
	var e *fovea.Error
	if errors.As(err, &e) {
		hint = e.Hint
	}
	return tidy(err), hint
}

// printJSON prints a result as one line.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
