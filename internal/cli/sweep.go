package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"fovea/checkpoint"
	"fovea/internal/recipe"
	"fovea/train"
)

type sweepOptions struct {
	out string
	dry bool
}

func (a *app) sweep() *cobra.Command {
	var o sweepOptions
	c := &cobra.Command{
		Use: "sweep SWEEP.yaml", Short: "Train variations of recipes and compare them",
		Long: `Trains every recipe that the file names in every way that it names, with every seed, one after the other, and compares what they measure at the end: a table with each variation's difference to the first, and charts for each recipe and metric: the end, and the way there. ` +
			`The file says "bases" (recipes), "vary" (names, with the keys that each changes, or the word augmentations: none, each transform of the recipe alone, and all), and may say "common" (keys that all runs change), "seeds" and "metrics". ` +
			`OUT receives a folder for each run, table.md and the charts. Run again after Ctrl-C, it goes on where it stopped; what has ended is not trained twice.`,
		Example: "fovea sweep configs/sweep/augment.yaml --out runs/augment\nfovea sweep rates.yaml --dry-run",
		Args:    args(1, 1, "SWEEP.yaml"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runSweep(c.Context(), &o, args[0]) },
	}
	c.Flags().StringVarP(&o.out, "out", "o", "", "folder for the runs and what comes of them (default runs/ and the file's name)")
	c.Flags().BoolVar(&o.dry, "dry-run", false, "list the runs; train nothing")
	c.ValidArgsFunction = cobra.FixedCompletions([]string{"yaml", "yml"}, cobra.ShellCompDirectiveFilterFileExt)
	return c
}

// sweptRun is a line of the sweep's JSON.
type sweptRun struct {
	Recipe  string  `json:"recipe"`
	Name    string  `json:"name"`
	Seed    uint64  `json:"seed"`
	Metric  string  `json:"metric,omitempty"`
	Value   float64 `json:"value"`
	Seconds float64 `json:"seconds"`
	Out     string  `json:"out"`
}

