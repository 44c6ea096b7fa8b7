package qwen

import (
	"math"
	"strings"

	"fovea/model"
	"fovea/task/place"
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
	return o.Best(model.Objects(place.Qwen(text, score, sx, sy, v.W, v.H)))
}

// Spots implements model.Pointer, with the question that the model's makers ask.
func (v *view) Spots(o model.DetectOptions) []model.Spot {
	names := v.m.voice.Names(o.Query)
	if names == nil {
		return []model.Spot{}
	}
	text, score := v.locate("Locate every " + strings.Join(names, ", ") + ` with points, report their point coordinates in JSON format like this: {"point_2d": [x, y], "label": "` + names[0] + `"}`)
	sx, sy := v.scale()
	return o.BestSpots(model.Middles(model.Objects(place.QwenPoints(text, score, sx, sy, v.W, v.H))))
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
