package fovea_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"fovea"
	"fovea/task"
)

// TestTaskPrompts: a model that knows tasks instead of questions answers these, with places as JSON, and refuses others; it
// detects without a query, and leaves nothing out that it names, whatever the score.
func TestTaskPrompts(t *testing.T) {
	ctx := context.Background()
	p, img := openFixture(t, "florence2")
	if c := p.Card(); c.Tasks != task.SetOf(task.Detect, task.Segment, task.Ask, task.Caption) {
		t.Errorf("card %+v", c)
	}
	r, err := p.Do(ctx, fovea.Request{Image: img, Tasks: task.SetOf(task.Segment, task.Ask), Questions: []string{"<OD>", "<OCR>"}})
	if err != nil {
		t.Fatal(err)
	}
	var od struct{ BBoxes [][4]float64 }
	if err := json.Unmarshal([]byte(r.Answers[0].Answer), &od); err != nil {
		t.Fatalf("%v: %v", r.Answers[0], err)
	}
	whole := 0
	for _, b := range od.BBoxes {
		if b[0] < b[2] && b[1] < b[3] {
			whole++
		}
	}
	if whole == 0 || len(r.Objects) != whole || r.Objects[0].Mask == nil {
		t.Errorf("%v of boxes %v", r.Objects, od.BBoxes)
	}
	for _, q := range []string{"what is it?", "<OD> of cats", "<REGION_TO_OCR>"} {
		if _, err := p.Ask(ctx, img, q); fovea.Code(err) != "request.question" || !strings.Contains(err.Error(), "florence2") {
			t.Errorf("%q: %v", q, err)
		}
	}
}
