package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"fovea/annotation"
	"fovea/dataset"
)

func (a *app) data() *cobra.Command {
	c := &cobra.Command{
		Use: "data", Short: "Inspect data sets, label pictures, make synthetic ones",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage(didYouMean(args[0], names(c), "fovea data "), "unknown command %q for fovea data", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.dataInfo(), a.dataLabel(), a.dataPreview(), a.dataScenes(), a.dataVocab())
	return c
}

// setOptions name a part of a data set.
type setOptions struct {
	split    string
	skeleton *annotation.Skeleton // joints are rearranged to this one by their names; nil keeps the set's own
}

func (o *setOptions) flags(c *cobra.Command) {
	c.Flags().StringVar(&o.split, "split", "", "the part of the data set: train, val, … (default train, or the only one)")
}

// open opens a data set on disk; what cannot be opened is bad input.
func (o *setOptions) open(path string) (dataset.Source, error) {
	src, err := dataset.Open(path, dataset.OpenOptions{Split: o.split, Skeleton: o.skeleton})
	if err != nil {
		return nil, bad("", "%s", strings.TrimPrefix(err.Error(), "dataset: "))
	}
	return src, nil
}

// labelNames lists what a data set is labelled with, in words.
func labelNames(l dataset.Labels) []string {
	out := []string{}
	for _, n := range []struct {
		label dataset.Labels
		name  string
	}{
		{dataset.HasClass, "class"}, {dataset.HasBoxes, "boxes"}, {dataset.HasMasks, "masks"}, {dataset.HasJoints, "joints"},
		{dataset.HasQuestions, "questions"}, {dataset.HasCaptions, "captions"}, {dataset.HasSemantic, "semantic"},
	} {
		if l&n.label != 0 {
			out = append(out, n.name)
		}
	}
	return out
}
