package eval

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
)

// Report is the score of a file of predictions.
type Report struct {
	Task   string
	Images int // pictures of the truth, or questions
	// Metrics by the names that people know, as the accumulators' Result states them.
	Metrics map[string]float64
	// Groups break a metric down: "class", "answer_type" or "question_type", then the group's name, then the metric.
	Groups map[string]map[string]map[string]float64
	// Warnings are what was left out or looks wrong, without being an error; one line each.
	Warnings []string
}

// Tasks lists what Score takes.
func Tasks() []string {
	return []string{string(Boxes), string(Masks), string(Keypoints), "vqa", "classify", "caption"}
}

// Score scores a file of predictions against a file of truth. Both are JSON, plain or compressed with gzip.
//
//	task                   truth                                     predictions
//	bbox segm keypoints    COCO annotations                          COCO results, see ScoreCOCO
//	vqa                    VQA v2 annotations                        VQA results, see ScoreVQA
//	classify               labels                                    lines of fovea classify --json, see ScoreLabels
//	caption                COCO captions                             COCO caption results, see ScoreCaptions
//
// An error says which file, which entry and which field is wrong, and lists the first few.
func Score(task, truth, preds string) (*Report, error) {
	var score func(truth, preds io.Reader) (*Report, error)
	switch task {
	case string(Boxes), string(Masks), string(Keypoints):
		score = func(t, p io.Reader) (*Report, error) { return ScoreCOCO(t, p, Task(task), nil) }
	case "vqa":
		score = ScoreVQA
	case "classify":
		score = ScoreLabels
	case "caption":
		score = ScoreCaptions
	default:
		return nil, fmt.Errorf("eval: unknown task %q; want one of %q", task, Tasks())
	}
	t, err := os.Open(truth)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	defer func() { _ = t.Close() }()
	p, err := os.Open(preds)
	if err != nil {
		return nil, fmt.Errorf("eval: %w", err)
	}
	defer func() { _ = p.Close() }()
	r, err := score(t, p)
	var side *sideError
	if errors.As(err, &side) {
		return nil, fmt.Errorf("eval: %s: %w", map[bool]string{true: truth, false: preds}[side.truth], side.err)
	}
	return r, err
}

// sideError says which of the two files is at fault.
type sideError struct {
	truth bool
	err   error
}

func (e *sideError) Error() string {
	return fmt.Sprintf("eval: %s: %v", map[bool]string{true: "truth", false: "predictions"}[e.truth], e.err)
}

func (e *sideError) Unwrap() error { return e.err }

// ScoreCOCO scores COCO results, [{"image_id", "category_id", "score", "bbox" | "segmentation" | "keypoints"}, …], against
// a COCO annotation file, equal to pycocotools; the metrics are those of Detection.Result. Masks may be polygons or run
// lengths, compressed or not. Sigmas are the joints' tolerances; nil takes those of the category's skeleton.
//
// What differs from pycocotools: a missing area is computed, a missing iscrowd is 0 and a missing num_keypoints is
// counted. Masks that differ in size from their image, negative sizes and ids used twice are errors.
func ScoreCOCO(truth, preds io.Reader, task Task, sigmas []float64) (*Report, error) {
	switch task {
	case Boxes, Masks, Keypoints:
	default:
		return nil, fmt.Errorf("eval: unknown detection task %q; want bbox, segm or keypoints", string(task))
	}
	t, err := readTruth(truth, task, sigmas)
	if err != nil {
		return nil, &sideError{true, err}
	}
	res, err := readResults(preds, t)
	if err != nil {
		return nil, &sideError{false, err}
	}
	b := newBoard(task)
	images := slices.Sorted(maps.Keys(t.images))
	classes := slices.Sorted(maps.Keys(t.categories))
	for i, image := range images {
		for k, class := range classes {
			key := [2]int64{image, class}
			if len(t.objects[key])+len(res.objects[key]) > 0 {
				b.add(i, k, t.objects[key], res.objects[key])
			}
		}
	}
	name := func(k int) string {
		for other, c := range t.categories {
			if other != classes[k] && c.name == t.categories[classes[k]].name {
				return fmt.Sprintf("%s (category %d)", c.name, classes[k])
			}
		}
		return t.categories[classes[k]].name
	}
	return &Report{Task: string(task), Images: len(images), Metrics: b.result(nil),
		Groups:   map[string]map[string]map[string]float64{"class": b.perClass(nil, name)},
		Warnings: append(t.warnings.lines(), res.warnings.lines()...)}, nil
}

// notes gathers warnings: the first of each kind, that is each format, in words, the rest as a number.
type notes struct {
	first map[string]string
	n     map[string]int
}

// once adds a warning unless there is one of its kind.
func (n *notes) once(format string, args ...any) {
	if n.n[format] == 0 {
		n.add(format, args...)
	}
}

func (n *notes) add(format string, args ...any) {
	if n.n == nil {
		n.first, n.n = map[string]string{}, map[string]int{}
	}
	if n.n[format]++; n.n[format] == 1 {
		n.first[format] = fmt.Sprintf(format, args...)
	}
}

func (n *notes) lines() []string {
	var out []string
	for _, f := range slices.Sorted(maps.Keys(n.first)) {
		line := n.first[f]
		if more := n.n[f] - 1; more > 0 {
			line = fmt.Sprintf("%s (and %d more like it)", line, more)
		}
		out = append(out, line)
	}
	return out
}
