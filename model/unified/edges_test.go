package unified

import (
	"math"
	"testing"

	"fovea/annotation"
)

// TestExtent draws masks of known rectangles, covered cells by their share, and finds the edges again.
func TestExtent(t *testing.T) {
	const side = 16
	draw := func(b annotation.Box) []float32 {
		cover := func(i int, lo, hi float64) float64 {
			return max(0, min(hi*side, float64(i+1))-max(lo*side, float64(i)))
		}
		m := make([]float32, side*side)
		for y := range side {
			for x := range side {
				p := min(max(cover(x, b.X0, b.X1)*cover(y, b.Y0, b.Y1), 1e-6), 1-1e-6)
				m[y*side+x] = float32(math.Log(p / (1 - p)))
			}
		}
		return m
	}
	for _, want := range []annotation.Box{
		{X0: .25, Y0: .25, X1: .75, Y1: .5},
		{X0: .23, Y0: .11, X1: .64, Y1: .97},
		{X0: 0, Y0: 0, X1: 1, Y1: 1},
	} {
		guess := annotation.Box{X0: want.X0 - .03, Y0: want.Y0 + .02, X1: want.X1 + .01, Y1: want.Y1 - .02}
		got, ok := extent(draw(want), side, guess)
		for _, d := range []float64{got.X0 - want.X0, got.Y0 - want.Y0, got.X1 - want.X1, got.Y1 - want.Y1} {
			if !ok || math.Abs(d) > 1e-4 {
				t.Errorf("%v: found %v, %v", want, got, ok)
				break
			}
		}
	}
	far := annotation.Box{X0: .8, Y0: .8, X1: .95, Y1: .95}
	if got, ok := extent(draw(annotation.Box{X0: .1, Y0: .1, X1: .3, Y1: .3}), side, far); ok {
		t.Errorf("a mask that is elsewhere has the extent %v", got)
	}
	if _, ok := extent(draw(far), side, annotation.Box{X0: 1.2, Y0: .1, X1: 1.4, Y1: .2}); ok {
		t.Error("a box outside the picture has an extent")
	}
}
