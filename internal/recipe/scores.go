package recipe

import (
	"strings"

	"fovea/eval"
	"fovea/model/unified"
)

// scores are the accumulators of an evaluation. Those that nothing was added to have no result.
type scores struct {
	box, mask, pose *eval.Detection
	pck             *eval.PCK
	class           *eval.Classification
	answers         *eval.VQA
	captions        *eval.Captions
	pixels          *eval.Segmentation // nil when pixels have no labels
}

func newScores(classes []string, pixels bool) (*scores, error) {
	s := &scores{
		box: eval.NewDetection(eval.Boxes, classes...), mask: eval.NewDetection(eval.Masks, classes...), pose: eval.NewDetection(eval.Keypoints, unified.Person),
		pck: eval.NewPCK(.1, eval.BoxSide), answers: eval.NewVQA(), captions: eval.NewCaptions(),
	}
	var err error
	if s.class, err = eval.NewClassification(classes...); err == nil && pixels {
		s.pixels, err = eval.NewSegmentation(classes...)
	}
	return s, err
}

// result are the metrics, their kind before their names.
func (s *scores) result() map[string]float64 {
	out := map[string]float64{}
	merge := func(n int, kind string, from func() map[string]float64) {
		if n == 0 {
			return
		}
		for k, v := range from() {
			out[strings.TrimSpace(kind+" "+k)] = v
		}
	}
	merge(s.box.Images(), "box", s.box.Result)
	merge(s.mask.Images(), "mask", s.mask.Result)
	merge(s.pose.Images(), "pose", s.pose.Result)
	merge(s.pck.People(), "pose", s.pck.Result)
	merge(s.class.Images(), "class", s.class.Result)
	merge(s.answers.Questions(), "answers", s.answers.Result)
	merge(s.answers.Questions(), "answers", s.answers.PerQuestionType)
	merge(s.captions.Images(), "captions", s.captions.Result)
	if s.pixels != nil {
		merge(s.pixels.Images(), "mask", s.pixels.Result)
	}
	return out
}
