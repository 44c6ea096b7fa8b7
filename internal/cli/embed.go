package cli

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/task"
)

type embedOptions struct {
	pictureOptions
	texts []string
}

func (a *app) embed() *cobra.Command {
	var o embedOptions
	c := &cobra.Command{
		Use: "embed [IMAGE...] [--text TEXT]", Short: "Turn pictures and texts into vectors",
		Long: `Places pictures and texts in one space: unit vectors whose dot product says how well two of them fit. ` +
			`With --json each vector is a line; otherwise pictures are compared with the texts.`,
		Example: "fovea embed photo.jpg --text \"a red circle\" --text \"two people\"\nfovea embed photos/ --json > vectors.jsonl\nfovea embed --text \"a red circle\" --json",
		Args:    cobra.ArbitraryArgs,
		RunE:    func(c *cobra.Command, args []string) error { return a.runEmbed(c, &o, args) },
	}
	o.flags(c)
	c.Flags().StringArrayVar(&o.texts, "text", nil, "embed this text, too; may be repeated")
	return c
}

func (a *app) runEmbed(c *cobra.Command, o *embedOptions, args []string) error {
	if err := o.check(c); err != nil {
		return err
	}
	if len(args)+len(o.texts) == 0 {
		return usage("fovea "+c.Use, "IMAGE or --text is missing")
	}
	if err := checkSources(args, o.allowURL); err != nil {
		return err
	}
	ctx := c.Context()
	p, err := a.open(ctx, o.model, args, fovea.WithPrecision(fovea.Precision(o.precision)))
	if err != nil {
		return err
	}
	defer func() { _ = p.Close() }()
	vectors, err := a.embedTexts(ctx, p, o.texts, len(args) == 0)
	if err != nil || len(args) == 0 {
		return err
	}
	req := fovea.Request{Tasks: task.SetOf(task.Match)}
	return a.answer(ctx, p, &o.pictureOptions, args, req, func(it *item) { a.printVector(it, o.texts, vectors) }, nil)
}

// embedTexts returns the vectors of texts. With --json it prints them, and without it when they are all that is asked for.
func (a *app) embedTexts(ctx context.Context, p *fovea.Predictor, texts []string, alone bool) ([][]float32, error) {
	var out [][]float32
	for _, t := range texts {
		start := time.Now()
		v, err := p.EmbedText(ctx, t)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		switch {
		case a.json:
			err = a.printJSON(textLine{t, p.Card().Name, "embed", math.Round(float64(time.Since(start).Microseconds())/100) / 10, v})
		case alone:
			_, err = fmt.Fprintln(a.out, numbers(v))
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// textLine is the JSON of a text's vector.
type textLine struct {
	Text   string    `json:"text"`
	Model  string    `json:"model"`
	Task   string    `json:"task"`
	MS     float64   `json:"ms"`
	Vector []float32 `json:"vector"`
}

// printVector compares a picture with texts, or prints its numbers when there are none.
func (a *app) printVector(it *item, texts []string, vectors [][]float32) {
	if len(texts) == 0 {
		fmt.Fprintln(a.out, numbers(it.res.Vector))
		return
	}
	a.title(it)
	w, heading := labelWidth(texts), "fits"
	for i, t := range texts {
		a.row(heading, fmt.Sprintf("%s %+.3f", pad(printable(t), w), dot(it.res.Vector, vectors[i])))
		heading = ""
	}
}

// numbers writes a vector as text, a space between its numbers.
func numbers(v []float32) string {
	var b strings.Builder
	for i, x := range v {
		if i > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%.6g", x)
	}
	return b.String()
}

func dot(a, b []float32) (sum float64) {
	for i := range a {
		sum += float64(a[i]) * float64(b[i])
	}
	return sum
}
