package model

import (
	"math"

	"fovea/annotation"
	"fovea/internal/kernel"
)

// taps resizes an axis linearly, as torch.nn.functional.interpolate does with align_corners=False.
func taps(in, out int) []tap {
	t := make([]tap, out)
	scale := float32(in) / float32(out)
	for o := range t {
		at := max((float32(o)+.5)*scale-.5, 0)
		i := min(int(at), in-1)
		t[o] = tap{i, min(i+1, in-1), at - float32(i)}
	}
	return t
}

// lerp resizes a line.
func lerp(dst, src []float32, ts []tap) {
	for o, t := range ts {
		dst[o] = (1-t.w)*src[t.i] + t.w*src[t.j]
	}
}

// MaskFrame is how a picture lies in the square that a network looks at, at the top left, for masks that are resized twice, as the
// reference does: to the square, of which the part that is picture is then resized to the picture. It works column by column, the order
// of run lengths, so that nothing of the picture's size is in memory. See MaskRLE for masks that are resized once.
type MaskFrame struct {
	w, h int
	x, y axis
}

// axis is one axis of it: from a mask to the part of the square, and from there to the pixels.
type axis struct{ up, back []tap }

// NewMaskFrame is that of a picture of w × h pixels, which fills inW × inH pixels of a square of so many; masks have side × side cells.
func NewMaskFrame(side, square, inW, inH, w, h int) *MaskFrame {
	up := taps(side, square)
	return &MaskFrame{w, h, axis{up[:inW], taps(inW, w)}, axis{up[:inH], taps(inH, h)}}
}

// Columns lays a mask [side, side] out column by column, as those of frames are.
func Columns(dst, mask []float32, side int) {
	for i, v := range mask {
		dst[i%side*side+i/side] = v
	}
}

// Mask is the pixels at which the logits of a mask, column by column, are positive, and their mean probability.
func (f *MaskFrame) Mask(logits []float32) (annotation.RLE, float32) {
	var strokes Strokes
	r := f.reader(logits)
	sum, n := 0., 0
	for x := range f.w {
		for y, v := range r.column(x) {
			if v > 0 {
				strokes.Add(x*f.h + y)
				sum += Sigmoid(v)
				n++
			}
		}
	}
	return strokes.Mask(f.w, f.h), float32(sum / (float64(n) + 1e-6))
}

// maskReader holds a mask and the lines that it passes through on its way to the pixels.
type maskReader struct {
	f         *MaskFrame
	logits    []float32
	side      int
	thin, mid []float32
	line      []float32 // logits of the pixels of the column that was read last
}

func (f *MaskFrame) reader(logits []float32) *maskReader {
	side := int(math.Sqrt(float64(len(logits))))
	return &maskReader{f, logits, side, make([]float32, side), make([]float32, len(f.y.up)), make([]float32, f.h)}
}

// column gives the logits at the pixels of column x; they last until the next one.
func (r *maskReader) column(x int) []float32 {
	t := r.f.x.back[x]
	clear(r.thin)
	for _, c := range []struct {
		at int
		w  float32
	}{{t.i, 1 - t.w}, {t.j, t.w}} {
		u := r.f.x.up[c.at]
		kernel.Axpy(c.w*(1-u.w), r.logits[u.i*r.side:][:r.side], r.thin)
		kernel.Axpy(c.w*u.w, r.logits[u.j*r.side:][:r.side], r.thin)
	}
	lerp(r.mid, r.thin, r.f.y.up)
	lerp(r.line, r.mid, r.f.y.back)
	return r.line
}
