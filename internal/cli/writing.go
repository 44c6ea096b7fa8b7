package cli

import (
	"github.com/spf13/cobra"

	"fovea"
)

// writingFlags lets the user say how a text is written.
func writingFlags(c *cobra.Command, w *fovea.Writing) {
	f := c.Flags()
	f.Float64Var(&w.Temperature, "temperature", 0, "draw words instead of taking the likeliest; 1: by their probability, higher: more freely")
	f.Float64Var(&w.TopP, "top-p", 0, "with --temperature, draw among the likeliest words that have this probability together")
	f.Uint64Var(&w.Seed, "seed", 0, "with --temperature, number of the draw")
	f.IntVar(&w.Beams, "beams", 0, "follow so many beginnings at once and take the best text")
	f.IntVar(&w.MaxTokens, "max-tokens", 0, "at most so many pieces of words")
}
