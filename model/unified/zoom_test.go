package unified

import (
	"math"
	"testing"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/internal/kernel"
)

// TestPosesZoom: a small person is looked at in the enlarged surroundings, and the joints are where a look at that part alone
// finds them; a large one, one outside the picture and a picture that is not given are looked at once.
func TestPosesZoom(t *testing.T) {
	m := newTestModel(t, "tiny")
	_, exs := samples(t, m, 1)
	r := NewRunner(m, kernel.NewWork(nil))
	src := imageproc.NewRGB(200, 120)
	for i := range src.Pix {
		src.Pix[i] = exs[0].Image.Pix[i%len(exs[0].Image.Pix)]
	}
	look := func(img *imageproc.RGB, zoom bool, boxes ...annotation.Box) [][]annotation.Joint {
		square, g := m.Config.Fit().Apply(img)
		if !zoom {
			return r.PosesIn(r.Encode(square), g, nil, boxes)
		}
		return r.PosesIn(r.Encode(square), g, img, boxes)
	}
	small, large := annotation.Box{X0: 140, Y0: 60, X1: 160, Y1: 100}, annotation.Box{X0: 10, Y0: 5, X1: 190, Y1: 115}
	outside := annotation.Box{X0: 300, Y0: 60, X1: 310, Y1: 100}
	once, twice := look(src, false, large, small, outside), look(src, true, large, small, outside)
	part, x0, y0 := src.Crop(150-32, 80-32, 150+33, 80+33)
	want := look(part, false, annotation.Box{X0: small.X0 - float64(x0), Y0: small.Y0 - float64(y0), X1: small.X1 - float64(x0), Y1: small.Y1 - float64(y0)})[0]
	moved := 0.
	for j := range want {
		for _, i := range []int{0, 2} {
			if once[i][j] != twice[i][j] {
				t.Errorf("person %d was looked at twice: joint %d is %v, was %v", i, j, twice[i][j], once[i][j])
			}
		}
		x, y := want[j].X+float64(x0), want[j].Y+float64(y0)
		if math.Abs(twice[1][j].X-x) > 1e-3 || math.Abs(twice[1][j].Y-y) > 1e-3 {
			t.Errorf("joint %d is at %v, the part alone has it at %g, %g", j, twice[1][j], x, y)
		}
		moved += math.Abs(twice[1][j].X - once[1][j].X)
	}
	if moved == 0 {
		t.Error("the small person was not looked at again")
	}
}
