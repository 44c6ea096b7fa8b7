package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/internal/hub"
)

func (a *app) show() *cobra.Command {
	var verify bool
	c := &cobra.Command{
		Use: "show NAME", Short: "Say what a model is",
		Long:    `Says what a model is and can do, what it may be used for, where it came from and which files it has. NAME is that of a model in the cache, nano, or a folder. --verify reads every file again and compares it with the digest that it was downloaded by.`,
		Example: "fovea show nano\nfovea show hustvl/yolos-tiny --verify",
		Args:    args(1, 1, "NAME"),
		RunE:    func(c *cobra.Command, args []string) error { return a.runShow(c.Context(), args[0], verify) },
	}
	c.Flags().BoolVar(&verify, "verify", false, "check the digest of every file in the cache")
	c.ValidArgsFunction = completeModels
	return c
}

// shown is the JSON of a model with its files.
type shown struct {
	description
	Files    []shownFile `json:"files,omitempty"`
	Verified *bool       `json:"verified,omitempty"`
	Damaged  []string    `json:"damaged,omitempty"`
}

type shownFile struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	Digest string `json:"digest,omitempty"`
}

func (a *app) runShow(ctx context.Context, name string, verify bool) error {
	d, s, err := find(ctx, name)
	if err != nil {
		return err
	}
	out := shown{description: d}
	if s != nil {
		files, err := s.Files()
		if err != nil {
			return hubError(name, err)
		}
		for _, f := range files {
			out.Files = append(out.Files, shownFile{f.Path, f.Size, f.Digest})
		}
	}
	if verify {
		if s == nil {
			return usage("", "--verify compares with the hub's digests, and %q did not come from a hub", name)
		}
		if out.Damaged, err = a.verify(s, d.Bytes); err != nil {
			return hubError(name, err)
		}
		good := len(out.Damaged) == 0
		out.Verified = &good
	}
	if a.json {
		err = a.printJSON(out)
	} else {
		a.printShown(&out)
	}
	if err == nil && len(out.Damaged) > 0 {
		return bad("fovea rm "+name+" && fovea pull "+name, "%s: damaged: %s", name, strings.Join(out.Damaged, ", "))
	}
	return err
}

func (a *app) verify(s *hub.Snapshot, total int64) ([]string, error) {
	p := a.progress("reading", int(total))
	p.show = func(n int) string { return amount(int64(n)) }
	defer p.done()
	return s.Verify(func(done int64) { p.step(int(done)) })
}

// find describes a model by any of its names; the snapshot is nil for one that is not of the hub. Part of a model is shown,
// too.
func find(ctx context.Context, name string) (description, *hub.Snapshot, error) {
	if name == fovea.DefaultModel {
		d, err := describeOwn(ctx)
		return d, nil, err
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && !info.IsDir():
		_, _, err := fovea.Files(name)
		return description{}, nil, err
	case err == nil:
		abs, err := filepath.Abs(name)
		if err != nil {
			return description{}, nil, err
		}
		d := description{Name: filepath.Base(abs), Source: "folder", Licence: licence(name), Bytes: folderBytes(name)}
		d.describeFolder(abs)
		return d, nil, nil
	}
	r, err := hub.Parse(name)
	if err != nil {
		return description{}, nil, hubError(name, err)
	}
	s, err := hub.EnvironmentCache().Find(r)
	if errors.Is(err, hub.ErrIncomplete) {
		all, _ := hub.EnvironmentCache().List()
		for _, part := range all {
			if part.Repo == r.Repo && (part.Commit == r.Revision || part.Ref() == r) {
				s, err = part, nil
			}
		}
	}
	if err != nil {
		return description{}, nil, hubError(name, err)
	}
	return describeSnapshot(s), s, nil
}

// folderBytes is the size of the files of a folder.
func folderBytes(dir string) (n int64) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, err := os.Stat(filepath.Join(dir, e.Name())); err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
	}
	return n
}

func (a *app) printShown(d *shown) {
	fmt.Fprintln(a.out, a.outStyle.paint(bold, printable(d.Name)))
	can := strings.Join(d.Tasks, ", ")
	if d.Parameters > 0 {
		a.row("parameters", parameters(d.Parameters))
	}
	a.row("tasks", can)
	a.row("class", printable(d.Architecture))
	a.row("licence", printable(d.Licence))
	a.row("source", printable(d.Source))
	a.row("revision", d.Revision)
	a.row("short name", d.Short)
	a.row("score", d.Score)
	a.row("folder", printable(d.Path))
	if d.State != stateReady {
		a.row(d.State, printable(d.Problem))
	}
	heading := "files"
	for _, f := range d.Files {
		a.row(heading, pad(printable(f.Path), 36)+fmt.Sprintf(" %8s", amount(f.Bytes)))
		heading = ""
	}
	if d.Verified != nil && *d.Verified {
		a.row("verified", "every file has its digest")
	}
}
