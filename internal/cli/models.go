package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fovea/internal/hub"
)

func (a *app) models() *cobra.Command {
	var everything bool
	c := &cobra.Command{
		Use: "models", Short: "List the models that can be used",
		Long: `Lists the model inside the program and the published ones in the cache: name, tasks, parameters, size, licence and source. ` +
			`With --all also those that have a short name and can be pulled, and what else is in the cache.`,
		Example: "fovea models\nfovea models --all --json",
		Args:    args(0, 0, ""),
		RunE:    func(c *cobra.Command, _ []string) error { return a.runModels(c.Context(), everything) },
	}
	c.Flags().BoolVar(&everything, "all", false, "also list what can be pulled, and what the cache holds for other programs")
	return c
}

func (a *app) runModels(ctx context.Context, everything bool) error {
	own, err := describeOwn(ctx)
	if err != nil {
		return err
	}
	list := []description{own}
	cached, err := hub.EnvironmentCache().List()
	if err != nil {
		return hubError("", err)
	}
	there := map[string]bool{}
	for _, s := range cached {
		if d := describeSnapshot(s); everything || d.State != stateUnsupported {
			list = append(list, d)
		}
		there[s.Repo] = there[s.Repo] || s.Whole()
	}
	if everything {
		list = append(list, publishedModels(there)...)
	}
	order := []string{stateReady, stateIncomplete, stateUnsupported, statePublished} // as the table has its headings
	slices.SortStableFunc(list, func(a, b description) int { return slices.Index(order, a.State) - slices.Index(order, b.State) })
	if a.json {
		for _, d := range list {
			if err := a.printJSON(d); err != nil {
				return err
			}
		}
		return nil
	}
	a.printModels(list)
	return nil
}

// publishedModels are those with a short name that are not in the cache.
func publishedModels(there map[string]bool) (out []description) {
	for _, m := range hub.Short() {
		if !there[m.Repo] {
			out = append(out, description{Name: m.Ref().String(), Short: m.Name, Tasks: []string{m.Task}, Bytes: int64(m.MB) * 1e6, Licence: m.Licence, Source: sourceOf(m.Repo),
				State: statePublished, Architecture: m.Class, Score: m.Score})
		}
	}
	return out
}

// printModels is a table.
func (a *app) printModels(list []description) {
	var names, tasks, licences []string
	for _, d := range list {
		names, tasks, licences = append(names, printable(d.Name)), append(tasks, strings.Join(d.Tasks, " ")), append(licences, printable(d.Licence))
	}
	wide := func(texts []string, most int) (w int) {
		for _, t := range texts {
			w = max(w, len([]rune(t)))
		}
		return min(w, most)
	}
	nw, tw, lw := wide(names, 48), max(wide(tasks, 46), 4), wide(licences, 16)
	s := a.outStyle
	state := stateReady
	for i, d := range list {
		if d.State != state {
			state = d.State
			heading := map[string]string{stateIncomplete: "only part is in the cache", stateUnsupported: "in the cache, for other programs", statePublished: "can be pulled"}[state]
			fmt.Fprintf(a.out, "\n%s\n", s.paint(bold, heading))
		}
		count := ""
		if d.Parameters > 0 {
			count = parameters(d.Parameters)
		}
		tail := ""
		if d.Short != "" {
			tail = s.paint(dim, " "+d.Short)
		}
		fmt.Fprintf(a.out, "%s  %s  %8s  %7s  %s%s\n", pad(names[i], nw), s.paint(cyan, pad(tasks[i], tw)), count, amount(d.Bytes), pad(licences[i], lw), tail)
	}
}

// parameters writes a number of weights.
func parameters(n int) string {
	if n < 1e9 {
		return fmt.Sprintf("%.1f M", float64(n)/1e6)
	}
	return fmt.Sprintf("%.2f G", float64(n)/1e9)
}
