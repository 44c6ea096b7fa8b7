package fovea

import (
	"errors"
	"math"
	"testing"

	"fovea/imageproc"
	"fovea/task"
)

// TestViews: scores and vectors are the mean of what each view gets by itself, whatever the number of labels printed; what views cannot do is
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
	var mean []float64
	square := 0.
	for i := range n {
		v, err := p.Embed(t.Context(), img.View(i))
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			mean = make([]float64, len(v))
		}
		for k, x := range v {
			mean[k] += float64(x)
		}
	}
	for _, x := range mean {
		square += x * x
	}
	if r, err = p.Do(t.Context(), Request{Image: img, Tasks: task.SetOf(task.Match), Views: n}); err != nil {
		t.Fatal(err)
	}
	for k, x := range r.Vector {
		if math.Abs(float64(x)-mean[k]/math.Sqrt(square)) > 1e-6 {
			t.Fatalf("number %d of the vector is %g, want %g", k, x, mean[k]/math.Sqrt(square))
		}
	}
	for _, bad := range []Request{{Tasks: task.SetOf(task.Classify), Views: imageproc.MaxViews + 1}, {Tasks: task.SetOf(task.Detect), Views: 2}} {
		var e *Error
		bad.Image = img
		if _, err := p.Do(t.Context(), bad); !errors.As(err, &e) || e.Code != "request.views" {
			t.Errorf("views %d of %v: %v", bad.Views, bad.Tasks, err)
		}
	}
}
