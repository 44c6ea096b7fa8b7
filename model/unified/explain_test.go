package unified_test

import (
	"math"
	"testing"

	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/internal/testmodel"
	"fovea/model/unified"
	"fovea/task"
)

func sumOf(list []float64) (s float64) {
	for _, v := range list {
		s += v
	}
	return s
}

// Rollout gives distributions over what an answer may come from, and the same one for the same picture.
func TestExplain(t *testing.T) {
	m, err := testmodel.New(4)
	if err != nil {
		t.Fatal(err)
	}
	img := &imageproc.RGB{W: m.Config.Size, H: m.Config.Size, Pix: make([]uint8, 3*m.Config.Size*m.Config.Size)}
	for i := range img.Pix {
		img.Pix[i] = uint8(i * 37 / 11)
	}
	r := unified.NewRunner(m, kernel.NewWork(nil))
	name := m.Names.Add("circle")
	for _, o := range []unified.ExplainOptions{{Task: task.Classify, Name: -1}, {Task: task.Classify, Name: name}, {Task: task.Detect, Name: name}, {Task: task.Ask, Question: "is there a circle ?"}, {Task: task.Caption}} {
		e, ok := r.Explain(img, o)
		if !ok || len(e.Patches) != m.Config.Patches() {
			t.Fatalf("%v: %v, %d patches", o.Task, ok, len(e.Patches))
		}
		words := 0.
		for _, w := range e.Words {
			words += w.Value
			if w.Text == "" || w.Value < 0 {
				t.Errorf("%v: the word %+v", o.Task, w)
			}
		}
		total := sumOf(e.Patches) + words
		if sumOf(e.Patches) <= 0 || total > 1+1e-6 || o.Task == task.Detect && math.Abs(total-1) > 1e-6 {
			t.Errorf("%v: weights sum to %g", o.Task, total)
		}
		if (o.Task == task.Ask) != (len(e.Words) > 2) {
			t.Errorf("%v: %d words", o.Task, len(e.Words))
		}
		if o.Task == task.Ask && (e.Answer.Text == "" || e.Answer.Text != r.Ask(r.Encode(img), []string{o.Question})[0].Answer) {
			t.Errorf("another answer is explained than given: %q", e.Answer.Text)
		}
		again, _ := r.Explain(img, o)
		for i := range e.Patches {
			if e.Patches[i] != again.Patches[i] {
				t.Fatalf("%v: patch %d is %g and then %g", o.Task, i, e.Patches[i], again.Patches[i])
			}
		}
	}
}
