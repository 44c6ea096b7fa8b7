package cli

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"fovea"
	"fovea/internal/hub"
)

// completeModels offers the models inside the program, those in the hub's cache, and folders that hold one.
func completeModels(_ *cobra.Command, _ []string, toComplete string) ([]cobra.Completion, cobra.ShellCompDirective) {
	out := []cobra.Completion{}
	for _, m := range fovea.Models() {
		out = append(out, cobra.CompletionWithDesc(m, "inside the program"))
	}
	cached := false
	for _, m := range knownModels()[len(fovea.Models()):] {
		out = append(out, cobra.CompletionWithDesc(m, "in the cache"))
		cached = cached || strings.HasPrefix(m, toComplete)
	}
	folders, _ := filepath.Glob(toComplete + "*/config.json")
	for _, f := range folders {
		out = append(out, filepath.Dir(f))
	}
	if info, err := os.Stat(toComplete); err == nil && info.IsDir() || len(folders) == 0 && !cached {
		return out, cobra.ShellCompDirectiveFilterDirs
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completeCached offers what is in the hub's cache.
func completeCached(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return append([]cobra.Completion{}, cachedNames()...), cobra.ShellCompDirectiveNoFileComp
}

// completeShort offers the short names of published models.
func completeShort(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	out := []cobra.Completion{}
	for _, m := range hub.Short() {
		out = append(out, cobra.CompletionWithDesc(m.Name, m.Task+", "+m.Repo))
	}
	return out, cobra.ShellCompDirectiveNoFileComp
}

// completePictures lets the shell offer pictures, videos and folders.
func completePictures(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	var endings []cobra.Completion
	for _, e := range append(append([]string{}, pictureEndings...), videoEndings...) {
		endings = append(endings, e[1:])
	}
	return endings, cobra.ShellCompDirectiveFilterFileExt
}
