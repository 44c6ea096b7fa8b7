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
	Path     string    // names the picture in the result; read when Image is nil
	Task     task.Task // Classify, Detect, Ask or Caption
	Question string    // Ask
	Label    string    // Detect: the object's label, person without one; Classify: the picture's name, the most probable one without
	// Box says about where the object of Detect is, pixels of the picture, however little the model thinks of it. Without one it is the best
	// of the label, of a score of at least DefaultThreshold.
	Box annotation.Box
	// AUC also measures how faithful the explanation is: Explanation.DeletionAUC and InsertionAUC. It takes 33 times as long.
	AUC bool
}

// Explanation says on which regions of a picture an answer rests. Its JSON is described in docs/reference/http.md.
type Explanation struct {
	Image   string  `json:"image"`
	Frame   *int    `json:"frame,omitempty"` // of a video
	Width   int     `json:"width"`           // pixels, upright
	Height  int     `json:"height"`
	Model   string  `json:"model"`
	Task    string  `json:"task"` // "explain"
	MS      float64 `json:"ms"`
	Target  string  `json:"target"` // the answer: words, an object's label, or the picture's name, empty if the model has no names
	Score   float64 `json:"score"`  // of the answer: its probability, of an object times its box's overlap, of words the geometric mean
	Method  string  `json:"method"` // "gradient", or "rollout" for weights that are held in fewer bits
	Regions Regions `json:"regions"`
	Tokens  []Token `json:"tokens,omitempty"` // Ask: the words of the question
	// DeletionAUC and InsertionAUC are the areas under the answer's score while the regions are replaced by the picture's mean
	// colour, and while they are put into a blurred copy of it, the most important ones first, in 16 steps (Petsiuk et al. 2018,
	// "RISE"). If the answer rests on what the regions say, the one is small and the other large; what large is, an order by
	// chance tells. nil without ExplainRequest.AUC.
	DeletionAUC  *float64 `json:"deletion_auc,omitempty"`
	InsertionAUC *float64 `json:"insertion_auc,omitempty"`

	Box    annotation.Box `json:"-"` // Detect: the object's, pixels
	inside float64        // of what the answer rests on lies in the picture
}

// Regions is a grid over the whole picture; Values hold its cells row by row. They sum to 1.
type Regions struct {
	Grid   [2]int    `json:"grid"` // rows, columns
	Values []float64 `json:"values"`
}

// Token is a piece of a question and its share of what the answer owes to the question; shares sum to 1.
type Token struct {
	Text  string  `json:"text"`
	Value float64 `json:"value"`
}

// CanExplain reports that Explain works: the model is one of the program's own kind.
func (p *Predictor) CanExplain() bool {
	_, ok := p.model.(native)
	return ok
}

// Explain says which regions of the picture an answer rests on; see unified.Runner.Explain.
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
	if q.Label == "" && q.Task == task.Detect {
		q.Label = person
	}
	if q.Label != "" {
		if err := checkTexts("request.label", []string{q.Label}); err != nil {
			return nil, err
		}
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
	out := &Explanation{Image: q.Path, Width: img.W, Height: img.H, Model: p.card.Name, Task: "explain"}
	err = p.with(ctx, func(run model.Runner) error {
		start := time.Now()
		found, err := run.(*nativeRunner).explain(ctx, img, q, out)
		switch {
		case err == nil && !found && q.Task == task.Classify:
			err = bad("request.label", "the model %q has no names of its own for pictures; give a label", p.card.Name)
		case err == nil && !found && (q.Task == task.Ask || q.Task == task.Caption): // nothing could be said
			err = errDamaged(p.card.Name)
		case err == nil && !found:
			err = &Error{Code: "request.label", BadInput: true, Hint: "a box says where to look for it all the same", Err: fmt.Errorf("fovea: there is no %q in the picture", q.Label)}
		}
		out.MS = math.Round(float64(time.Since(start).Microseconds())/100) / 10
		return err
	})
	if err != nil {
		return nil, err
	}
	if !(out.inside > 0) {
		return nil, errDamaged(p.card.Name)
	}
	return out, nil
}

// explain fills in an explanation; false when what it is about is not in the picture.
func (r *nativeRunner) explain(ctx context.Context, img *imageproc.RGB, q ExplainRequest, out *Explanation) (bool, error) {
	r.run.Search(ctx, 0)
	square, g := r.model.Config.Fit().Apply(img)
	v := &nativeView{nativeRunner: r, g: g}
	f := v.frame()
	o := unified.ExplainOptions{Task: q.Task, Question: q.Question, Name: -1,
		Box: annotation.Box{X0: f.X.To(q.Box.X0), Y0: f.Y.To(q.Box.Y0), X1: f.X.To(q.Box.X1), Y1: f.Y.To(q.Box.Y1)}}
	if q.Label != "" {
		o.Name = r.model.Names.Add(q.Label)
	}
	if (q.Box == annotation.Box{}) {
		o.Least = DefaultThreshold
	}
	e, ok := r.run.Explain(square, o)
	if !ok {
		return false, ctx.Err()
	}
	side := r.model.Config.Grid()
	if out.Regions, out.inside = overPicture(e.Patches, side, f, img.W, img.H); out.inside == 0 { // all of it lies in the margin around the picture
		o.Method = unified.Rollout
		e, _ = r.run.Explain(square, o)
		out.Regions, out.inside = overPicture(e.Patches, side, f, img.W, img.H)
	}
	a := &e.Answer
	out.Target, out.Score, out.Method = a.Text, share(a.Score), e.Method
	switch {
	case q.Label != "" && q.Task != task.Ask && q.Task != task.Caption:
		out.Target = q.Label
	case a.Name >= 0 && q.Task == task.Classify:
		out.Target = r.model.Names.List[a.Name]
	}
	if q.Task == task.Detect {
		out.Box = v.toSource(a.Box)
	}
	total := 0.
	for _, w := range e.Words {
		total += w.Value
	}
	for _, w := range e.Words {
		out.Tokens = append(out.Tokens, Token{w.Text, share(w.Value / total)})
	}
	if q.AUC {
		deleted, inserted, err := r.aucs(ctx, square, g, a, out.Regions)
		if err != nil {
			return false, err
		}
		deleted, inserted = share(deleted), share(inserted)
		out.DeletionAUC, out.InsertionAUC = &deleted, &inserted
	}
	return true, nil
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
