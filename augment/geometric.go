package augment

import (
	"math"
	"math/rand/v2"

	"fovea/annotation"
	"fovea/dataset"
)

// Geometric says how a picture is laid into the square that the model sees. Its zero value letterboxes: the largest size
// that fits, centred.
type Geometric struct {
	// Flip is the probability of mirroring left and right. Pictures that may not be mirrored are not.
	Flip float64
	// Scale is the range of sizes relative to the largest that fits, drawn with a uniform logarithm: below 1 the picture is
	// padded, above 1 cropped (large-scale jitter, Ghiasi et al. 2021). Zero means [1, 1].
	Scale [2]float64
	// Aspect a changes the ratio of width to height by a factor within [1/(1+a), 1+a].
	Aspect float64
	// Rotate is the largest angle in degrees, either way, about the middle of the square.
	Rotate float64
	// Translate is how far the picture leaves the middle: at 0 it is centred, at 1 it lies anywhere that leaves no more
	// padding than its size asks for.
	Translate float64
	// Shift is how far the picture is moved besides, either way and along both sides, in whole pixels of the square: pixels stay
	// as they are, where scaling would blur small pictures (padding and cropping, as He et al. 2016 do for 32 pixels).
	Shift int
	// Fill is the colour around the picture.
	Fill [3]uint8
	// MinVisible is the share of an object's box that must stay in view for the object to be kept; zero means 0.3.
	MinVisible float64
	// MinSize is the width and height in pixels of the square that a box must have to be kept; zero means 2.
	MinSize float64
}

// minVisible is the default of MinVisible.
const minVisible = .3

// mildScale is the least size of pictures with texts: what is asked about must stay large enough to be seen.
const mildScale = .75

// Sample draws a transform for an example into a square of side × side pixels.
//
// Here is the rule for texts: with questions or captions, "how many" and "is there" stay true only if nothing that they
// may be about leaves the picture, and "above" only if it stays upright. Then all boxes (where every object is boxed) or
// all of the picture is kept in view, scale is at least 0.75 and there is no rotation.
func (g Geometric) Sample(rng *rand.Rand, ex *dataset.Example, side int) Transform {
	lo, hi := g.Scale[0], g.Scale[1]
	if !(lo > 0 && hi >= lo) {
		lo, hi = 1, 1
	}
	// Always the same number of draws, so that settings do not shift the generator for what follows.
	flip, scale, aspect := rng.Float64() < g.Flip, lo*math.Pow(hi/lo, rng.Float64()), math.Pow(1+g.Aspect, rng.Float64()*2-1)
	angle := g.Rotate * (rng.Float64()*2 - 1)
	tx, ty := .5+g.Translate*(rng.Float64()-.5), .5+g.Translate*(rng.Float64()-.5)
	var sx, sy float64
	if g.Shift > 0 {
		sx, sy = float64(rng.IntN(2*g.Shift+1)-g.Shift), float64(rng.IntN(2*g.Shift+1)-g.Shift)
	}

	t := Transform{Side: side, Fill: g.Fill, MinVisible: or(g.MinVisible, minVisible), MinSize: or(g.MinSize, 2)}
	if ex.Image == nil || ex.Image.W <= 0 || ex.Image.H <= 0 {
		t.Affine = Affine{XX: 1, YY: 1}
		return t
	}
	s, w, h := float64(side), float64(ex.Image.W), float64(ex.Image.H)
	base := s / max(w, h)
	kx, ky := base*math.Sqrt(aspect), base/math.Sqrt(aspect)
	keep := annotation.Box{X0: w / 2, Y0: h / 2, X1: w / 2, Y1: h / 2}
	if hasText(&ex.Picture) {
		keep = subject(ex)
		scale = min(max(scale, mildScale), s/(kx*keep.W()), s/(ky*keep.H()))
		angle = 0
		t.KeepAll = true
	}
	kx, ky = kx*scale, ky*scale
	t.Affine = Affine{XX: kx, X0: place(s, w*kx, tx) + sx, YY: ky, Y0: place(s, h*ky, ty) + sy}
	if t.KeepAll {
		t.X0 = min(max(t.X0, -keep.X0*kx), s-keep.X1*kx)
		t.Y0 = min(max(t.Y0, -keep.Y0*ky), s-keep.Y1*ky)
	}
	if angle != 0 {
		t.Affine = t.Then(Rotation(angle, s/2, s/2))
	}
	if flip && mirrorable(&ex.Picture) {
		t.Mirrored = true
		t.Affine = t.Then(Affine{XX: -1, X0: s, YY: 1})
	}
	return t
}

// place puts a length into a frame: at 0 flush with the frame's start or, if it is longer, its end; at 1 the other way.
func place(frame, length, at float64) float64 { return (frame - length) * at }

// subject is what texts may be about: the boxes where all objects are boxed, else the whole picture.
func subject(ex *dataset.Example) annotation.Box {
	w, h := float64(ex.Image.W), float64(ex.Image.H)
	all := annotation.Box{X1: w, Y1: h}
	if ex.Labels&dataset.HasBoxes == 0 {
		return all
	}
	u := annotation.Box{X0: w, Y0: h}
	for _, o := range ex.Objects {
		b := o.Box.Clip(w, h)
		if !b.Finite() || b.Empty() {
			return all
		}
		u = annotation.Box{X0: min(u.X0, b.X0), Y0: min(u.Y0, b.Y0), X1: max(u.X1, b.X1), Y1: max(u.Y1, b.Y1)}
	}
	if u.Empty() {
		return all
	}
	return u
}

func hasText(p *annotation.Picture) bool { return len(p.Questions) > 0 || len(p.Captions) > 0 }

func or(v, d float64) float64 {
	if v == 0 {
		return d
	}
	return v
}
