package imageproc

import "math"

// Warp cuts an upright part out of a picture and scales it: pixel (x, y) of the result is the source at column
// x·scaleX + shiftX and row y·scaleY + shiftY, whole numbers being the pixels' centres. It interpolates linearly; what lies
// beyond the outermost centres is black. It equals scipy.ndimage.affine_transform of order 1, which published models of
// poses cut people out with.
func Warp(src *RGB, w, h int, scaleX, shiftX, scaleY, shiftY float64) *RGB {
	out := NewRGB(w, h)
	xs := make([]warpTap, w)
	for x := range xs {
		xs[x] = newWarpTap(float64(float64(x)*scaleX)+shiftX, src.W)
	}
	for y := range h {
		v := newWarpTap(float64(float64(y)*scaleY)+shiftY, src.H)
		if v.at < 0 {
			continue
		}
		a, b := src.Pix[3*v.at*src.W:][:3*src.W], src.Pix[3*v.next*src.W:][:3*src.W]
		o := out.Pix[3*y*w:][:3*w]
		for x, u := range xs {
			if u.at < 0 {
				continue
			}
			for c := range 3 {
				top := float64((1-u.t)*float64(a[3*u.at+c])) + float64(u.t*float64(a[3*u.next+c]))
				low := float64((1-u.t)*float64(b[3*u.at+c])) + float64(u.t*float64(b[3*u.next+c]))
				o[3*x+c] = uint8(float64((1-v.t)*top) + float64(v.t*low) + .5)
			}
		}
	}
	return out
}

// warpTap is a place between two of n samples, or at = −1 outside.
type warpTap struct {
	at, next int
	t        float64
}

func newWarpTap(p float64, n int) warpTap {
	if !(p >= 0 && p <= float64(n-1)) {
		return warpTap{at: -1}
	}
	f := math.Floor(p)
	return warpTap{int(f), min(int(f)+1, n-1), p - f}
}
