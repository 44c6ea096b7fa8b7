package imageproc

import "testing"

// The hottest cell is the lightest and most coloured place, colours go from dark to light, and a grid that does not fit changes nothing.
func TestHeat(t *testing.T) {
	img := NewRGB(40, 20)
	for i := range img.Pix {
		img.Pix[i] = 120
	}
	out := Heat(img, 1, 2, []float64{0, 3})
	at := func(m *RGB, x, y int) [3]uint8 { return [3]uint8(m.Pix[3*(y*m.W+x):]) }
	cold, hot := at(out, 5, 10), at(out, 35, 10)
	if luma(cold) >= luma(hot) || hot[2] >= hot[0] || at(img, 5, 10) != [3]uint8{120, 120, 120} {
		t.Errorf("cold %v, hot %v, the picture %v", cold, hot, at(img, 5, 10))
	}
	last := -1
	for i := range 101 {
		c := HeatColor(float64(i) / 100)
		if l := luma(c); l < last {
			t.Fatalf("%d %% is darker (%d) than what is colder (%d)", i, l, last)
		} else {
			last = l
		}
	}
	if HeatColor(-1) != HeatColor(0) || HeatColor(9) != HeatColor(1) {
		t.Error("values beyond the ends have other colours")
	}
	for _, values := range [][]float64{nil, {1}, {2, 2}} {
		if m := Heat(img, 1, 2, values); m.W != 40 || len(values) < 2 && at(m, 0, 0) != at(img, 0, 0) {
			t.Errorf("%v: %v", values, at(m, 0, 0))
		}
	}
}
