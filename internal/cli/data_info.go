package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fovea/dataset"
)

type dataInfoOptions struct {
	setOptions
	check bool
}

func (a *app) dataInfo() *cobra.Command {
	var o dataInfoOptions
	c := &cobra.Command{
		Use: "info PATH", Short: "Say what a data set holds and what is wrong with it",
		Long: `Recognises the layout of a data set (ImageFolder, CIFAR, COCO, VQA v2, JSONL, pictures with label maps) and says what it holds. ` +
			`Faults are listed with examples. With --check every picture is read.`,
		Example: "fovea data info coco/ --split val\nfovea data info photos/ --check --json",
		Args:    args(1, 1, "PATH"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runDataInfo(c.Context(), &o, args[0]) },
	}
	o.flags(c)
	c.Flags().BoolVar(&o.check, "check", false, "read every picture, and count objects")
	return c
}

// dataInfo is the JSON of a data set.
type dataInfo struct {
	Data    string          `json:"data"`
	Layout  string          `json:"layout,omitempty"`
	Splits  []string        `json:"splits,omitempty"`
	Images  int             `json:"images"`
	Labels  []string        `json:"labels"`
	Classes []string        `json:"classes"`
	Notes   []string        `json:"notes,omitempty"`
	Faults  []dataset.Fault `json:"faults"`
	Counts  *dataCounts     `json:"counts,omitempty"` // with --check
}

type dataCounts struct {
	Objects   int            `json:"objects"`
	PerClass  map[string]int `json:"per_class"`
	Questions int            `json:"questions"`
	Captions  int            `json:"captions"`
	Unread    []string       `json:"unreadable"`
}

func (a *app) runDataInfo(ctx context.Context, o *dataInfoOptions, path string) error {
	src, err := o.open(path)
	if err != nil {
		return err
	}
	info := dataInfo{Data: src.Name(), Images: src.Len(), Labels: labelNames(src.Labels()), Classes: src.Classes(), Faults: []dataset.Fault{}}
	if splits, layout, err := dataset.Splits(path); err == nil {
		info.Layout = layout
		info.Splits = slices.DeleteFunc(splits, func(s string) bool { return s == "" })
	}
	if o.check {
		if info.Counts, err = a.countData(ctx, src); err != nil {
			return err
		}
	}
	if r, ok := src.(dataset.Reporter); ok {
		info.Notes = r.Report().Notes()
		info.Faults = append(info.Faults, r.Report().Faults()...)
	}
	if a.json {
		err = a.printJSON(info)
	} else {
		a.printDataInfo(&info)
	}
	if err == nil && info.Counts != nil && len(info.Counts.Unread) > 0 {
		return errShown{exitSome}
	}
	return err
}

// countData reads every picture.
func (a *app) countData(ctx context.Context, src dataset.Source) (*dataCounts, error) {
	n := &dataCounts{PerClass: map[string]int{}, Unread: []string{}}
	p := a.progress("reading", src.Len())
	defer p.done()
	for i := range src.Len() {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		p.step(i)
		ex, err := src.At(i, dataset.RNG(0, i))
		if err != nil {
			n.Unread = append(n.Unread, strings.TrimPrefix(err.Error(), "dataset: "))
			continue
		}
		if ex.Class != "" {
			n.PerClass[ex.Class]++
		}
		for _, ob := range ex.Objects {
			n.PerClass[ob.Label]++
		}
		n.Objects += len(ex.Objects)
		n.Questions += len(ex.Questions)
		n.Captions += len(ex.Captions)
	}
	return n, nil
}

func (a *app) printDataInfo(d *dataInfo) {
	fmt.Fprintf(a.out, "%s  %s\n", a.outStyle.paint(bold, printable(d.Data)), a.outStyle.paint(dim, d.Layout))
	a.row("images", fmt.Sprint(d.Images))
	a.paragraph("splits", strings.Join(d.Splits, ", "))
	a.paragraph("labels", strings.Join(d.Labels, ", "))
	const listed = 60
	classes := strings.Join(d.Classes[:min(len(d.Classes), listed)], ", ")
	if more := len(d.Classes) - listed; more > 0 {
		classes += fmt.Sprintf(" and %d more", more)
	}
	a.paragraph("classes", printable(fmt.Sprintf("%d: %s", len(d.Classes), classes)))
	if c := d.Counts; c != nil {
		a.row("objects", fmt.Sprint(c.Objects))
		a.row("questions", fmt.Sprint(c.Questions))
		a.row("captions", fmt.Sprint(c.Captions))
		a.printPerClass(d.Classes, c.PerClass)
		a.listed("unreadable", c.Unread)
	}
	a.listed("notes", d.Notes)
	for _, f := range d.Faults {
		a.paragraph("fault", fmt.Sprintf("%s: %d, for example %s", f.Kind, f.Count, printable(strings.Join(f.Examples, "; "))))
	}
}

// printPerClass is a bar for each class that occurs.
func (a *app) printPerClass(classes []string, n map[string]int) {
	most := 1
	for _, v := range n {
		most = max(most, v)
	}
	w, heading := labelWidth(classes), "per class"
	for _, c := range classes {
		if n[c] > 0 {
			a.row(heading, fmt.Sprintf("%s %7d %s", pad(printable(c), w), n[c], a.outStyle.paint(dim, bar(float64(n[c])/float64(most), 2*barColumns))))
			heading = ""
		}
	}
}

func (a *app) listed(heading string, texts []string) {
	for _, t := range texts {
		a.paragraph(heading, printable(t))
		heading = ""
	}
}
