package fovea

import (
	"math"
	"testing"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/internal/nano"
	"fovea/model/unified"
	"fovea/task"
)

// Explanations cover the whole picture and nothing beside it, whatever its shape.
func TestExplain(t *testing.T) {
	p, err := Open(background, tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	img := scene(t, 0, 96)
	wide := &imageproc.RGB{W: 96, H: 48, Pix: img.Pix[:3*96*48]}
	for _, q := range []ExplainRequest{
		{Task: task.Classify}, {Task: task.Caption}, {Task: task.Ask, Question: "how many circles are there?"},
		{Task: task.Detect, Label: "circle", Box: annotation.Box{X0: 10, Y0: 5, X1: 40, Y1: 40}},
	} {
		for _, pic := range []*imageproc.RGB{img, wide} {
			q.Image = pic
			e, err := p.Explain(background, q)
			if err != nil {
				t.Fatalf("%v: %v", q.Task, err)
			}
			sum := 0.
			for _, v := range e.Regions.Values {
				sum += v
			}
			if want := [2]int{4 * pic.H / pic.W, 4}; e.Regions.Grid != want || len(e.Regions.Values) != want[0]*want[1] || math.Abs(sum-1) > 1e-3 {
				t.Errorf("%v: grid %v, want %v; %d values sum to %g", q.Task, e.Regions.Grid, want, len(e.Regions.Values), sum)
			}
			if (q.Task == task.Ask) != (len(e.Tokens) > 0) || e.Target == "" || e.DeletionAUC != nil {
				t.Errorf("%v: target %q, tokens %v", q.Task, e.Target, e.Tokens)
			}
		}
	}
	for _, q := range []ExplainRequest{{Task: task.Classify, Label: "star"}, {Task: task.Detect, Label: "circle", Box: annotation.Box{X1: 30, Y1: 30}}, {Task: task.Caption}} {
		q.Image, q.AUC = wide, true
		e, err := p.Explain(background, q)
		if err != nil || q.Label != "" && e.Target != q.Label || !(e.Score > 0 && e.Score <= 1) {
			t.Fatalf("%v: %+v, %v", q.Task, e, err)
		}
		for _, v := range []*float64{e.DeletionAUC, e.InsertionAUC} {
			if v == nil || !(*v >= 0 && *v <= 1) {
				t.Errorf("%v: areas %v and %v", q.Task, e.DeletionAUC, e.InsertionAUC)
			}
		}
	}
	for code, q := range map[string]ExplainRequest{
		"request.task":     {Task: task.Pose},
		"request.question": {Task: task.Ask},
		"request.label":    {Task: task.Detect, Label: " "},
		"request.boxes":    {Task: task.Detect, Box: annotation.Box{X0: math.NaN(), X1: 1, Y1: 1}},
	} {
		q.Image = img
		if _, err := p.Explain(background, q); Code(err) != code {
			t.Errorf("%+v: %v, want %s", q, err, code)
		}
	}
}

// What the model does not find is not explained, unless a box says where it should be.
func TestExplainOfWhatIsNotThere(t *testing.T) {
	p, err := Open(background, "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	park, err := Load("examples/park.png")
	if err != nil {
		t.Fatal(err)
	}
	for label, there := range map[string]bool{"person": true, "heart": true, "hexagon": false, "dog": false} {
		_, err := p.Explain(background, ExplainRequest{Image: park, Task: task.Detect, Label: label})
		if there && err != nil || !there && Code(err) != "request.label" {
			t.Errorf("%s: %v", label, err)
		}
	}
	e, err := p.Explain(background, ExplainRequest{Image: park, Task: task.Detect, Label: "dog", Box: annotation.Box{X0: 345, Y0: 89, X1: 479, Y1: 348}})
	if err != nil || e.Target != "dog" || e.Score > .3 {
		t.Errorf("a dog where a person is: %+v, %v", e, err)
	}
}

// TestExplainsNothingOfDamage: where the model's numbers are none there is no text to explain, and the error says why.
func TestExplainsNothingOfDamage(t *testing.T) {
	m, err := unified.Open(nano.FS())
	if err != nil {
		t.Fatal(err)
	}
	for i := range m.Words.Data {
		m.Words.Data[i] = float32(math.NaN())
	}
	p := New(newNative(m, "nano"))
	defer p.Close()
	for _, k := range []task.Task{task.Ask, task.Caption} {
		_, err := p.Explain(background, ExplainRequest{Image: imageproc.NewRGB(64, 64), Task: k, Question: "how many are there?"})
		if Code(err) != "model.damaged" {
			t.Errorf("%s: %v", taskName(k), err)
		}
	}
}
