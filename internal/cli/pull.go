package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fovea/internal/hub"
	"fovea/model"
	"fovea/model/all"
)

type pullOptions struct {
	anyway bool
	limit  float64 // gigabytes
}

func (a *app) pull() *cobra.Command {
	var o pullOptions
	c := &cobra.Command{
		Use: "pull NAME...", Short: "Download a published model",
		Long: `Downloads a model from the Hugging Face hub, or from the hub that HF_ENDPOINT names, into the cache that Python's tools use: what they have is not fetched again, ` +
			`and they find what was fetched here. NAME is org/repo, org/repo@revision or a short name, see fovea models --all. Only the files that are needed come, each is checked by its digest, ` +
			`and a download that was cut goes on from there. Prints the folder. HF_TOKEN opens private and gated models.`,
		Example: "fovea pull facebook/deit-tiny-patch16-224\nfovea classify photo.jpg --model facebook/deit-tiny-patch16-224\nfovea pull yolos",
		Args:    args(1, -1, "NAME"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runPull(c.Context(), &o, args) },
	}
	c.Flags().BoolVar(&o.anyway, "anyway", false, "download models, too, that this program does not run")
	c.Flags().Float64Var(&o.limit, "max-size", 64, "download at most so many gigabytes for a model")
	c.ValidArgsFunction = completeShort
	return c
}

func (a *app) runPull(ctx context.Context, o *pullOptions, names []string) error {
	if !(o.limit > 0 && o.limit <= 1e6) {
		return usage("", "--max-size is %g, want more than 0 gigabytes", o.limit)
	}
	cfg := hub.Environment()
	cfg.MaxBytes = int64(o.limit * 1e9)
	client, err := hub.New(cfg)
	if err != nil {
		return hubError("", err)
	}
	var refs []hub.Ref
	for _, n := range names {
		r, err := hub.Parse(n)
		if err != nil {
			return hubError(n, err)
		}
		refs = append(refs, r)
	}
	for i, r := range refs {
		if err := a.pullOne(ctx, client, o, names[i], r); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) pullOne(ctx context.Context, client *hub.Client, o *pullOptions, name string, r hub.Ref) error {
	w := a.watchPull(name)
	check := runnable
	if o.anyway {
		check = nil
	}
	s, err := client.Pull(ctx, r, hub.PullOptions{Check: check, Progress: w.tell})
	w.line.done()
	if err != nil {
		if ctx.Err() != nil && !a.quiet {
			fmt.Fprintln(a.err, "what has arrived is kept; the same command goes on from there")
		}
		return hubError(name, err)
	}
	d := describeSnapshot(s)
	if a.json {
		return a.printJSON(d)
	}
	if !a.quiet {
		fmt.Fprintf(a.err, "%s: %s, %s\n", printable(d.Name), amount(d.Bytes), printable(d.Licence))
		if len(d.Tasks) > 0 {
			fmt.Fprintf(a.err, "try fovea %s PHOTO --model %s\n", d.Tasks[0], name)
		}
	}
	_, err = fmt.Fprintln(a.out, s.Dir)
	return err
}

// runnable refuses a model that this program does not run before its weights are downloaded.
func runnable(dir string) error {
	f, err := model.OpenFolder(dir)
	if err != nil {
		return bad("", "%s", strings.TrimPrefix(err.Error(), "model: "))
	}
	if f.Class == "" && f.Type == "" {
		return nil // one of the program's own
	}
	if _, _, err = f.Build(all.Families()); err != nil {
		return bad("--anyway downloads it nevertheless, for other programs", "%s", strings.ReplaceAll(strings.TrimPrefix(err.Error(), "model: "), filepath.Clean(dir), "it"))
	}
	return nil
}

// pullWatch shows a download: a line that moves on a terminal, a line for each file elsewhere.
type pullWatch struct {
	a    *app
	line *progress
}

func (a *app) watchPull(name string) *pullWatch {
	w := &pullWatch{a: a, line: a.progress(printable(name), 1)}
	w.line.show = func(n int) string { return amount(int64(n)) }
	return w
}

func (w *pullWatch) tell(p hub.Progress) {
	if w.line.w == nil {
		if p.Finished && !p.Cached && !w.a.quiet {
			fmt.Fprintf(w.a.err, "  %s %s\n", w.a.errStyle.paint(cyan, pad("fetched", margin)), printable(p.File))
		}
		return
	}
	w.line.what, w.line.total = printable(filepath.Base(p.File)), int(p.Total)
	if p.Cached || w.line.last.IsZero() && w.line.from == 0 && time.Since(w.line.start) < time.Second {
		w.line.from, w.line.start = int(p.Done), time.Now() // what was there already says nothing about the speed
	}
	w.line.step(int(p.Done))
}

// amount writes a number of bytes.
func amount(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB"}
	v, u := float64(n), 0
	for ; v >= 999.5 && u < len(units)-1; u++ {
		v /= 1000
	}
	if v < 9.95 && u > 0 {
		return fmt.Sprintf("%.1f %s", v, units[u])
	}
	return fmt.Sprintf("%.0f %s", v, units[u])
}

// hubError gives an error of the hub its exit code and hint.
func hubError(name string, err error) error {
	var e *hub.Error
	if !errors.As(err, &e) {
		return err
	}
	f := &failure{exitBad, errors.New(strings.TrimPrefix(e.Error(), "hub: ")), e.Hint}
	switch {
	case e.Retry():
		f.code = exitFailed
	case errors.Is(e, hub.ErrName):
		f.code = exitUsage
		if n := nearest(name, pullable()); n != "" {
			f.hint = "did you mean " + n + "?"
		}
	case errors.Is(e, hub.ErrNotFound):
		if n := nearest(name, pullable()); n != "" && n != name {
			f.hint = "did you mean " + n + "? " + e.Hint
		}
	case errors.Is(e, hub.ErrTooLarge):
		f.hint = "--max-size allows more"
	}
	return f
}

// pullable are the names that the program knows to be on the hub.
func pullable() (out []string) {
	for _, m := range hub.Short() {
		out = append(out, m.Name, m.Ref().String())
	}
	return out
}
