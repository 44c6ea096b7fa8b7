package imageproc

import (
	"fmt"
	"math"
)

// Apply resizes, cuts and normalises a picture of at least 1 × 1 pixels. The result holds h × w pixels of three numbers,
// channels last, and the geometry says how the picture lies in them. A picture whose shape is so extreme that it would
// become enormous, or vanish, is an error.
func (p *Processor) Apply(img *RGB) (pixels []float32, w, h int, g Geometry, err error) {
	if p.Class == "Owlv2" {
		return p.owl(img)
	}
	w, h = p.Scaled(img.W, img.H)
	if w < 1 || h < 1 || w > maxInput/h {
		return nil, 0, 0, g, fmt.Errorf("imageproc: a picture of %d × %d pixels would be resized to %d × %d; crop it to a less extreme shape", img.W, img.H, w, h)
	}
	g = Geometry{img.W, img.H, w, h, float64(w) / float64(img.W), float64(h) / float64(img.H), 0, 0}
	out := Resize(img, w, h, p.Filter)
	if p.CropHeight > 0 {
		x, y := cropAt(w, p.CropWidth), cropAt(h, p.CropHeight)
		cut := NewRGB(p.CropWidth, p.CropHeight)
		cut.paste(out, -x, -y)
		out, w, h = cut, p.CropWidth, p.CropHeight
		g.DstW, g.DstH, g.PadX, g.PadY = w, h, float64(-x), float64(-y)
	}
	return p.Normalize(out), w, h, g, nil
}

// cropAt is where a cut of length n begins in a side of length m. It is below 0 when the side is shorter: then black
// margins are added, the first no smaller than the last.
func cropAt(m, n int) int {
	if m >= n {
		return (m - n) / 2
	}
	return -((n - m + 1) / 2)
}

// Normalize writes (byte·Rescale − Mean)/Std of every sample, channels last.
func (p *Processor) Normalize(img *RGB) []float32 {
	var t [3][256]float32
	for c := range t {
		for v := range t[c] {
			t[c][v] = (float32(float64(v)*p.Rescale) - p.Mean[c]) / p.Std[c]
		}
	}
	out := make([]float32, len(img.Pix))
	for i, v := range img.Pix {
		out[i] = t[i%3][v]
	}
	return out
}

// Scaled is the size that a picture of w × h pixels is resized to, before it is cut.
func (p *Processor) Scaled(w, h int) (int, int) {
	switch {
	case p.MaxPatches > 0:
		return p.patches(w, h)
	case p.Height > 0:
		return p.Width, p.Height
	case p.Shortest == 0:
		return w, h
	}
	var short, long int
	if a, b := min(w, h), max(w, h); p.Class == "Vilt" {
		short, long = p.vilt(a, b)
	} else {
		short, long = p.detr(a, b, w < h)
	}
	if p.Multiple > 1 {
		short, long = short/p.Multiple*p.Multiple, long/p.Multiple*p.Multiple
	}
	if w <= h {
		return short, long
	}
	return long, short
}

// detr is how DETR and its kin, and without a bound of the longer side CLIP and its kin, scale sides a ≤ b.
func (p *Processor) detr(a, b int, portrait bool) (short, long int) {
	size := float64(p.Shortest)
	if l := float64(p.Longest); l > 0 && float64(b)/float64(a)*size > l {
		size = l * float64(a) / float64(b)
	}
	if short = int(math.RoundToEven(size)); short == a && p.Longest > 0 && !portrait {
		return a, b
	}
	return short, whole32(size * float64(b) / float64(a))
}

// vilt is how ViLT scales: the longer side to no more than 1333/800 of the shorter side's length.
func (p *Processor) vilt(a, b int) (short, long int) {
	s, l := float64(p.Shortest), float64(p.Shortest)/float64(a)*float64(b)
	if limit := float64(int(1333. / 800 * s)); l > limit {
		scale := limit / l
		s, l = scale*s, scale*l
	}
	return whole32(s + .5), whole32(l + .5)
}

// whole32 cuts the fraction off, and what no picture can have.
func whole32(v float64) int { return int(min(v, math.MaxInt32)) }

// patches is the largest size in whole patches, no more than MaxPatches of them, that a picture can be scaled to, found by
// bisection (SigLIP 2, Tschannen et al. 2025, "NaFlex").
func (p *Processor) patches(w, h int) (int, int) {
	side := func(scale float64, n int) int {
		return max(int(math.Ceil(float64(n)*scale/float64(p.Patch))), 1) * p.Patch
	}
	const eps = 1e-5
	lo, hi := eps/10, 100.
	for hi-lo >= eps {
		mid := (lo + hi) / 2
		if side(mid, w)/p.Patch*(side(mid, h)/p.Patch) <= p.MaxPatches {
			lo = mid
		} else {
			hi = mid
		}
	}
	return side(lo, w), side(lo, h)
}
