package cli

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v4"
)

// maxConfig bounds a configuration file.
const maxConfig = 1 << 20

// readConfig sets the flags of a command that the command line left alone from a YAML file of flag: value. Keys of other
// commands' flags are passed over, so that one file serves all; unknown keys are errors.
func readConfig(file string, c *cobra.Command) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file)
	if err != nil {
		return usage("", "--config: %w", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return usage("", "--config: %w", err)
	}
	if len(b) > maxConfig {
		return usage("", "--config: %s is larger than %d bytes", file, maxConfig)
	}
	values := map[string]any{}
	if err := yaml.Unmarshal(b, &values); err != nil {
		return usage("lines look like threshold: 0.5", "--config: %s: %w", file, err)
	}
	all := allFlags(c.Root(), nil)
	for key, v := range values {
		if !slices.Contains(all, key) || key == "config" {
			return usage(didYouMean(key, all, ""), "--config: %s: unknown key %q", file, key)
		}
		flag := c.Flags().Lookup(key)
		if flag == nil || flag.Changed {
			continue
		}
		if err := setFlag(flag, v); err != nil {
			return usage("", "--config: %s: %s: %w", file, key, err)
		}
	}
	return nil
}

// setFlag sets a flag from a value of YAML; a list sets a flag that may be repeated.
func setFlag(f *pflag.Flag, v any) error {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, e := range list {
		switch e.(type) {
		case string, bool, int, uint64, float64:
		default:
			return fmt.Errorf("%v is no plain value", e)
		}
		if err := f.Value.Set(fmt.Sprint(e)); err != nil {
			return err
		}
	}
	f.Changed = true
	return nil
}

func allFlags(c *cobra.Command, out []string) []string {
	add := func(f *pflag.Flag) {
		if !slices.Contains(out, f.Name) && f.Name != "help" {
			out = append(out, f.Name)
		}
	}
	c.LocalFlags().VisitAll(add)
	c.PersistentFlags().VisitAll(add)
	for _, s := range c.Commands() {
		out = allFlags(s, out)
	}
	return out
}
