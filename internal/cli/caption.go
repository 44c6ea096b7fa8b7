package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/task"
)

type captionOptions struct{ pictureOptions }

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
	return c
}

func (a *app) runCaption(c *cobra.Command, o *captionOptions, args []string) error {
	if err := o.check(c); err != nil {
		return err
	}
	req := fovea.Request{Tasks: task.SetOf(task.Caption)}
	if many(args) {
		return a.run(c.Context(), &o.pictureOptions, args, req, func(it *item) {
			a.title(it)
			a.paragraph("caption", printable(it.res.Caption.Text))
		})
	}
	var s stream
	if a.outStyle.term && !a.json {
		req.Step = func(text string) { fmt.Fprint(a.out, s.next(printable(text))) }
	}
	return a.run(c.Context(), &o.pictureOptions, args, req, func(it *item) {
		fmt.Fprintln(a.out, s.next(printable(it.res.Caption.Text)))
	})
}

// stream prints a text that grows word by word.
type stream struct{ shown string }

// next is what to print so that text stands on the screen. A text that changed on the way is begun anew on its line.
func (s *stream) next(text string) string {
	if more, grew := strings.CutPrefix(text, s.shown); grew {
		s.shown = text
		return more
	}
	old := s.shown
	s.shown = text
	if common := commonPrefix(old, text); len(old)-len(common) < 8 {
		return strings.Repeat("\b", len([]rune(old[len(common):]))) + text[len(common):] + clearRest
	}
	return "\r" + clearRest + text
}

// clearRest erases the terminal's line to the right of the cursor.
const clearRest = "\x1b[K"

func commonPrefix(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(a) && a[n]&0xc0 == 0x80 { // not inside a letter
		n--
	}
	return a[:n]
}
