package eval

import (
	"fmt"

	"fovea/annotation"
)

// Segmentation scores a class for every pixel, over the pixels of all pictures together.
type Segmentation struct {
	classes   []string
	images    int
	confusion [][]int64 // [true class, predicted class or, last, another]
}

// NewSegmentation makes an empty score over at most 255 classes, named in the order of their indices.
func NewSegmentation(classes ...string) (*Segmentation, error) {
	if len(classes) > annotation.Void {
		return nil, fmt.Errorf("eval: %d classes, want at most %d", len(classes), annotation.Void)
	}
	s := &Segmentation{classes: append([]string(nil), classes...), confusion: make([][]int64, len(classes))}
	for i := range s.confusion {
		s.confusion[i] = make([]int64, len(classes)+1)
	}
	return s, nil
}

// Add scores one picture. Pixels that are annotation.Void in the truth are left out; a prediction that is no class, Void
// included, is wrong. Maps of different sizes and classes out of range in the truth are errors and leave the score as it
// was.
func (s *Segmentation) Add(truth, pred *annotation.LabelMap) error {
	if truth.W != pred.W || truth.H != pred.H || len(truth.Pix) != truth.W*truth.H || len(pred.Pix) != len(truth.Pix) {
		return fmt.Errorf("eval: truth of %d×%d (%d) and prediction of %d×%d (%d pixels)", truth.W, truth.H, len(truth.Pix), pred.W, pred.H, len(pred.Pix))
	}
	for i, t := range truth.Pix {
		if int(t) >= len(s.classes) && t != annotation.Void {
			return fmt.Errorf("eval: truth: pixel (%d, %d) is of class %d, want 0 to %d or %d", i%truth.W, i/truth.W, t, len(s.classes)-1, annotation.Void)
		}
	}
	for i, t := range truth.Pix {
		if t != annotation.Void {
			s.confusion[t][min(int(pred.Pix[i]), len(s.classes))]++
		}
	}
	s.images++
	return nil
}

// Images is how many pictures were added.
func (s *Segmentation) Images() int { return s.images }

// Result is mIoU, the mean of PerClass; pixel_accuracy, the share of pixels with the right class; and
// mean_class_accuracy, the mean over the classes that occur of that share among the class's pixels.
func (s *Segmentation) Result() map[string]float64 {
	var iou float64
	per := s.PerClass()
	for _, v := range per {
		iou += v
	}
	var right, all int64
	var shares float64
	occur := 0
	for k, row := range s.confusion {
		var n int64
		for _, v := range row {
			n += v
		}
		right, all = right+row[k], all+n
		if n > 0 {
			shares += float64(row[k]) / float64(n)
			occur++
		}
	}
	return map[string]float64{
		"mIoU":                iou / max(float64(len(per)), 1),
		"pixel_accuracy":      float64(right) / max(float64(all), 1),
		"mean_class_accuracy": shares / max(float64(occur), 1),
	}
}

// PerClass is each class's intersection over union (Everingham et al. 2010): the pixels rightly given to the class over
// those that are of the class or were given to it. A class that neither occurs nor was predicted has none and is left out.
func (s *Segmentation) PerClass() map[string]float64 {
	out := map[string]float64{}
	for k, name := range s.classes {
		var union int64
		for j := range s.confusion {
			union += s.confusion[j][k]
		}
		for j, v := range s.confusion[k] {
			if j != k {
				union += v
			}
		}
		if union > 0 {
			out[name] = float64(s.confusion[k][k]) / float64(union)
		}
	}
	return out
}
