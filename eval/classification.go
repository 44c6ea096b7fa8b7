package eval

import (
	"fmt"
	"math"
)

// Classification scores one label per picture.
type Classification struct {
	classes    []string
	index      map[string]int
	n          int
	top1, top5 int
	confusion  [][]int
}

// NewClassification makes an empty score over the classes, which must differ.
func NewClassification(classes ...string) (*Classification, error) {
	c := &Classification{classes: append([]string(nil), classes...), index: map[string]int{}, confusion: make([][]int, len(classes))}
	for i, name := range classes {
		if j, ok := c.index[name]; ok {
			return nil, fmt.Errorf("eval: classes %d and %d are both %q", j, i, name)
		}
		c.index[name] = i
		c.confusion[i] = make([]int, len(classes)+1)
	}
	return c, nil
}

// Add scores one picture: its true label, and the predicted labels, the most probable first. Fewer than five are
// possible; none is a wrong answer. A truth outside the classes is an error; a prediction outside them is wrong.
func (c *Classification) Add(truth string, ranked ...string) error {
	t, ok := c.index[truth]
	if !ok {
		return fmt.Errorf("eval: label %q is none of the %d classes", truth, len(c.classes))
	}
	first := len(c.classes) // another label
	if len(ranked) > 0 {
		if k, ok := c.index[ranked[0]]; ok {
			first = k
		}
	}
	rank := math.MaxInt
	for i, label := range ranked {
		if label == truth {
			rank = i
			break
		}
	}
	c.add(t, first, rank)
	return nil
}

// AddScores scores one picture by a score or logit per class, in the classes' order. Among equal scores the class that
// comes first goes first; NaN goes last.
func (c *Classification) AddScores(truth int, scores []float32) error {
	if truth < 0 || truth >= len(c.classes) || len(scores) != len(c.classes) {
		return fmt.Errorf("eval: class %d and %d scores for %d classes", truth, len(scores), len(c.classes))
	}
	first, rank := 0, 0
	for k, s := range scores {
		if before(s, k, scores[first], first) {
			first = k
		}
		if before(s, k, scores[truth], truth) {
			rank++
		}
	}
	c.add(truth, first, rank)
	return nil
}

// before says whether score s of class k ranks above score r of class j.
func before(s float32, k int, r float32, j int) bool {
	switch {
	case s > r, r != r && s == s:
		return true
	case s < r, s != s && r == r:
		return false
	}
	return k < j
}

func (c *Classification) add(truth, first, rank int) {
	c.n++
	c.confusion[truth][first]++
	if rank == 0 {
		c.top1++
	}
	if rank < 5 {
		c.top5++
	}
}

// Images is how many pictures were added.
func (c *Classification) Images() int { return c.n }

// Result is top1 and top5, the share of pictures whose true label is the first or among the first five predictions, and
// mean_class_accuracy, the mean over the classes that occur of their own top1. All are 0 before any picture.
func (c *Classification) Result() map[string]float64 {
	var sum float64
	classes := 0
	for _, s := range c.PerClass() {
		if s.Images > 0 {
			sum += s.Recall
			classes++
		}
	}
	return map[string]float64{"top1": ratio(c.top1, c.n), "top5": ratio(c.top5, c.n), "mean_class_accuracy": sum / max(float64(classes), 1)}
}

// ClassScore is how one class fared.
type ClassScore struct {
	Class     string
	Images    int     // of this class
	Recall    float64 // the share of them that was predicted so: the class's top-1 accuracy
	Precision float64 // the share of this class among the pictures predicted so
	F1        float64 // harmonic mean of the two
}

// PerClass scores the classes one by one, in their order. A share of nothing is 0.
func (c *Classification) PerClass() []ClassScore {
	out := make([]ClassScore, len(c.classes))
	for k, name := range c.classes {
		images, predicted := 0, 0
		for j := range c.confusion[k] {
			images += c.confusion[k][j]
		}
		for j := range c.confusion {
			predicted += c.confusion[j][k]
		}
		hit := c.confusion[k][k]
		out[k] = ClassScore{name, images, ratio(hit, images), ratio(hit, predicted), ratio(2*hit, images+predicted)}
	}
	return out
}

// Confusion counts pictures by true class (row) and predicted class (column), in the classes' order. One more column
// counts pictures whose prediction is missing or none of the classes. The caller owns the result.
func (c *Classification) Confusion() [][]int {
	out := make([][]int, len(c.confusion))
	for i, row := range c.confusion {
		out[i] = append([]int(nil), row...)
	}
	return out
}

// ratio is a/b, and 0 of 0 is 0.
func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}
