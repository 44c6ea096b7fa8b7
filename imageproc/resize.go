package imageproc

import (
	"fmt"

	"fovea/annotation"
)

// Resize scales a picture to w × h pixels, both at least 1. The result is equal, byte for byte, to Pillow's
// Image.resize for RGB without reducing_gap, because published models were trained on that: filters reach further when
// shrinking (antialiasing), and each of two passes, first along the rows, rounds to 8 bits with 22-bit weights.
// A picture that has the size already is copied.
func Resize(src *RGB, w, h int, f Filter) *RGB {
	return &RGB{w, h, ResizePixels(src.Pix, src.W, src.H, 3, whole(src.W, src.H), w, h, f)}
}

// ResizeBox scales a part of a picture to w × h pixels; the box may have fractions of a pixel (source pixels, inside
// the picture). It is Pillow's resize with the argument box.
func ResizeBox(src *RGB, box annotation.Box, w, h int, f Filter) *RGB {
	return &RGB{w, h, ResizePixels(src.Pix, src.W, src.H, 3, box, w, h, f)}
}

func whole(w, h int) annotation.Box { return annotation.Box{X1: float64(w), Y1: float64(h)} }

// ResizePixels scales interleaved 8-bit samples: channels is 1 (Pillow's mode L), 3 (RGB) or 4 (RGBA, whose colours are
// weighted by their alpha except with Nearest). pix holds channels·w·h bytes, and the result channels·ow·oh. A box that is
// empty or leaves the picture, or sizes below 1, are mistakes of the caller and panic.
func ResizePixels(pix []uint8, w, h, channels int, box annotation.Box, ow, oh int, f Filter) []uint8 {
	if w < 1 || h < 1 || ow < 1 || oh < 1 || len(pix) != channels*w*h {
		panic(fmt.Sprintf("imageproc: resize %d bytes, %d × %d × %d, to %d × %d", len(pix), w, h, channels, ow, oh))
	}
	if box.Empty() || box.X0 < 0 || box.Y0 < 0 || box.X1 > float64(w) || box.Y1 > float64(h) {
		panic(fmt.Sprintf("imageproc: resize box %v of a picture of %d × %d", box, w, h))
	}
	// Pillow's boxes are single precision.
	box = annotation.Box{X0: float64(float32(box.X0)), Y0: float64(float32(box.Y0)), X1: float64(float32(box.X1)), Y1: float64(float32(box.Y1))}
	if ow == w && oh == h && box == whole(w, h) {
		return append([]uint8(nil), pix...)
	}
	if f == Nearest {
		return nearest(pix, w, h, channels, box, ow, oh)
	}
	if channels == 4 {
		pix = premultiply(pix)
	}
	out := resample(pix, w, h, channels, box, ow, oh, f)
	if channels == 4 {
		unpremultiply(out)
	}
	return out
}

// nearest takes the source pixel under each output pixel's centre. The position is summed up step by step, as Pillow's
// affine transform does, so that ties fall alike.
func nearest(pix []uint8, w, h, c int, box annotation.Box, ow, oh int) []uint8 {
	steps := func(from, to float64, in, out int) []int {
		at := make([]int, out)
		step := (to - from) / float64(out)
		x := from + step*.5
		for i := range at {
			at[i] = min(int(x), in-1)
			x += step
		}
		return at
	}
	xs, ys := steps(box.X0, box.X1, w, ow), steps(box.Y0, box.Y1, h, oh)
	out := make([]uint8, 0, c*ow*oh)
	for _, y := range ys {
		row := pix[c*y*w:]
		for _, x := range xs {
			out = append(out, row[c*x:c*x+c]...)
		}
	}
	return out
}

// premultiply weights colours with alpha, as Pillow's mode RGBa.
func premultiply(p []uint8) []uint8 {
	o := make([]uint8, len(p))
	for i := 0; i < len(p); i += 4 {
		a := uint32(p[i+3])
		for c := i; c < i+3; c++ {
			o[c] = uint8(mulDiv255(uint32(p[c]), a))
		}
		o[i+3] = p[i+3]
	}
	return o
}

func unpremultiply(p []uint8) {
	for i := 0; i < len(p); i += 4 {
		if a := uint32(p[i+3]); a != 0 && a != 255 {
			for c := i; c < i+3; c++ {
				p[c] = uint8(min(255*uint32(p[c])/a, 255))
			}
		}
	}
}
