package unified

import (
	"math"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/task"
)

// TestSmoothsClasses: of the loss of a picture's class, the smoothed share is the mean over the labels that its data set knows.
func TestSmoothsClasses(t *testing.T) {
	m := newTestModel(t, "tiny")
	img, _ := halves(m, true)
	choices := m.DefaultClasses()[:3]
	g := task.ClassifyPrompt(m.Vocab)
	other := &task.Sample{Image: img, Class: []task.Share{{Name: m.DefaultClasses()[5], Weight: 1}}, ClassChoices: m.DefaultClasses()[4:7], Groups: []task.Group{g}}
	loss := func(label int32, smooth float32) float64 {
		w := DefaultWeights
		w.Smooth, w.Classify = smooth, 1
		tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
		var sc Scratch
		_, parts := m.Loss(tape, []*task.Sample{{Image: img, Class: []task.Share{{Name: label, Weight: 1}}, ClassChoices: choices, Groups: []task.Group{g}}, other}, w, nil, &sc)
		return float64(parts[0].Value)
	}
	// The other picture's half of the loss is the same for all labels, so that differences leave it out.
	a, b := loss(choices[0], 0), loss(choices[1], 0)
	if a-b < 1e-4 && b-a < 1e-4 {
		t.Fatalf("two labels have one loss, %g", a)
	}
	for _, smooth := range []float32{.25, .5, .75} {
		if got, want := loss(choices[0], smooth)-loss(choices[1], smooth), float64(1-smooth)*(a-b); math.Abs(got-want) > 1e-4 {
			t.Errorf("smoothed by %g, the losses of two labels differ by %g, want %g", smooth, got, want)
		}
	}
	if v := loss(choices[0], .5); math.IsNaN(v) || math.IsInf(v, 0) {
		t.Errorf("the smoothed loss is %v", v)
	}
}
