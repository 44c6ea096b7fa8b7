package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"fovea"
)

type benchStartOptions struct {
	model  string
	runs   int
	beside []string
}

func (a *app) benchStart() *cobra.Command {
	var o benchStartOptions
	c := &cobra.Command{
		Use: "start", Short: "Measure a cold start: from the command to its answer",
		Long: `Runs fovea look on a 640×480 JPEG again and again, each time as a new process, and measures the time until its first line is there and until it ends, ` +
			`with the picture drawn. Other commands, started by the shell, may take turns with it: --beside 'python -c "import torch, transformers"'.`,
		Args: args(0, 0, ""),
		RunE: func(c *cobra.Command, _ []string) error { return a.runBenchStart(c.Context(), &o) },
	}
	c.Flags().StringVarP(&o.model, "model", "m", fovea.DefaultModel, "use this model: a name or a folder")
	c.Flags().IntVar(&o.runs, "runs", 15, "start so many times")
	c.Flags().StringArrayVar(&o.beside, "beside", nil, "take turns with this command (may be repeated)")
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
	commands := [][]string{{self, "look", picture, "--model", model, "--threads", fmt.Sprint(a.threads)}}
	for _, b := range o.beside {
		commands = append(commands, []string{"sh", "-c", b})
	}
	first, all := make([][]float64, len(commands)), make([][]float64, len(commands))
	for range o.runs {
		for i, c := range commands {
			f, end, err := coldStart(ctx, dir, c)
			if err != nil {
				return err
			}
			first[i], all[i] = append(first[i], f), append(all[i], end)
		}
	}
	figures := append(spread("fovea look, first line", first[0]), spread("fovea look, to its end", all[0])...)
	for i, b := range o.beside {
		figures = append(figures, spread(b, all[i+1])...)
	}
	return a.printBench("start", figures)
}

// coldStart runs a command in a folder, where a drawn picture goes, and returns the milliseconds until it wrote something and
// until it ended.
func coldStart(ctx context.Context, dir string, command []string) (first, end float64, err error) {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, 0, fmt.Errorf("bench: %w", err)
	}
	since := func(t time.Time) float64 { return float64(time.Since(t).Microseconds()) / 1000 }
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, fmt.Errorf("bench: %w", err)
	}
	_, _ = out.Read(make([]byte, 1))
	first = since(start)
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err != nil {
		return 0, 0, fmt.Errorf("bench: %q: %w: %s", command, err, bytes.TrimSpace(said.Bytes()))
	}
	return first, since(start), nil
}

// spread sums up the times of one thing.
func spread(name string, ms []float64) []benchFigure {
	slices.Sort(ms)
	return []benchFigure{{name + ", median", ms[len(ms)/2], "ms"}, {name + ", fastest", ms[0], "ms"}, {name + ", slowest", ms[len(ms)-1], "ms"}}
}
