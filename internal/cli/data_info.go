package cli

import (
	"cmp"
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
			`Faults are listed with examples: tiny and huge boxes, boxes that stand there twice, classes with one sample or out of balance, labels that differ only by case, ` +
			`files that occur twice or in several parts. With --check every picture is read, which finds unreadable ones and those that look nearly the same.`,
		Example: "fovea data info coco/ --split val\nfovea data info photos/ --check --json",
		Args:    args(1, 1, "PATH"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runDataInfo(c.Context(), &o, args[0]) },
	}
	o.flags(c)
	c.Flags().BoolVar(&o.check, "check", false, "read every picture: find those that cannot be read or look nearly the same")
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
	Holds   *dataset.Survey `json:"holds"`
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
	if info.Holds, err = dataset.TakeSurvey(src, dataset.SurveyOptions{}); err != nil {
		return bad("", "%s", strings.TrimPrefix(err.Error(), "dataset: "))
	}
	prints, repeats, err := a.repeats(ctx, src, path, info.Splits, o.check)
	if err != nil {
		return err
	}
	if o.check {
		info.Counts = countData(info.Holds, prints)
	}
	if r, ok := src.(dataset.Reporter); ok {
		info.Notes = r.Report().Notes()
		info.Faults = append(info.Faults, r.Report().Faults()...)
	}
	info.Faults = append(append(info.Faults, info.Holds.Faults...), repeats...)
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

// repeats finds pictures that occur twice in a set, or in several of its parts. It returns the prints of src itself, too.
func (a *app) repeats(ctx context.Context, src dataset.Source, path string, splits []string, look bool) (own []dataset.Print, found []dataset.Fault, err error) {
	type part struct {
		src  dataset.Source
		name string
	}
	parts := []part{{src, ""}}
	slices.SortStableFunc(splits, func(x, y string) int { return cmp.Compare(strings.Index(y, "train"), strings.Index(x, "train")) })
	for _, s := range splits {
		other, err := dataset.Open(path, dataset.OpenOptions{Split: s})
		switch {
		case err != nil: // a part without annotations; its faults are not those of src
		case other.Name() == src.Name():
			parts[0].name = s
		default:
			parts = append(parts, part{other, s})
		}
	}
	total := 0
	for _, p := range parts {
		total += p.src.Len()
	}
	bar := a.progress("reading", total)
	defer bar.done()
	var all []dataset.Print
	before := 0
	for i, p := range parts {
		got, err := dataset.Prints(ctx, p.src, dataset.PrintOptions{Split: p.name, Look: look, Workers: a.threads, Step: func(n int) { bar.step(before + n) }})
		if err != nil {
			return nil, nil, err
		}
		before += p.src.Len()
		if i == 0 {
			own = got
		}
		all = append(all, got...)
	}
	return own, dataset.Repeats(all), nil
}

func countData(h *dataset.Survey, prints []dataset.Print) *dataCounts {
	n := &dataCounts{Objects: h.Objects, PerClass: map[string]int{}, Questions: h.Questions, Captions: h.Captions, Unread: []string{}}
	for _, c := range h.Classes {
		if k := c.Samples(); k > 0 {
			n.PerClass[c.Name] = k
		}
	}
	for _, p := range prints {
		if p.Err != nil {
			n.Unread = append(n.Unread, strings.TrimPrefix(p.Err.Error(), "dataset: "))
		}
	}
	return n
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
	a.paragraph("classes", printable(strings.TrimSuffix(fmt.Sprintf("%d: %s", len(d.Classes), classes), ": ")))
	for _, n := range counts(d.Holds) {
		a.row(n.what, fmt.Sprint(n.n))
	}
	a.printPerClass(d.Holds.Classes)
	a.listed("notes", d.Notes)
	for _, f := range d.Faults {
		a.printFault("fault", f)
	}
	if d.Counts == nil {
		a.row("unread", a.outStyle.paint(dim, "files were compared, pictures not read; --check finds unreadable and nearly equal ones"))
		return
	}
	a.listed("unreadable", d.Counts.Unread)
}

// printPerClass is a bar for each class that occurs, the most common first; of many, the ends of the list.
func (a *app) printPerClass(all []dataset.ClassCount) {
	classes := slices.DeleteFunc(slices.Clone(all), func(c dataset.ClassCount) bool { return c.Samples() == 0 })
	slices.SortStableFunc(classes, func(x, y dataset.ClassCount) int { return prevalence(y) - prevalence(x) })
	most := 1
	var names []string
	for _, c := range classes {
		most, names = max(most, prevalence(c)), append(names, c.Name)
	}
	const head, tail = 24, 8
	w, heading := labelWidth(names), "per class"
	for i, c := range classes {
		if len(classes) > head+tail && i >= head && i < len(classes)-tail {
			if i == head {
				a.row("", a.outStyle.paint(dim, fmt.Sprintf("… %d more …", len(classes)-head-tail)))
			}
			continue
		}
		text := fmt.Sprintf("%7d", c.Samples())
		if c.Pixels > 0 {
			text = fmt.Sprintf("%5.1f %%", 100*c.Pixels)
		}
		a.row(heading, fmt.Sprintf("%s %s %s", pad(printable(c.Name), w), text, a.outStyle.paint(dim, bar(float64(prevalence(c))/float64(most), 2*barColumns))))
		heading = ""
	}
}

// prevalence is what classes are ordered by: millionths of the pixels, or samples.
func prevalence(c dataset.ClassCount) int {
	if c.Pixels > 0 {
		return int(1e6 * c.Pixels)
	}
	return c.Samples()
}

func (a *app) listed(heading string, texts []string) {
	for _, t := range texts {
		a.paragraph(heading, printable(t))
		heading = ""
	}
}
