package florence2

import (
	"errors"
	"math"
	"slices"
	"strings"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/model"
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
	kind := Text
	if t != nil {
		kind = t.Kind
	}
	r := m.parser.Parse(kind, spelled, v.width, v.height)
	if kind == Text {
		return r.Text, math.Exp(a.logProb)
	}
	b, _ := r.MarshalJSON() // numbers and words never fail
	return string(b), math.Exp(a.logProb)
}

// places answers a task with places, each with its score.
func (v *view) places(name, about string) ([]Place, []float64) {
	m := v.m
	t, _ := split(name)
	a := v.write(strings.Replace(t.Prompt, "%s", about, 1), m.rules(v.Writing()))
	if a.failed() {
		return []Place{{Box: []int{0, 0, v.width, v.height}}}, []float64{math.Exp(a.logProb)}
	}
	text, spans := v.spell(a)
	found := m.parser.Parse(t.Kind, text, v.width, v.height).Regions
	if len(found) == 0 {
		return nil, nil
	}
	scores, chances := make([]float64, len(found)), m.chances(v.w.Tape, a)
	for i := range found {
		scores[i] = found[i].score(chances, spans)
	}
	return found, scores
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
func (v *view) objects(name, about, label string) (out []model.Object) {
	found, scores := v.places(name, about)
	for i, p := range found {
		x := model.Object{Label: p.Label, Score: scores[i]}
		if label != "" {
			x.Label = label
		}
		if p.Polygons != nil {
			x.Box, x.Mask = bounds(p.Polygons), v.mask(p.Polygons)
		} else {
			x.Box = annotation.Box{X0: float64(p.Box[0]), Y0: float64(p.Box[1]), X1: float64(p.Box[2]), Y1: float64(p.Box[3])}
		}
		x.Box = x.Box.Clip(float64(v.width), float64(v.height))
		out = append(out, x)
	}
	return out
}

// outline gives the polygons of what is in a box.
func (v *view) outline(b annotation.Box) (polygons [][]int) {
	found, _ := v.places("<REGION_TO_SEGMENTATION>", Region(b, v.width, v.height))
	for _, p := range found {
		polygons = append(polygons, p.Polygons...)
	}
	return polygons
}

// mask fills polygons; without any it is empty.
func (v *view) mask(polygons [][]int) *annotation.RLE {
	list := make([][]float64, 0, len(polygons))
	for _, p := range polygons {
		corners := make([]float64, len(p))
		for i, c := range p {
			corners[i] = float64(c)
		}
		if len(corners) > 0 {
			list = append(list, corners)
		}
	}
	if r, err := annotation.PolygonRLE(v.height, v.width, list...); err == nil {
		return &r
	}
	return &annotation.RLE{H: v.height, W: v.width, Counts: []uint32{uint32(v.width * v.height)}}
}

// bounds is the box around polygons.
func bounds(polygons [][]int) annotation.Box {
	b, first := annotation.Box{}, true
	for _, p := range polygons {
		for i := 0; i+1 < len(p); i += 2 {
			x, y := float64(p[i]), float64(p[i+1])
			if first {
				b, first = annotation.Box{X0: x, Y0: y, X1: x, Y1: y}, false
			}
			b = annotation.Box{X0: min(b.X0, x), Y0: min(b.Y0, y), X1: max(b.X1, x), Y1: max(b.Y1, y)}
		}
	}
	return b
}
