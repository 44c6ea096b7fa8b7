package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/model"
	"fovea/task"
)

type lookOptions struct {
	zoom bool
	pictureOptions
	questions []string
}

func (a *app) look() *cobra.Command {
	var o lookOptions
	c := &cobra.Command{
		Use: "look IMAGE...", Short: "Find out everything about a picture at once",
		Long: `Names the picture, finds its objects and outlines them, finds people's joints, describes it and draws all that into NAME.fovea.png. ` +
			`The picture goes through the model once. IMAGE is a file, a folder, a pattern, - for standard input, a video or GIF, or a URL.`,
		Example: "fovea look photo.jpg\nfovea look photo.jpg --question \"what is the man holding?\"\nfovea look photos/ --out drawn/ --json",
		Args:    args(1, -1, "IMAGE"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runLook(c, &o, args) },
	}
	o.flags(c)
	o.outFlag(c)
	o.thresholdFlag(c)
	c.Flags().BoolVar(&o.zoom, "zoom", false, "look again, closer, at people who are small in the picture, for their joints")
	c.Flags().StringArrayVar(&o.questions, "question", nil, "ask this, too; may be repeated")
	return c
}

func (a *app) runLook(c *cobra.Command, o *lookOptions, args []string) error {
	if err := o.check(c); err != nil {
		return err
	}
	req := fovea.Request{Tasks: fovea.Everything, Threshold: o.threshold, Questions: o.questions, NoZoom: !o.zoom}
	if len(o.questions) > 0 {
		req.Tasks |= task.SetOf(task.Ask)
	}
	if o.out == "" && !a.json && !many(args) {
		o.out = drawnName(args[0])
	}
	o.willing = func(req *fovea.Request, card model.Card) error { return a.leaveOut(req, card, o.model) }
	return a.run(c.Context(), &o.pictureOptions, args, req, a.printLook)
}

// leaveOut takes from a look at everything what the model is not capable of, and what it does only for given words, and says so.
func (a *app) leaveOut(req *fovea.Request, card model.Card, name string) error {
	asked := req.Tasks
	req.Tasks &= card.Tasks
	var hints []string
	if card.OpenVocabulary && !card.Anything {
		if things := req.Tasks & task.SetOf(task.Detect, task.Segment); things != 0 && len(card.Labels) == 0 {
			req.Tasks &^= things
			hints = append(hints, fmt.Sprintf("fovea %s PHOTO --query \"person, dog\" --model %s", commands(things)[0], name))
		}
		if req.Tasks.Has(task.Classify) && len(card.Classes) == 0 {
			req.Tasks &^= task.SetOf(task.Classify)
			hints = append(hints, fmt.Sprintf("fovea classify PHOTO --labels \"cat, dog\" --model %s", name))
		}
	}
	if req.Tasks == 0 {
		if can := commands(card.Tasks); len(hints) == 0 && len(can) > 0 {
			hints = []string{fmt.Sprintf("fovea %s PHOTO --model %s", can[0], name)}
		}
		return usage(strings.Join(hints, "; "), "the model %q has nothing to say about a picture unasked", card.Name)
	}
	if left := commands(asked &^ req.Tasks); len(left) > 0 {
		text := "left out, as the model is not made for it: " + strings.Join(left, ", ")
		if len(hints) > 0 {
			text += "; with words of yours: " + strings.Join(hints, "; ")
		}
		a.note("%s", printable(text))
	}
	return nil
}

// drawnName is where a picture is drawn unless told otherwise: in the current folder.
func drawnName(name string) string {
	base := filepath.Base(name)
	if name == "-" || isURL(name) {
		base = "picture"
	}
	return strings.TrimSuffix(base, filepath.Ext(base)) + drawnEnding
}

func (a *app) printLook(it *item) {
	r, s := it.res, a.outStyle
	a.title(it)
	if r.CaptionDoubt() == fovea.Sure {
		a.paragraph("caption", printable(r.Caption.Text))
	}
	a.printAnswers(r)
	if doubt := r.ClassDoubt(); doubt != fovea.Guess {
		var names []string
		for _, c := range r.Classes[:min(3, len(r.Classes))] {
			if c.Score >= .01 {
				names = append(names, printable(c.Label)+s.paint(dim, percent(c.Score)))
			}
		}
		if doubt == fovea.Perhaps {
			names[0] = "perhaps " + names[0]
		}
		a.row("class", strings.Join(names, "   "))
	}
	a.printObjects(it)
	a.printPeople(it)
}

func (a *app) printAnswers(r *fovea.Result) {
	heading := "answers"
	for _, q := range r.Answers {
		a.row(heading, printable(q.Question)+" → "+a.outStyle.paint(bold, printable(q.Answer))+a.outStyle.paint(dim, percent(q.Score)))
		heading = ""
	}
}
