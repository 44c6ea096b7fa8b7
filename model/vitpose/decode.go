package vitpose

import (
	"math"

	"fovea/annotation"
	"fovea/autograd"
	"fovea/imageproc"
	"fovea/model"
)

// crop is the part of a picture that is cut out around a box: its centre and size, pixels, in the single precision that
// the reference computes with.
type crop struct {
	x, y, w, h float32
	outW, outH int
}

// newCrop widens a box to the shape of the input, and by a quarter.
func newCrop(b annotation.Box, outW, outH int) crop {
	w, h := max(b.W(), 1e-3), max(b.H(), 1e-3) // a box without area is a point
	c := crop{x: float32(b.X0 + w*.5), y: float32(b.Y0 + h*.5), outW: outW, outH: outH}
	if shape := float64(outW) / float64(outH); w > shape*h {
		h = w / shape
	} else if w < shape*h {
		w = h * shape
	}
	const unit, margin = 200, 1.25 // a length is stored in units of 200 pixels
	c.w, c.h = float32(w/unit)*margin*unit, float32(h/unit)*margin*unit
	return c
}

// cut cuts the part out. Corners go to the centres of the corner pixels ("unbiased data processing", Huang et al. 2020).
func (c crop) cut(img *imageproc.RGB) *imageproc.RGB {
	sx, tx := axis(c.x, c.w, c.outW)
	sy, ty := axis(c.y, c.h, c.outH)
	return imageproc.Warp(img, c.outW, c.outH, sx, tx, sy, ty)
}

// axis leads from pixels of the cut to pixels of the picture along one axis.
func axis(center, size float32, n int) (scale, shift float64) {
	k := float64(n-1) / float64(size)
	forth, move := float32(k), float32(k*float64(float32(-.5*(center*2))+float32(.5*size)))
	scale = 1 / float64(forth)
	return scale, -float64(move) * scale
}

// Decode reads the joints off heat maps [K, h, w] of a box: pixels of the picture. The best cell is refined by a step of
// Newton's method on the logarithm of the smoothed map (DARK, Zhang et al. 2020); its value is the score.
func (m *Model) Decode(heat []float32, h, w int, box annotation.Box) []annotation.Joint {
	c := newCrop(box, m.pixels.Width, m.pixels.Height)
	kx, ky := c.w/float32(w-1), c.h/float32(h-1)
	out := make([]annotation.Joint, len(heat)/(h*w))
	for i := range out {
		one := heat[i*h*w : (i+1)*h*w]
		x, y, score := peak(one, h, w)
		out[i] = annotation.Joint{X: float64(x*kx + c.x - c.w*.5), Y: float64(y*ky + c.y - c.h*.5), V: annotation.Visible, Score: float64(score)}
	}
	return out
}

// peak is the place of a map's maximum, finer than a cell, and its value.
func peak(heat []float32, h, w int) (x, y, score float32) {
	best := 0
	for i, v := range heat {
		if v > heat[best] {
			best = i
		}
	}
	smooth := gaussian(heat, h, w)
	at := func(dx, dy int) float64 { // beyond the edge, the edge
		v := smooth[min(max(best/w+dy, 0), h-1)*w+min(max(best%w+dx, 0), w-1)]
		return float64(float32(math.Log(float64(min(max(v, .001), 50)))))
	}
	dx, dy := .5*(at(1, 0)-at(-1, 0)), .5*(at(0, 1)-at(0, -1))
	mid := at(0, 0)
	dxx, dyy := at(1, 0)-2*mid+at(-1, 0), at(0, 1)-2*mid+at(0, -1)
	dxy := .5 * (at(1, 1) - at(1, 0) - at(0, 1) + mid + mid - at(-1, 0) - at(0, -1) + at(-1, -1))
	const eps = 0x1p-23
	dxx, dyy = dxx+eps, dyy+eps
	x, y = float32(best%w), float32(best/w)
	if det := dxx*dyy - dxy*dxy; det != 0 {
		x = float32(float64(x) - (dyy*dx-dxy*dy)/det)
		y = float32(float64(y) - (dxx*dy-dxy*dx)/det)
	}
	return x, y, heat[best]
}

