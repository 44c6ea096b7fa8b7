package recipe

import (
	"strings"

	"fovea/annotation"
	"fovea/eval"
	"fovea/internal/kernel"
	"fovea/model/unified"
)

// scores are the accumulators of an evaluation. Those that nothing was added to have no result.
type scores struct {
	box, mask, pose *eval.Detection
	given           *eval.Detection // joints of people whose true boxes were given
	pck, torso      *eval.PCK       // the same
	class           *eval.Classification
	answers         *eval.VQA
	captions        *eval.Captions
	matches         matches
	pixels          *eval.Segmentation // nil when pixels have no labels
}

func newScores(classes []string) (*scores, error) {
	s := &scores{
		box: eval.NewDetection(eval.Boxes, classes...), mask: eval.NewDetection(eval.Masks, classes...), pose: eval.NewDetection(eval.Keypoints, unified.Person),
		given: eval.NewDetection(eval.Keypoints, unified.Person), pck: eval.NewPCK(.1, eval.BoxSide), torso: eval.NewPCK(.2, eval.Torso), answers: eval.NewVQA(), captions: eval.NewCaptions(),
	}
	var err error
	s.class, err = eval.NewClassification(classes...)
	return s, err
}

// addGiven scores the joints found of people whose true boxes were given, so that poses are measured apart from detection, and also
// where a data set has labels for one person of several. Answers are ranked by the mean of their joints' scores, as a box that
// is given has none.
func (s *scores) addGiven(id string, people, found []annotation.Object) error {
	for i := range found {
		found[i].Score = annotation.JointScore(found[i].Joints)
		for _, score := range []*eval.PCK{s.pck, s.torso} {
			if _, err := score.Add(people[i], &found[i]); err != nil {
				return err
			}
		}
	}
	return s.given.Add(id, people, found)
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
	merge(s.pck.People(), "pose", func() map[string]float64 {
		r := s.given.Result()
		return map[string]float64{"AP_given_box": r["AP"], "AP50_given_box": r["AP50"]}
	})
	merge(s.pck.People(), "pose", s.pck.Result)
	merge(s.torso.People(), "pose", func() map[string]float64 { return map[string]float64{"PCK_torso": s.torso.Result()["PCK"]} })
	merge(s.class.Images(), "class", s.class.Result)
	merge(s.answers.Questions(), "answers", s.answers.Result)
	merge(s.answers.Questions(), "answers", s.answers.PerQuestionType)
	merge(s.captions.Images(), "captions", s.captions.Result)
	merge(len(s.matches.texts), "retrieval", s.matches.result)
	if s.pixels != nil {
		merge(s.pixels.Images(), "mask", s.pixels.Result)
	}
	return out
}

// matches are the vectors of pictures and of their texts, to be found by each other.
type matches struct {
	pictures, texts [][]float32 // unit vectors
	of              []int       // the picture of each text
}

// mostMatched bounds the pictures that are matched with texts: each is compared with every text.
const mostMatched = 5000

func (m *matches) add(picture []float32, texts [][]float32) {
	m.pictures = append(m.pictures, picture)
	for _, t := range texts {
		m.texts, m.of = append(m.texts, t), append(m.of, len(m.pictures)-1)
	}
}

func (m *matches) result() map[string]float64 {
	similarity := make([]float32, 0, len(m.pictures)*len(m.texts))
	for _, p := range m.pictures {
		for _, t := range m.texts {
			similarity = append(similarity, kernel.Dot(p, t))
		}
	}
	out, err := eval.Retrieval(similarity, len(m.pictures), m.of)
	if err != nil {
		panic(err) // the indices are those of add
	}
	return out
}
