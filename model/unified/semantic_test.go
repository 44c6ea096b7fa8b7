package unified

import (
	"testing"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/task"
)

// halves is a picture of the model's size, one half of it bright, and its label map: 0 where it is dark and 1 where it is
// bright, nothing in the lowest quarter.
func halves(m *Model, left bool) (*imageproc.RGB, *annotation.LabelMap) {
	s := m.Config.Size
	img, pixels := imageproc.NewRGB(s, s), &annotation.LabelMap{W: s, H: s, Pix: make([]uint8, s*s)}
	for i := range pixels.Pix {
		if bright := i%s < s/2 == left; bright {
			img.Pix[3*i], img.Pix[3*i+1], img.Pix[3*i+2] = 220, 210, 200
			pixels.Pix[i] = 1
		}
		if i/s >= 3*s/4 {
			pixels.Pix[i] = annotation.Void
		}
	}
	return img, pixels
}

// TestLearnsPixels: a few steps teach which half is which, to one set under two names and to another under three; pixels of a
// picture of any size are then told apart, by names in any order.
func TestLearnsPixels(t *testing.T) {
	m := newTestModel(t, "tiny")
	c := m.Config
	c.Pixels = []string{"star", "ring", "moon"}
	if m.Divides() {
		t.Error("a model without classes of pixels divides pictures")
	}
	m, err := m.Regrown(c, 1)
	if err != nil || !m.Divides() {
		t.Fatal(err)
	}
	ids := m.Names.AddAll(c.Pixels)
	var batch []*task.Sample
	for i := range 4 {
		img, pixels := halves(m, i%2 == 0)
		names := ids[:2]
		if i >= 2 { // another set, that knows more
			names = []int32{ids[0], ids[1], ids[2]}
		}
		batch = append(batch, &task.Sample{Image: img, Pixels: pixels, PixelNames: names})
	}
	img, _ := halves(m, true)
	batch = append(batch, &task.Sample{Image: img}) // nothing is labelled here
	if first, last := learnBatch(t, m, batch, 60); !(last < first/4) {
		t.Errorf("the loss went from %g to %g", first, last)
	}
	tape := autograd.NewTape(kernel.NewWork(nil), 0, true)
	var sc Scratch
	step := func() {
		tape.Reset()
		loss, parts := m.Loss(tape, batch, DefaultWeights, nil, &sc)
		tape.Backward(loss, 1)
		if len(parts) != 2 || parts[0].Name != "pixel.class" || parts[1].Name != "pixel.dice" {
			t.Errorf("parts %v", parts)
		}
	}
	step()
	step()
	if n := testing.AllocsPerRun(3, step); n != 0 {
		t.Errorf("a step makes %v allocations", n)
	}
	r := NewRunner(m, kernel.NewWork(nil))
	square, _ := halves(m, false)
	wide := imageproc.Resize(square, 50, 30, imageproc.Bilinear)
	fitted, g := m.Config.Fit().Apply(wide)
	p := r.Encode(fitted)
	for _, names := range [][]int32{nil, {ids[1], ids[0]}} {
		got, err := r.Divide(p, g, names)
		if err != nil || got.W != 50 || got.H != 30 {
			t.Fatalf("%v, %v", got, err)
		}
		right := 0
		for i, v := range got.Pix {
			bright := i%50 >= 25
			if want := (bright != (names != nil)); want == (v == 1) && v < 2 {
				right++
			}
		}
		if right < 1300 {
			t.Errorf("%d of 1500 pixels are right", right)
		}
	}
	if _, err := r.Divide(p, g, make([]int32, 256)); err == nil {
		t.Error("256 classes fit into a label map")
	}
}

// TestCellsOfPixels: a cell's target is the share of each class among its labelled pixels.
func TestCellsOfPixels(t *testing.T) {
	const void = annotation.Void
	s := &task.Sample{Pixels: &annotation.LabelMap{W: 4, H: 4, Pix: []uint8{
		0, 1, void, void,
		1, 1, void, void,
		void, 2, 7, 2,
		void, void, 2, 0,
	}}, PixelNames: []int32{11, 5, 9}}
	q := pixelScratch{words: make([][]int32, 4), column: map[int32]int32{5: 0, 9: 1, 11: 3}}
	target, weight := make([]float32, 16), make([]float32, 4)
	if sum := q.cells(s, 2, target, weight); sum != 1+.25+.75 {
		t.Errorf("%g cells are labelled", sum)
	}
	want := []float32{.75, 0, 0, .25, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2. / 3, 0, 1. / 3}
	for i, v := range target {
		if v-want[i] > 1e-6 || want[i]-v > 1e-6 {
			t.Errorf("targets %v, want %v", target, want)
			break
		}
	}
	if weight[0] != 1 || weight[1] != 0 || weight[2] != .25 || weight[3] != .75 {
		t.Errorf("weights %v", weight)
	}
}
