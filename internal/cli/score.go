package cli

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fovea/eval"
)

type scoreOptions struct{ task, gt, pred string }

func (a *app) score() *cobra.Command {
	var o scoreOptions
	c := &cobra.Command{
		Use: "score --task TASK --gt FILE --pred FILE", Short: "Score predictions that were made elsewhere",
		Long: `Scores a file of predictions against the data set's annotations, with the figures that people publish: COCO results (bbox, segm, keypoints), ` +
			`equal to pycocotools; VQA results; lines of fovea classify --json; COCO caption results. Files may be compressed with gzip.`,
		Example: "fovea score --task bbox --gt instances_val2017.json --pred results.json",
		Args:    args(0, 0, ""),
		RunE:    func(*cobra.Command, []string) error { return a.runScore(&o) },
	}
	f := c.Flags()
	f.StringVar(&o.task, "task", "", "what the predictions are: "+strings.Join(eval.Tasks(), ", "))
	f.StringVar(&o.gt, "gt", "", "the annotation file")
	f.StringVar(&o.pred, "pred", "", "the predictions")
	_ = c.RegisterFlagCompletionFunc("task", cobra.FixedCompletions(eval.Tasks(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

// measures is the JSON of a measurement.
type measures struct {
	Task    string             `json:"task"`
	Data    string             `json:"data"`
	Images  int                `json:"images"`
	Metrics map[string]float64 `json:"metrics"`
	Speed   float64            `json:"images_per_second"`
}

func (a *app) runScore(o *scoreOptions) error {
	for _, f := range []struct{ flag, value string }{{"task", o.task}, {"gt", o.gt}, {"pred", o.pred}} {
		if f.value == "" {
			return usage("fovea score --task bbox --gt annotations.json --pred results.json", "--%s is missing", f.flag)
		}
	}
	if !slices.Contains(eval.Tasks(), o.task) {
		return usage(didYouMean(o.task, eval.Tasks(), ""), "unknown task %q", o.task)
	}
	start := time.Now()
	r, err := eval.Score(o.task, o.gt, o.pred)
	if err != nil {
		return bad("", "%s", strings.TrimPrefix(err.Error(), "eval: "))
	}
	for _, w := range r.Warnings {
		a.note("%s", w)
	}
	return a.printMeasures(measures{o.task, o.gt, r.Images, r.Metrics, float64(r.Images) / time.Since(start).Seconds()})
}

// metricOrder is the order in which people are used to read metrics; others follow by name.
var metricOrder = []string{"top1", "top5", "mean_class_accuracy", "AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "AR", "AR50", "AR75",
	"ARs", "ARm", "ARl", "mIoU", "pixel_accuracy", "vqa_accuracy", "exact", "i2t_R@1", "i2t_R@5", "i2t_R@10", "t2i_R@1", "t2i_R@5", "t2i_R@10", "CIDEr", "BLEU1", "BLEU2", "BLEU3", "BLEU4"}

func orderMetrics(m map[string]float64) []string {
	rank := func(name string) int {
		if i := slices.Index(metricOrder, name); i >= 0 {
			return i
		}
		return len(metricOrder)
	}
	return slices.SortedFunc(maps.Keys(m), func(x, y string) int {
		if d := rank(x) - rank(y); d != 0 {
			return d
		}
		return strings.Compare(x, y)
	})
}

// printMeasures prints a measurement as a line of JSON, or as a table.
func (a *app) printMeasures(m measures) error {
	m.Speed = float64(int(m.Speed*10)) / 10
	if a.json {
		return a.printJSON(m)
	}
	fmt.Fprintf(a.out, "%s  %s\n", a.outStyle.paint(bold, m.Task), a.outStyle.paint(dim, fmt.Sprintf("%s · %d images · %.1f images/s", m.Data, m.Images, m.Speed)))
	names := orderMetrics(m.Metrics)
	w := labelWidth(names)
	for _, n := range names {
		value, shown := "      –", "" // −1: nothing to measure, as pycocotools says it
		if v := m.Metrics[n]; v != -1 {
			value = fmt.Sprintf("%7.4f", v)
			if v >= 0 && v <= 1 {
				shown = " " + a.outStyle.paint(dim, bar(v, barColumns))
			}
		}
		fmt.Fprintf(a.out, "  %s %s%s\n", pad(n, w), value, shown)
	}
	return nil
}
