package cli

import (
	"fmt"

	mango "github.com/muesli/mango-cobra"
	"github.com/muesli/roff"
	"github.com/spf13/cobra"
)

func (a *app) man() *cobra.Command {
	return &cobra.Command{
		Use: "man", Short: "Print the manual page", Args: args(0, 0, ""), Example: "fovea man | man -l -",
		RunE: func(c *cobra.Command, _ []string) error { return a.runMan(c.Root()) },
	}
}

func (a *app) runMan(root *cobra.Command) error {
	page, err := mango.NewManPage(1, root)
	if err != nil {
		return fmt.Errorf("man: %w", err)
	}
	_, err = fmt.Fprintln(a.out, page.Build(roff.NewDocument()))
	return err
}