func (a *app) runSweep(ctx context.Context, o *sweepOptions, file string) error {
	if o.out == "" {
		o.out = filepath.Join("runs", strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
	}
	s, err := recipe.LoadSweep(file, o.out)
	if err != nil {
		return usage("", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
	}
	var known []string
	for _, h := range headlines {
		known = append(known, h.metric)
	}
	var done []sweptRun
	for i := range s.Runs {
		r := &s.Runs[i]
		got, ended, err := r.Finished()
		if err != nil {
			return bad("", "%s", strings.TrimPrefix(err.Error(), "recipe: "))
		}
		if !a.quiet {
			fmt.Fprintf(a.err, "%s %s, %s, seed %d%s\n", a.errStyle.paint(bold, fmt.Sprintf("run %d of %d", i+1, len(s.Runs))), printable(r.Base), printable(r.Name), r.Seed, map[bool]string{true: ": has ended"}[ended])
		}
		if o.dry {
			continue
		}
		if !ended {
			if got, err = a.sweepOne(ctx, r); err != nil {
				return err
			}
		}
		picked := s.Pick(got.Metrics, known)
		if len(picked) == 0 {
			return bad("fovea train --dry-run says what a recipe measures", "%s measures none of %q", r.Base, s.Metrics)
		}
		for _, m := range picked {
			line := sweptRun{r.Base, r.Name, r.Seed, m, got.Metrics[m], got.Seconds, r.Config.Out}
			done = append(done, line)
			if a.json {
				if err := a.printJSON(line); err != nil {
					return err
				}
			}
		}
	}
	if o.dry {
		return nil
	}
	return a.compareSweep(o.out, done)
}

// sweepOne trains a run, from its last snapshot if there is one.
func (a *app) sweepOne(ctx context.Context, r *recipe.SweepRun) (*recipe.SweepResult, error) {
	var last map[string]float64
	start := time.Now()
	opts := recipe.Options{Resume: true, Hooks: train.Hooks{Stdout: io.Discard, Stderr: a.err, Quiet: a.quiet, NoReport: true,
		Results: func(m map[string]float64) []string { last = m; return nil }}}
	var err error
	if recipe.Tunes(r.Config) {
		var run *recipe.Tuning
		if run, err = recipe.OpenTuning(r.Config, opts); err == nil {
			err = run.Train(ctx)
		}
	} else {
		var run *recipe.Run
		if run, err = recipe.Open(r.Config, opts); err == nil {
			err = run.Train(ctx)
		}
	}
	if err != nil {
		return nil, trainError(err)
	}
	got, err := r.Finish(last, time.Since(start).Seconds())
	if err == nil {
		err = os.RemoveAll(filepath.Join(r.Config.Out, "snapshots")) // nothing goes on from here
	}
	if err != nil {
		return nil, &failure{exitFailed, err, ""}
	}
	return got, nil
}

// swept is what the variations of one recipe measured by one metric, in the order of the file.
type swept struct {
	recipe, metric string
	rows           []train.Bar      // the variations, with a value for each seed
	first          []train.Compared // the run of the first seed of each
}

// title names the recipe and the metric. Metrics begin with the name of the set that they were measured on, which is often the recipe's.
func (s *swept) title() string {
	if strings.HasPrefix(s.metric, s.recipe+" ") {
		return s.metric
	}
	return s.recipe + ": " + s.metric
}

// seedRange is the range over the seeds, in percent.
func seedRange(b *train.Bar) string {
	if len(b.Values) < 2 {
		return ""
	}
	return fmt.Sprintf(" (%.1f to %.1f)", 100*slices.Min(b.Values), 100*slices.Max(b.Values))
}

// tables sorts runs into recipes, metrics and variations.
func tables(runs []sweptRun) []swept {
	var out []swept
	for _, r := range runs {
		i := slices.IndexFunc(out, func(s swept) bool { return s.recipe == r.Recipe && s.metric == r.Metric })
		if i < 0 {
			i, out = len(out), append(out, swept{recipe: r.Recipe, metric: r.Metric})
		}
		rows := out[i].rows
		k := slices.IndexFunc(rows, func(x train.Bar) bool { return x.Name == r.Name })
		if k < 0 {
			k, rows = len(rows), append(rows, train.Bar{Name: r.Name})
			out[i].first = append(out[i].first, train.Compared{Name: r.Name, Dir: r.Out})
		}
		rows[k].Values = append(rows[k].Values, r.Value)
		out[i].rows = rows
	}
	return out
}

// fileName is a title as the name of a file: what is neither a letter nor a digit is a hyphen.
func fileName(title string) string {
	return strings.Join(strings.FieldsFunc(title, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), "-")
}

// compareSweep prints the tables, and writes them and the charts.
func (a *app) compareSweep(out string, runs []sweptRun) error {
	var md strings.Builder
	for _, s := range tables(runs) {
		title := s.title()
		fmt.Fprintf(&md, "| %s | %% | to the first | seeds |\n|---|---|---|---|\n", title)
		if !a.json {
			fmt.Fprintf(a.out, "%s\n", a.outStyle.paint(bold, printable(title)))
		}
		for _, r := range s.rows {
			gain := 100 * (r.Mean() - s.rows[0].Mean())
			fmt.Fprintf(&md, "| %s | %.1f%s | %+.1f | %d |\n", r.Name, 100*r.Mean(), seedRange(&r), gain, len(r.Values))
			if !a.json {
				a.row(printable(r.Name), fmt.Sprintf("%5.1f %%%s  %+.1f", 100*r.Mean(), seedRange(&r), gain))
			}
		}
		md.WriteString("\n")
		if err := train.Bars(filepath.Join(out, fileName(title)+".png"), title, s.rows...); err != nil {
			return &failure{exitFailed, err, ""}
		}
		if err := train.Compare(filepath.Join(out, fileName(title)+"-by-step.png"), title, s.metric, s.first...); err != nil {
			return &failure{exitFailed, err, ""}
		}
	}
	path := filepath.Join(out, "table.md")
	if err := checkpoint.AtomicWrite(checkpoint.OS, path, func(w io.Writer) error { _, err := io.WriteString(w, md.String()); return err }); err != nil {
		return &failure{exitFailed, err, ""}
	}
	if !a.quiet {
		fmt.Fprintf(a.err, "%s has the tables and their charts\n", out)
	}
	return nil
}
