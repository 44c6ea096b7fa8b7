package imageproc

import (
	"fmt"
	"math"
)

// ResizePlanes scales float32 planes: src holds channels planes of h × w values, row by row, and the result channels
// planes of oh × ow. Values are neither rounded nor clipped.
//
// With antialias it is torchvision's resize (and torch's interpolate) with antialias=True, which weights samples as Pillow
// does; without it, it is torch.nn.functional.interpolate with align_corners=False, for Bilinear and Bicubic (whose slope
// is -0.75 there, not -0.5). Position tables, masks and float pictures of published models need one or the other.
// Nearest, or another filter without antialias, is a mistake of the caller and panics, as do wrong sizes.
func ResizePlanes(src []float32, channels, h, w, oh, ow int, f Filter, antialias bool) []float32 {
	if h < 1 || w < 1 || oh < 1 || ow < 1 || len(src) != channels*h*w {
		panic(fmt.Sprintf("imageproc: resize %d values, %d × %d × %d, to %d × %d", len(src), channels, h, w, oh, ow))
	}
	if f == Nearest || !antialias && f != Bilinear && f != Bicubic {
		panic(fmt.Sprintf("imageproc: resize planes with the filter %v, antialias %v", f, antialias))
	}
	kx, ky := planeTaps(w, ow, f, antialias), planeTaps(h, oh, f, antialias)
	out := make([]float32, 0, channels*oh*ow)
	mid := make([]float32, h*ow)
	for c := range channels {
		plane := src[c*h*w:][:h*w]
		for y := range h {
			row := plane[y*w:][:w]
			for x, k := range kx {
				mid[y*ow+x] = k.sum(row, 1, 0)
			}
		}
		for _, k := range ky {
			for x := range ow {
				out = append(out, k.sum(mid, ow, x))
			}
		}
	}
	return out
}

// planeTap holds the source samples of one output sample and their weights.
type planeTap struct {
	at []int
	k  []float32
}

func (t planeTap) sum(p []float32, step, from int) (s float32) {
	for i, at := range t.at {
		s += t.k[i] * p[at*step+from]
	}
	return s
}

func planeTaps(in, out int, f Filter, antialias bool) []planeTap {
	taps := make([]planeTap, out)
	scale := float64(in) / float64(out)
	fn, support := f.kernel()
	stretch := max(scale, 1)
	if !antialias {
		stretch = 1
		if f == Bicubic {
			fn = cubic(-.75)
		}
	}
	for i := range taps {
		center := (float64(i) + .5) * scale
		lo, hi := int(math.Floor(center-support*stretch+.5)), int(math.Floor(center+support*stretch+.5))
		if antialias {
			lo, hi = max(lo, 0), min(hi, in)
		}
		sum := 0.0
		for j := lo; j < hi; j++ { // without antialias, samples beyond the edge repeat it
			sum += fn((float64(j) - center + .5) / stretch)
		}
		for j := lo; j < hi; j++ {
			taps[i].at = append(taps[i].at, min(max(j, 0), in-1))
			taps[i].k = append(taps[i].k, float32(fn((float64(j)-center+.5)/stretch)/sum))
		}
	}
	return taps
}
