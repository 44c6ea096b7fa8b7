package paligemma

import (
	"slices"
	"strings"

	"fovea/model"
	"fovea/task/place"
)

// leastScore is that of objects when nothing else is asked for: scores are probabilities of a place to within a thousandth
// of the picture, which are low where several neighbours would do.
const leastScore = .05

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewTalker(m, threads, func(v *model.Talk) model.View { return &view{v, m} })
}

type view struct {
	*model.Talk
	m *Model
}

// tasks are the words that tasks begin with. A question that begins otherwise is one to be answered in English.
var tasks = []string{"answer", "question", "caption", "cap", "describe", "detect", "segment", "ocr"}

// phrase is a question as the model reads it.
func phrase(question string) string {
	if first, _, _ := strings.Cut(strings.TrimSpace(question), " "); slices.Contains(tasks, first) {
		return question
	}
	return "answer en " + question
}

// Ask implements model.View.
func (v *view) Ask(questions []string, step func(string)) []model.Answer {
	var out []model.Answer
	for _, q := range questions {
		a := v.Talk.Ask([]string{phrase(q)}, step)[0]
		a.Question, step = q, nil
		out = append(out, a)
	}
	return out
}

// Detect implements model.View. The model is asked for all things at once.
func (v *view) Detect(o model.DetectOptions) []model.Object {
	names := v.m.voice.Names(o.Query)
	if names == nil {
		return nil
	}
	s := v.Weigh("detect " + strings.Join(names, " ; "))
	return o.Best(model.Objects(place.PaliGemma(v.m.voice.Words, s.IDs, s.Chances, v.W, v.H)))
}
