package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/internal/hub"
)

func (a *app) rm() *cobra.Command {
	c := &cobra.Command{
		Use: "rm NAME...", Short: "Remove published models from the cache",
		Long:    `Removes models from the cache that Python's tools share, so they lose them, too. org/repo goes with all of its revisions, org/repo@revision alone. What was interrupted while it was pulled can be removed likewise.`,
		Example: "fovea rm hustvl/yolos-tiny",
		Args:    args(1, -1, "NAME"),
		RunE:    func(_ *cobra.Command, args []string) error { return a.runRm(args) },
	}
	c.ValidArgsFunction = completeCached
	return c
}

func (a *app) runRm(names []string) error {
	var refs []hub.Ref
	for _, n := range names {
		if n == fovea.DefaultModel {
			return usage("", "%s is inside the program", n)
		}
		r, err := hub.Parse(n)
		if err != nil {
			if _, gone := os.Stat(n); gone == nil {
				return usage("", "%s is a folder, not a model in the cache; remove it with the system's own means", n)
			}
			return hubError(n, err)
		}
		if !strings.Contains(n, "@") {
			r.Revision = "" // all of them
		}
		refs = append(refs, r)
	}
	cache := hub.EnvironmentCache()
	for _, r := range refs {
		freed, err := cache.Remove(r)
		var e *hub.Error
		if errors.As(err, &e) && errors.Is(e, hub.ErrMissing) {
			return bad(didYouMean(r.String(), cachedNames(), ""), "%s is not in the cache", r)
		}
		if err != nil {
			return hubError(r.String(), err)
		}
		if a.json {
			err = a.printJSON(struct {
				Name  string `json:"name"`
				Freed int64  `json:"freed"`
			}{r.String(), freed})
		} else if !a.quiet {
			_, err = fmt.Fprintf(a.out, "removed %s, %s\n", r, amount(freed))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cachedNames are the names of what is in the cache, whole or not.
func cachedNames() (out []string) {
	list, _ := hub.EnvironmentCache().List()
	for _, s := range list {
		out = append(out, s.Ref().String())
	}
	return out
}
