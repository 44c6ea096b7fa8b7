package paligemma

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"fovea/annotation"
	"fovea/model"
	"fovea/tokenizer"
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
	return o.Best(objects(v.m.voice.Words, s.IDs, s.Chances, v.W, v.H))
}

// objects reads "<loc0100><loc0200><loc0700><loc0900> cat ; <loc…>… dog": top, left, bottom and right of each thing in
// thousandths (0 … 1023) of the picture, then what it is. Pieces <seg…> of an outline may stand between. The score is the
// geometric mean of the probabilities of the thing's pieces; what is incomplete is left out. Boxes are pixels of a picture of
// w × h.
func objects(words tokenizer.Tokenizer, ids []int32, chances []float64, w, h int) (out []model.Object) {
	var places []float64
	var label []int32
	sum, n := 0., 0
	flush := func() {
		name := strings.TrimSpace(words.Decode(label, true))
		if len(places) == 4 && name != "" {
			box := annotation.Box{
				X0: min(places[1], places[3]) * float64(w), Y0: min(places[0], places[2]) * float64(h),
				X1: max(places[1], places[3]) * float64(w), Y1: max(places[0], places[2]) * float64(h),
			}.Clip(float64(w), float64(h))
			if !box.Empty() {
				score := 1.
				if len(chances) == len(ids) {
					score = math.Exp(sum / float64(n))
				}
				out = append(out, model.Object{Label: name, Score: score, Box: box})
			}
		}
		places, label, sum, n = nil, nil, 0, 0
	}
	for i, id := range ids {
		piece := words.Piece(id)
		place, isPlace := numbered(piece, "<loc", 4)
		_, isSeg := numbered(piece, "<seg", 3)
		if strings.Trim(piece, " ▁") == ";" || isPlace && len(label) > 0 {
			flush()
		}
		switch {
		case isPlace:
			places = append(places, min(float64(place)/1023, 1))
		case isSeg || words.Special(id) || strings.Trim(piece, " ▁") == ";":
			continue
		default:
			label = append(label, id)
		}
		if i < len(chances) {
			sum, n = sum+math.Log(max(chances[i], 1e-300)), n+1
		}
	}
	flush()
	return out
}

// numbered reads the number of a piece such as <loc0123>.
func numbered(piece, prefix string, digits int) (int, bool) {
	s, ok := strings.CutPrefix(piece, prefix)
	s, end := strings.CutSuffix(s, ">")
	if !ok || !end || len(s) != digits {
		return 0, false
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return int(n), err == nil
}
