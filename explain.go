package fovea

import (
	"context"
	"fmt"
	"image"
	"math"
	"time"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/model"
	"fovea/model/unified"
	"fovea/task"
)

// ExplainRequest names an answer that is to be explained.
type ExplainRequest struct {
	Image    image.Image
	Path     string         // names the picture in the result; read when Image is nil
	Task     task.Task      // Classify, Detect, Ask or Caption
	Question string         // Ask
	Label    string         // Detect: the object's label, person without one
	Box      annotation.Box // Detect: about where it is, pixels of the picture; the best object of the label without one
}

// Explanation says on which regions of a picture an answer rests, as far as attention tells. Its JSON is described in
// docs/reference/http.md.
type Explanation struct {
	Image   string  `json:"image"`
	Width   int     `json:"width"` // pixels, upright
	Height  int     `json:"height"`
	Model   string  `json:"model"`
	Task    string  `json:"task"` // "explain"
	MS      float64 `json:"ms"`
	Target  string  `json:"target"` // the answer: words, or an object's label; empty for Classify
	Method  string  `json:"method"` // "rollout"
	Regions Regions `json:"regions"`
	Tokens  []Token `json:"tokens,omitempty"` // Ask: the words of the question

	inside float64 // of the attention ends in the picture
}

// Regions is a grid over the whole picture; Values hold its cells row by row. They sum to 1.
type Regions struct {
	Grid   [2]int    `json:"grid"` // rows, columns
	Values []float64 `json:"values"`
}

// Token is a piece of a question and its share of the attention that ends at the question; shares sum to 1.
type Token struct {
	Text  string  `json:"text"`
	Value float64 `json:"value"`
}

// CanExplain reports that Explain works: the model is one of the program's own kind.
func (p *Predictor) CanExplain() bool {
	_, ok := p.model.(native)
	return ok
}

// Explain says which regions of the picture an answer rests on, by attention rollout; see unified.Runner.Explain.
func (p *Predictor) Explain(ctx context.Context, q ExplainRequest) (*Explanation, error) {
	bad := func(code, format string, args ...any) error {
		return badInput(code, fmt.Errorf("fovea: "+format, args...))
	}
	switch {
	case !p.CanExplain():
		return nil, bad("request.task", "the answers of the model %q cannot be explained", p.card.Name)
	case q.Task != task.Classify && q.Task != task.Detect && q.Task != task.Ask && q.Task != task.Caption:
		return nil, bad("request.task", "the task %s cannot be explained; classify, detect, ask and caption can", taskName(q.Task))
	case q.Task == task.Ask && q.Question == "":
		return nil, bad("request.question", "no question is asked")
	case q.Box != annotation.Box{} && (!q.Box.Finite() || q.Box.Empty()):
		return nil, bad("request.boxes", "the box holds nothing")
	}
	if q.Label == "" {
		q.Label = person
	}
	if err := checkTexts("request.label", []string{q.Label}); err != nil {
		return nil, err
	}
	if q.Question != "" {
		if err := checkTexts("request.question", []string{q.Question}); err != nil {
			return nil, err
		}
	}
	r := Request{Image: q.Image, Path: q.Path}
	img, err := r.picture()
	if err != nil {
		return nil, err
	}
	out := &Explanation{Image: q.Path, Width: img.W, Height: img.H, Model: p.card.Name, Task: "explain", Method: "rollout"}
	err = p.with(ctx, func(run model.Runner) error {
		start := time.Now()
		if !run.(*nativeRunner).explain(img, q, out) {
			return bad("request.label", "there is no %q in the picture", q.Label)
		}
		out.MS = math.Round(float64(time.Since(start).Microseconds())/100) / 10
		return nil
	})
	if err != nil {
		return nil, err
	}
	if !(out.inside > 0) {
		return nil, errDamaged(p.card.Name)
	}
	return out, nil
}

func (r *nativeRunner) explain(img *imageproc.RGB, q ExplainRequest, out *Explanation) bool {
	square, g := r.model.Config.Fit().Apply(img)
	v := &nativeView{nativeRunner: r, g: g}
	f := v.frame()
	o := unified.ExplainOptions{Task: q.Task, Question: q.Question, Name: r.model.Names.Add(q.Label),
		Box: annotation.Box{X0: f.X.To(q.Box.X0), Y0: f.Y.To(q.Box.Y0), X1: f.X.To(q.Box.X1), Y1: f.Y.To(q.Box.Y1)}}
	e, ok := r.run.Explain(square, o)
	if !ok {
		return false
	}
	out.Target = e.Text
	if q.Task == task.Detect {
		out.Target = q.Label
	}
	out.Regions, out.inside = overPicture(e.Patches, r.model.Config.Grid(), f, img.W, img.H)
	total := 0.
	for _, w := range e.Words {
		total += w.Value
	}
	for _, w := range e.Words {
		out.Tokens = append(out.Tokens, Token{w.Text, share(w.Value / total)})
	}
	return true
}

// overPicture samples the grid of patches over the model's square, bilinearly, at the cells of one of about the same cell
// size over the picture of w × h pixels, whose margins are not part of it. sum is what the cells held before they were
// scaled.
func overPicture(patches []float64, side int, f model.Frame, width, height int) (out Regions, sum float64) {
	x0, y0 := f.X.To(0), f.Y.To(0)
	spanX, spanY := f.X.To(float64(width))-x0, f.Y.To(float64(height))-y0
	w, h := max(int(math.Round(spanX*float64(side))), 1), max(int(math.Round(spanY*float64(side))), 1)
	at := func(x, y float64) float64 {
		x, y = min(max(x*float64(side)-.5, 0), float64(side-1)), min(max(y*float64(side)-.5, 0), float64(side-1))
		i, j := int(x), int(y)
		i1, j1 := min(i+1, side-1), min(j+1, side-1)
		u, v := x-float64(i), y-float64(j)
		return (1-v)*((1-u)*patches[j*side+i]+u*patches[j*side+i1]) + v*((1-u)*patches[j1*side+i]+u*patches[j1*side+i1])
	}
	out = Regions{Grid: [2]int{h, w}, Values: make([]float64, w*h)}
	for y := range h {
		for x := range w {
			v := at(x0+(float64(x)+.5)/float64(w)*spanX, y0+(float64(y)+.5)/float64(h)*spanY)
			out.Values[y*w+x] = v
			sum += v
		}
	}
	for i, v := range out.Values {
		out.Values[i] = share(v / sum)
	}
	return out, sum
}

// share is a number for JSON: six digits are enough.
func share(v float64) float64 { return math.Round(v*1e6) / 1e6 }
