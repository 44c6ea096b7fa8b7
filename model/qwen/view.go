package qwen

import (
	"encoding/json"
	"math"
	"regexp"
	"strings"

	"fovea/annotation"
	"fovea/model"
)

// leastScore is that of objects when nothing else is asked for: the model gives no probability of an object, only one of its
// whole answer.
const leastScore = 1e-9

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewTalker(m, threads, func(v *model.Talk) model.View { return &view{v, m} })
}

type view struct {
	*model.Talk
	m *Model
}

// Detect implements model.View, with the question that the model's makers ask. The score of each object is the geometric mean
// of the probabilities of the answer's pieces.
func (v *view) Detect(o model.DetectOptions) []model.Object {
	names := v.m.voice.Names(o.Query)
	if names == nil {
		return nil
	}
	text, score := v.locate("Locate every instance that belongs to the following categories: '" + strings.Join(names, ", ") + "'. Report bbox coordinates in JSON format.")
	sx, sy := v.scale()
	return o.Best(objects(text, score, sx, sy, v.W, v.H))
}

// Spots implements model.Pointer, with the question that the model's makers ask.
func (v *view) Spots(o model.DetectOptions) []model.Spot {
	names := v.m.voice.Names(o.Query)
	if names == nil {
		return []model.Spot{}
	}
	text, score := v.locate("Locate every " + strings.Join(names, ", ") + ` with points, report their point coordinates in JSON format like this: {"point_2d": [x, y], "label": "` + names[0] + `"}`)
	sx, sy := v.scale()
	return o.BestSpots(spots(text, score, sx, sy, v.W, v.H))
}

// locate is what the model writes, and the geometric mean of the probabilities of its pieces.
func (v *view) locate(question string) (text string, score float64) {
	s := v.Say(question, nil)
	return s.Text, math.Pow(s.Prob, 1/float64(max(len(s.IDs), 1)))
}

// scale is how many pixels of the picture a step of a coordinate is.
func (v *view) scale() (x, y float64) {
	w, h := 1000., 1000. // of Qwen3-VL's coordinates; those of Qwen2.5-VL are pixels of the picture that it sees
	if g := v.Sight.Grids[0]; !v.m.Config.Third {
		w, h = float64(g[1]*v.m.pixels.patch), float64(g[0]*v.m.pixels.patch)
	}
	return float64(v.W) / w, float64(v.H) / h
}

// entry is one JSON object without others inside, with its numbers and texts.
var entry = regexp.MustCompile(`\{[^{}]*\}`)

// objects reads [{"bbox_2d": [x1, y1, x2, y2], "label": "…"}, …], fenced or not, cut off or not: entries that are complete
// count. sx and sy are pixels of the picture of w × h for each step of a coordinate.
func objects(text string, score, sx, sy float64, w, h int) (out []model.Object) {
	for _, one := range entry.FindAllString(text, -1) {
		var x struct {
			Box   []float64 `json:"bbox_2d"`
			Label string    `json:"label"`
		}
		if json.Unmarshal([]byte(one), &x) != nil || len(x.Box) != 4 || x.Label == "" {
			continue
		}
		b := annotation.Box{
			X0: min(x.Box[0], x.Box[2]) * sx, Y0: min(x.Box[1], x.Box[3]) * sy, X1: max(x.Box[0], x.Box[2]) * sx, Y1: max(x.Box[1], x.Box[3]) * sy,
		}.Clip(float64(w), float64(h))
		if b.Finite() && !b.Empty() {
			out = append(out, model.Object{Label: x.Label, Score: score, Box: b})
		}
	}
	return out
}

// spots reads {"point_2d": [x, y], "label": "…"} likewise; a place outside the picture is none.
func spots(text string, score, sx, sy float64, w, h int) (out []model.Spot) {
	for _, one := range entry.FindAllString(text, -1) {
		var x struct {
			At    []float64 `json:"point_2d"`
			Label string    `json:"label"`
		}
		if json.Unmarshal([]byte(one), &x) != nil || len(x.At) != 2 || x.Label == "" {
			continue
		}
		s := model.Spot{Label: x.Label, Score: score, X: x.At[0] * sx, Y: x.At[1] * sy}
		if s.X >= 0 && s.Y >= 0 && s.X <= float64(w) && s.Y <= float64(h) {
			out = append(out, s)
		}
	}
	return out
}
