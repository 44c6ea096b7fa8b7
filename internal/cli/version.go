package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"fovea/internal/cpu"
)

// release is set by the linker when a release is built.
var release = "dev"

// version is the release with the commit that it was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	var commit, dirty string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			commit = " (" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = "+"
		}
	}
	if commit == "" {
		return release
	}
	return release + commit + dirty + ")"
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: args(0, 0, ""),
		RunE: func(*cobra.Command, []string) error { return a.runVersion() },
	}
}

func (a *app) runVersion() error {
	v := struct {
		Version string `json:"version"`
		Go      string `json:"go"`
		System  string `json:"system"`
		Kernels string `json:"kernels"`
	}{version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH, cpu.Active("kernel")}
	if a.json {
		return a.printJSON(v)
	}
	_, err := fmt.Fprintf(a.out, "fovea %s, %s, %s, %s kernels\n", v.Version, v.Go, v.System, v.Kernels)
	return err
}
