package cli

import (
	"slices"

	"github.com/spf13/cobra"

	"fovea/task"
)

// everyTask is what --task all means.
var everyTask = []string{"classify", "detect", "segment", "pose", "ask", "caption", "match"}

// parseTasks reads the values of a flag: names of tasks, separated by commas, or all. Masks belong to objects, so
// segmenting includes detecting.
func parseTasks(texts []string) (task.Set, error) {
	var set task.Set
	for _, name := range list(texts) {
		switch name {
		case "all":
			set |= task.SetOf(task.Classify, task.Detect, task.Segment, task.Pose, task.Ask, task.Caption, task.Match)
			continue
		case "embed":
			name = "match"
		}
		t, err := task.Parse(name)
		if err != nil {
			return 0, usage(didYouMean(name, append(slices.Clone(everyTask), "all"), ""), "unknown task %q", name)
		}
		set |= task.SetOf(t)
		if t == task.Segment {
			set |= task.SetOf(task.Detect)
		}
	}
	return set, nil
}

func completeTasks(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return append(slices.Clone(everyTask), "all"), cobra.ShellCompDirectiveNoFileComp
}
