package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"fovea/dataset"
	"fovea/internal/recipe"
)

// dryRun says how a recipe was understood and what it will take.
func (a *app) dryRun(ctx context.Context, run *recipe.Run) error {
	plan, err := run.Plan()
	if err != nil {
		return bad("", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
	}
	if !a.json {
		a.printPlan(plan)
	}
	if plan.Cost, err = run.Trial(ctx); err != nil {
		return trainError(err)
	}
	if a.json {
		return a.printJSON(plan)
	}
	a.printCost(plan)
	return nil
}

func (a *app) printPlan(p *recipe.Plan) {
	m := fmt.Sprintf("%s, %.2f M parameters, sees %d × %d pixels", p.Model.Variant, float64(p.Model.Parameters)/1e6, p.Model.Size, p.Model.Size)
	if p.Model.From != "" {
		m += ", from " + p.Model.From
	}
	a.row("model", m)
	for i := range p.Data {
		d := &p.Data[i]
		a.planSet("data", d, fmt.Sprintf("%.0f %% of the samples, each picture %s", 100*d.Share, times(d.Seen)))
	}
	for i := range p.Eval {
		a.planSet("eval", &p.Eval[i], "measured as "+p.Eval[i].Name)
	}
	a.row("train", fmt.Sprintf("%d epochs of %d steps of %d pictures, into %s", p.Train.Epochs, p.Train.EpochSteps, p.Train.Batch, p.Train.Out))
	a.listed("look at", p.Remarks)
}

// times says how often something happens.
func times(n float64) string {
	if n < 10 {
		return fmt.Sprintf("%.1f times", n)
	}
	return fmt.Sprintf("%.0f times", n)
}

// planSet prints a data set: where it is, what it teaches, what it holds, and what is odd.
func (a *app) planSet(heading string, d *recipe.PlanSet, use string) {
	where := d.Path
	if where == "" {
		where = "generated scenes"
	}
	if d.Split != "" {
		where += " (" + d.Split + ")"
	}
	a.paragraph(heading, printable(fmt.Sprintf("%s: %s", where, strings.Join(d.Tasks, ", "))))
	if use != "" {
		a.paragraph("", use)
	}
	h := d.Holds
	a.paragraph("", fmt.Sprintf("pictures %d%s", d.Images, counted(h)))
	if len(d.Splits) > 1 {
		var parts []string
		for _, s := range slices.Sorted(maps.Keys(d.Splits)) {
			parts = append(parts, fmt.Sprintf("%s %d", s, d.Splits[s]))
		}
		a.paragraph("", printable("parts: "+strings.Join(parts, ", ")))
	}
	if classes := commonClasses(h.Classes); classes != "" {
		a.paragraph("", printable(classes))
	}
	for _, f := range append(slices.Clone(d.Faults), h.Faults...) {
		a.printFault("", f)
	}
}

// count is a number of labels of a kind.
type count struct {
	what string
	n    int
}

// counts are the kinds of labels of a set that there are any of.
func counts(h *dataset.Survey) []count {
	all := []count{{"objects", h.Objects}, {"joints of", h.People}, {"questions", h.Questions}, {"answers", h.Answers}, {"captions", h.Captions}}
	return slices.DeleteFunc(all, func(c count) bool { return c.n == 0 })
}

// counted lists the kinds of labels of a set with their numbers.
func counted(h *dataset.Survey) string {
	out := ""
	for _, c := range counts(h) {
		out += fmt.Sprintf(", %s %d", c.what, c.n)
	}
	if h.Sampled > 0 {
		out += fmt.Sprintf(" (counted in %d)", h.Sampled)
	}
	return out
}

// commonClasses names the most common classes of a set with their numbers and says how many more there are.
func commonClasses(all []dataset.ClassCount) string {
	classes := slices.DeleteFunc(slices.Clone(all), func(c dataset.ClassCount) bool { return c.Samples() == 0 })
	if len(classes) == 0 {
		return ""
	}
	slices.SortStableFunc(classes, func(x, y dataset.ClassCount) int { return y.Samples() - x.Samples() })
	const listed = 12
	var parts []string
	for _, c := range classes[:min(listed, len(classes))] {
		if c.Pixels > 0 {
			parts = append(parts, fmt.Sprintf("%s %.1f %%", c.Name, 100*c.Pixels))
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %d", c.Name, c.Samples()))
	}
	out := fmt.Sprintf("%d classes: %s", len(classes), strings.Join(parts, ", "))
	if more := classes[min(listed, len(classes)):]; len(more) > 0 {
		out += fmt.Sprintf(" and %d more down to %s %d", len(more), more[len(more)-1].Name, more[len(more)-1].Samples())
	}
	return out
}

func (a *app) printFault(heading string, f dataset.Fault) {
	a.paragraph(heading, printable(fmt.Sprintf("%s: %d, for example %s", f.Kind, f.Count, strings.Join(f.Examples, "; "))))
}

func (a *app) printCost(p *recipe.Plan) {
	c := p.Cost
	a.row("time", fmt.Sprintf("about %s: %.2f s a step (of %d timed), %s of training and %s of measuring", duration(c.Seconds), c.StepSeconds, c.TimedSteps,
		duration(c.TrainSeconds), duration(c.EvalSeconds)))
	a.row("memory", fmt.Sprintf("about %.1f GB", float64(c.Bytes)/1e9))
}

// duration is a rough length of time in words.
func duration(seconds float64) string {
	d := time.Duration(seconds * float64(time.Second))
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	}
	return fmt.Sprintf("%.1f h", d.Hours())
}
