package unified

import (
	"math"
	"testing"

	"fovea/annotation"
	"fovea/internal/kernel"
)

// TestMirroredPoses: with its mirror image a picture and that image have the same joints, mirrored, left for right; without it they have not.
func TestMirroredPoses(t *testing.T) {
	m := newTestModel(t, "tiny")
	_, scenes := samples(t, m, 1)
	img, _ := m.Config.Fit().Apply(scenes[0].Image)
	r := NewRunner(m, kernel.NewWork(nil))
	boxes := []annotation.Box{{X0: .1, Y0: .2, X1: .6, Y1: .9}, {X0: .3, Y0: .1, X1: .95, Y1: .8}}
	turned := []annotation.Box{{X0: .4, Y0: .2, X1: .9, Y1: .9}, {X0: .05, Y0: .1, X1: .7, Y1: .8}}
	far := func(a, b [][]annotation.Joint) (most float64) {
		for i := range a {
			for k, j := range a[i] {
				o := b[i][annotation.COCO17.Flip[k]]
				most = max(most, math.Abs(j.X-(1-o.X)), math.Abs(j.Y-o.Y), math.Abs(j.Score-o.Score))
			}
		}
		return most
	}
	once := far(r.Poses(r.Encode(img), boxes), r.Poses(r.Encode(img.View(1)), turned))
	twice := far(r.Poses(r.EncodeMirrored(img), boxes), r.Poses(r.EncodeMirrored(img.View(1)), turned))
	if once < 1e-3 || twice > 1e-4 {
		t.Errorf("mirror images differ by %g, and by %g when each knows the other; want that to be nothing", once, twice)
	}
}
