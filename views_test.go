package fovea

import (
	"errors"
	"math"
	"testing"

	"fovea/imageproc"
	"fovea/task"
)

// TestViews: the scores are the mean of what each view gets by itself, whatever the number of labels printed; what views cannot do is
// refused by name.
func TestViews(t *testing.T) {
	p, err := Open(background, "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	img := scene(t, 3, 256)
	labels := []string{"cat", "person", "star", "ring"}
	want := map[string]float64{}
	const n = 4
	for i := range n {
		cs, err := p.Classify(t.Context(), img.View(i), labels...)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cs {
			want[c.Label] += c.Score / n
		}
	}
	ask := Request{Image: img, Tasks: task.SetOf(task.Classify), Labels: labels, Views: n, Top: 3}
	r, err := p.Do(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Classes) != 3 {
		t.Fatalf("%d labels, want 3", len(r.Classes))
	}
	last := 1.
	for _, c := range r.Classes {
		if math.Abs(c.Score-want[c.Label]) > 1e-6 || c.Score > last {
			t.Errorf("%s has %g, want %g", c.Label, c.Score, want[c.Label])
		}
		last = c.Score
	}
	for _, bad := range []Request{{Tasks: task.SetOf(task.Classify), Views: imageproc.MaxViews + 1}, {Tasks: task.SetOf(task.Detect), Views: 2}} {
		var e *Error
		bad.Image = img
		if _, err := p.Do(t.Context(), bad); !errors.As(err, &e) || e.Code != "request.views" {
			t.Errorf("views %d of %v: %v", bad.Views, bad.Tasks, err)
		}
	}
}
