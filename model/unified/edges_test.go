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

// TestMaskness is the mean over what is inside the mask and the box, and a quarter where nothing is.
func TestMaskness(t *testing.T) {
	const side = 4
	mask := make([]float32, side*side)
	for i := range mask {
		mask[i] = -9
	}
	logit := func(p float64) float32 { return float32(math.Log(p / (1 - p))) }
	mask[5], mask[6], mask[15] = logit(.9), logit(.6), logit(.99) // the last lies outside the box
	box := annotation.Box{X0: .2, Y0: .2, X1: .8, Y1: .8}
	if got := maskness(mask, side, box); math.Abs(got-.75) > 1e-6 {
		t.Errorf("%g, want .75", got)
	}
	if got := maskness(mask, side, annotation.Box{X0: 0, Y0: .5, X1: .5, Y1: 1}); got != .25 {
		t.Errorf("without a mask %g, want .25", got)
	}
}

// TestVote: the boxes that lie about where a kept one does move it by their scores; other labels and places do not.
func TestVote(t *testing.T) {
	at := func(name int32, score, x float64) Detection {
		return Detection{Name: name, Score: score, Box: annotation.Box{X0: x, Y0: 0, X1: x + 1, Y1: 1}}
	}
	all := []Detection{at(1, .9, 0), at(2, .8, .1), at(1, .3, .1), at(1, .2, .9)}
	kept := []Detection{all[0], all[3]}
	vote(kept, all)
	if want := .3 * .1 / 1.2; math.Abs(kept[0].Box.X0-want) > 1e-9 || math.Abs(kept[0].Box.X1-1-want) > 1e-9 || kept[0].Box.Y1 != 1 {
		t.Errorf("moved to %v, want %g", kept[0].Box, want)
	}
	if kept[1].Box != all[3].Box || kept[0].Score != .9 {
		t.Errorf("%v", kept)
	}
}
