package cli

import (
	"fmt"
	"runtime"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"fovea/internal/cpu"
)

func (a *app) bench() *cobra.Command {
	c := &cobra.Command{
		Use: "bench", Short: "Measure this machine",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(didYouMean(args[0], names(c), "fovea bench "), "unknown command %q for fovea bench", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.benchDecode(), a.benchDrift(), a.benchForward(), a.benchGemm(), a.benchImage(), a.benchStart(), a.benchTrain())
	return c
}

// benchReport is the JSON of a benchmark.
type benchReport struct {
	Bench   string        `json:"bench"`
	System  string        `json:"system"`
	Kernels string        `json:"kernels"`
	Threads int           `json:"threads"`
	Results []benchFigure `json:"results"`
}

// benchFigure is one figure: what was measured, and in which unit.
type benchFigure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
}

func (a *app) printBench(name string, figures []benchFigure) error {
	r := benchReport{name, runtime.GOOS + "/" + runtime.GOARCH, cpu.Active("kernel"), a.threads, figures}
	if a.json {
		return a.printJSON(r)
	}
	fmt.Fprintf(a.out, "%s  %s\n", a.outStyle.paint(bold, "bench "+name), a.outStyle.paint(dim, fmt.Sprintf("%s · %s kernels · %d threads", r.System, r.Kernels, r.Threads)))
	w := 0 // names are ours, and end with what they measure: none is cut
	for _, f := range figures {
		w = max(w, utf8.RuneCountInString(f.Name))
	}
	for _, f := range figures {
		fmt.Fprintf(a.out, "  %s %9.1f %s\n", pad(f.Name, w), f.Value, f.Unit)
	}
	return nil
}
