package florence2

import (
	"errors"
	"math"
	"slices"
	"strings"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/model"
	"fovea/task/place"
)

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewRunner(threads, func(w *model.Worker, img *imageproc.RGB) (model.View, error) {
		in, err := m.Process(model.Sample{Pictures: []*imageproc.RGB{img}})
		if err != nil {
			return nil, err
		}
		w.Tape.Reset()
		seen := m.Project.Forward(m.Vision.Forward(in.Value(w.Tape, "pixel_values"), nil))
		pen := model.NewPen(errors.New("florence2: answers follow its tasks, not a schema; leave the schema out"))
		return &view{Pen: pen, m: m, w: w, seen: slices.Clone(seen.Data), width: img.W, height: img.H}, nil
	})
}

// view is a picture's rows [T, D] and its size in pixels.
type view struct {
	model.Nothing
	model.Pen
	m             *Model
	w             *model.Worker
	seen          []float32
	width, height int
}

// spell is an answer's text, up to where the writing wants it to end, and what each piece stands for (Model.spell).
func (v *view) spell(a answer) (string, [][2]int) {
	text, spans := v.m.spell(a.ids)
	return v.Before(text), spans
}

// say answers a text that begins with a task, in words: a result with places is written as JSON.
func (v *view) say(text string) (string, float64) {
	m := v.m
	t, _ := split(text)
	prompt, err := Prompt(text)
	if err != nil {
		return "", 0
	}
	a := v.write(prompt, m.rules(v.Writing()))
	if a.failed() {
		return "", math.Exp(a.logProb)
	}
	spelled, _ := v.spell(a)
	kind := place.Text
	if t != nil {
		kind = t.Kind
	}
	r := m.parser.Parse(kind, spelled, v.width, v.height)
	if kind == place.Text {
		return r.Text, math.Exp(a.logProb)
	}
	b, _ := r.MarshalJSON() // numbers and words never fail
	return string(b), math.Exp(a.logProb)
}

// places answers a task with places, each with its score.
func (v *view) places(name, about string) []place.Region {
	m := v.m
	t, _ := split(name)
	a := v.write(strings.Replace(t.Prompt, "%s", about, 1), m.rules(v.Writing()))
	if a.failed() {
		return []place.Region{{Box: annotation.Box{X1: float64(v.width), Y1: float64(v.height)}, Score: math.Exp(a.logProb)}}
	}
	text, spans := v.spell(a)
	found := m.parser.Parse(t.Kind, text, v.width, v.height).Regions
	if len(found) == 0 {
		return nil
	}
	chances := m.chances(v.w.Tape, a)
	for i := range found {
		found[i].Score = found[i].Chance(chances, spans)
	}
	return found
}

// Ask implements model.View: questions are tasks, and what they are about.
func (v *view) Ask(questions []string, step func(string)) []model.Answer {
	out := make([]model.Answer, len(questions))
	for i, q := range questions {
		text, p := v.say(q)
		out[i] = model.Answer{Question: q, Answer: text, Score: p}
		if i == 0 && step != nil {
			step(text) // several beginnings compete until the end
		}
	}
	return out
}

// Caption implements model.View.
func (v *view) Caption(step func(string)) model.Caption {
	text, p := v.say("<CAPTION>")
	if step != nil {
		step(text)
	}
	return model.Caption{Text: text, Score: p}
}

// Detect implements model.View. Without a query the model names what it sees; it then outlines every box, if masks are wanted.
// With one it is asked for each thing by itself, for boxes or for outlines.
func (v *view) Detect(o model.DetectOptions) []model.Object {
	var found []model.Object
	if len(o.Query) == 0 {
		found = o.Best(v.objects("<OD>", "", ""))
		if o.Masks {
			for i := range found {
				found[i].Mask = v.mask(v.outline(found[i].Box))
			}
		}
		return found
	}
	name := "<OPEN_VOCABULARY_DETECTION>"
	if o.Masks {
		name = "<REFERRING_EXPRESSION_SEGMENTATION>"
	}
	for _, q := range o.Query {
		for _, x := range v.objects(name, q, q) {
			if !o.Masks {
				x.Mask = nil
			} else if x.Mask == nil {
				x.Mask = v.mask(nil)
			}
			found = append(found, x)
		}
	}
	return o.Best(found)
}

// objects answers a task; label, when not empty, is what all objects are called.
func (v *view) objects(name, about, label string) []model.Object {
	found := v.places(name, about)
	out := model.Objects(found)
	for i, p := range found {
		x := &out[i]
		if label != "" {
			x.Label = label
		}
		if p.Polygons != nil {
			x.Mask = v.mask(p.Polygons)
		}
		x.Box = x.Box.Clip(float64(v.width), float64(v.height))
	}
	return out
}

// outline gives the polygons of what is in a box.
func (v *view) outline(b annotation.Box) (polygons [][]float64) {
	for _, p := range v.places("<REGION_TO_SEGMENTATION>", place.Write(b, v.width, v.height)) {
		polygons = append(polygons, p.Polygons...)
	}
	return polygons
}

// mask fills polygons; without any it is empty.
func (v *view) mask(polygons [][]float64) *annotation.RLE {
	polygons = slices.DeleteFunc(slices.Clone(polygons), func(p []float64) bool { return len(p) == 0 })
	if r, err := annotation.PolygonRLE(v.height, v.width, polygons...); err == nil {
		return &r
	}
	return &annotation.RLE{H: v.height, W: v.width, Counts: []uint32{uint32(v.width * v.height)}}
}
