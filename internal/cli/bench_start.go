package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"fovea"
)

type benchStartOptions struct {
	model string
	runs  int
}

func (a *app) benchStart() *cobra.Command {
	var o benchStartOptions
	c := &cobra.Command{
		Use: "start", Short: "Measure a cold start: from the command to its last line",
		Long: `Runs fovea look on a 640×480 JPEG again and again, each time as a new process, and measures the time until it ends.`,
		Args: args(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return a.runBenchStart(c.Context(), &o) },
	}
	c.Flags().StringVarP(&o.model, "model", "m", fovea.DefaultModel, "use this model: a name or a folder")
	c.Flags().IntVar(&o.runs, "runs", 15, "start so many times")
	_ = c.RegisterFlagCompletionFunc("model", completeModels)
	return c
}

func (a *app) runBenchStart(ctx context.Context, o *benchStartOptions) error {
	if o.runs < 1 || o.runs > 10000 {
		return usage("", "--runs is %d, want 1 … 10000", o.runs)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	dir, err := os.MkdirTemp("", "fovea-bench")
	if err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	defer os.RemoveAll(dir)
	data, err := benchJPEG(640, 480)
	if err != nil {
		return err
	}
	picture := filepath.Join(dir, "picture.jpg")
	if err := os.WriteFile(picture, data, 0o600); err != nil {
		return fmt.Errorf("bench: %w", err)
	}
	model := o.model
	if _, err := os.Stat(model); err == nil {
		if model, err = filepath.Abs(model); err != nil {
			return fmt.Errorf("bench: %w", err)
		}
	}
	times := make([]float64, 0, o.runs)
	for range o.runs {
		cmd := exec.CommandContext(ctx, self, "look", picture, "--model", model, "--threads", fmt.Sprint(a.threads))
		cmd.Dir = dir // the drawn picture goes there
		var said bytes.Buffer
		cmd.Stderr = &said
		start := time.Now()
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("bench: fovea look: %w: %s", err, bytes.TrimSpace(said.Bytes()))
		}
		times = append(times, float64(time.Since(start).Microseconds())/1000)
	}
	slices.Sort(times)
	return a.printBench("start", []benchFigure{
		{"fovea look, median", times[len(times)/2], "ms"}, {"fastest", times[0], "ms"}, {"slowest", times[len(times)-1], "ms"},
	})
}