// gaussian smooths a map with σ = 0.8 over 11 × 11 cells, first down, then across; the edges are reflected, as in
// scipy.ndimage.gaussian_filter.
func gaussian(x []float32, h, w int) []float32 {
	const radius, sigma = 5, .8
	var k [2*radius + 1]float64
	sum := 0.
	for i := range k {
		d := float64(i - radius)
		k[i] = math.Exp(-.5 / (sigma * sigma) * d * d)
		sum += k[i]
	}
	pass := func(x []float32, lines, n, line, step int) []float32 {
		y := make([]float32, len(x))
		for l := range lines {
			for i := range n {
				s := 0.
				for j, v := range k {
					s += v / sum * float64(x[l*line+reflect(i+j-radius, n)*step])
				}
				y[l*line+i*step] = float32(s)
			}
		}
		return y
	}
	return pass(pass(x, w, h, 1, w), h, w, w, 1)
}

// reflect folds a place back into 0 … n−1: … 1 0 | 0 1 … n−1 | n−1 n−2 …
func reflect(i, n int) int {
	i = ((i % (2 * n)) + 2*n) % (2 * n)
	return min(i, 2*n-1-i)
}

// NewRunner implements model.Model. There is nothing to do before boxes are known.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewRunner(threads, func(w *model.Worker, img *imageproc.RGB) (model.View, error) {
		return &view{m: m, w: w, img: img}, nil
	})
}

type view struct {
	model.Nothing
	m    *Model
	w    *model.Worker
	img  *imageproc.RGB
	flip bool
}

// Flip implements model.Flipper.
func (v *view) Flip() { v.flip = true }

// maps are the heat maps of the people in some boxes, [B, K, h, w]; in the tape's memory.
func (v *view) maps(boxes []annotation.Box) (*autograd.Value, error) {
	m := v.m
	in, err := m.Process(model.Sample{Pictures: []*imageproc.RGB{v.img}, Boxes: [][]annotation.Box{boxes}})
	if err != nil {
		return nil, err
	}
	if v.flip {
		var pairs []float32
		for a, b := range m.skeleton.Flip {
			if a < b {
				pairs = append(pairs, float32(a), float32(b))
			}
		}
		in.Put("flip_pairs", pairs, len(pairs)/2, 2)
	}
	v.w.Tape.Reset()
	out := m.Run(v.w.Tape, in)
	heat := out["heatmaps"]
	if v.flip {
		for i, x := range out["heatmaps_flipped"].Data {
			heat.Data[i] = (heat.Data[i] + x) / 2
		}
	}
	return heat, nil
}

// together is how many people are looked at in one pass.
const together = 8

// Pose implements model.View. Joints are clipped to the picture, scores to [0, 1].
func (v *view) Pose(boxes []annotation.Box) [][]annotation.Joint {
	var out [][]annotation.Joint
	for from := 0; from < len(boxes); from += together {
		some := boxes[from:min(from+together, len(boxes))]
		heat, err := v.maps(some)
		if err != nil { // of a box that is not finite
			return append(out, make([][]annotation.Joint, len(boxes)-from)...)
		}
		n := len(heat.Data) / len(some)
		for i, b := range some {
			joints := v.m.Decode(heat.Data[i*n:(i+1)*n], heat.Shape[2], heat.Shape[3], b)
			for j := range joints {
				p := &joints[j]
				p.X, p.Y = min(max(p.X, 0), float64(v.img.W)), min(max(p.Y, 0), float64(v.img.H))
				p.Score = min(max(p.Score, 0), 1)
			}
			out = append(out, joints)
		}
	}
	return out
}
