package nn

import (
	"math"
	"slices"
	"testing"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// TestBinDistances: bins lie symmetrically around none, ever farther apart, the outermost at twice the bound.
func TestBinDistances(t *testing.T) {
	w := binDistances(8, .5, 4)
	if len(w) != 9 || w[4] != 0 || w[8] != 4 || math.Abs(float64(w[7])-(math.Pow(3, 2./6*3)-1)) > 1e-6 {
		t.Errorf("%v", w)
	}
	for i, v := range w {
		if v != -w[8-i] || i > 0 && v <= w[i-1] {
			t.Errorf("%v: number %d", w, i)
		}
	}
}

func TestAnchors(t *testing.T) {
	boxes, valid := Anchors([][2]int{{1, 2}, {1, 1}, {1, 100}})
	if len(valid) != 103 || len(boxes) != 4*103 {
		t.Fatalf("%d boxes of %d", len(boxes), len(valid))
	}
	for i, want := range [][4]float32{{.25, .5, .05, .05}, {.75, .5, .05, .05}, {.5, .5, .1, .1}} {
		for j, v := range want {
			if !valid[i] || math.Abs(float64(sigmoid(boxes[4*i+j])-v)) > 1e-6 {
				t.Errorf("anchor %d: %v, want %v", i, boxes[4*i:4*i+4], want)
			}
		}
	}
	if valid[3] || !valid[4] || valid[102] || sigmoid(boxes[12]) != 1 {
		t.Error("the first and the last of a hundred places in a row touch the edge")
	}
}

// TestRefine: boxes that nothing moves stay where they are, but for those at an end, which are taken for a little inside.
func TestRefine(t *testing.T) {
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	boxes, want := []float32{.01, .3, .5, .99, -3, 0, 1, 7}, []float32{.01, .3, .5, .99, 1e-5, 1e-5, 1 - 1e-5, 1 - 1e-5}
	got := Refine(tape.Input(boxes, 2, 4), tape.Input(make([]float32, 8), 2, 4)).Data
	for i, v := range got {
		if math.Abs(float64(v-want[i])) > 1e-6 {
			t.Errorf("%g becomes %g, want %g", boxes[i], v, want[i])
		}
	}
	moved := RefineAnchors([]float32{9, 9, 9, 9, 0, 1, -1, 0}, []int{1}, tape.Input([]float32{0, -1, 1, 2}, 1, 4)).Data
	if !slices.Equal(moved, []float32{.5, .5, .5, sigmoid(2)}) {
		t.Errorf("an anchor becomes %v", moved)
	}
}

// TestTop: the largest come first, equals in their order, and there are never more than there are numbers.
func TestTop(t *testing.T) {
	numbers := []float32{2, 5, 2, 7}
	for k, want := range map[int][]int{0: {}, 2: {3, 1}, 3: {3, 1, 0}, 9: {3, 1, 0, 2}} {
		if got := Top(4, k, func(i int) float32 { return numbers[i] }); !slices.Equal(got, want) {
			t.Errorf("%d of them: %v, want %v", k, got, want)
		}
	}
}

// TestInterleave lists rows picture by picture.
func TestInterleave(t *testing.T) {
	tape := autograd.NewTape(kernel.NewWork(nil), 0, false)
	got := Interleave(2, tape.Input([]float32{1, 2, 3, 4}, 2, 2, 1, 1), tape.Input([]float32{5, 6}, 2, 1))
	if !slices.Equal(got.Data, []float32{1, 2, 5, 3, 4, 6}) {
		t.Errorf("%v", got.Data)
	}
}
