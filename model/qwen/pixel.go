package qwen

import (
	"fmt"
	"math"

	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
)

// pixels makes patches of pictures, which keep their shape.
type pixels struct {
	*imageproc.Processor
	patch, merge, frames int
	least, most          int // pixels of a picture, about
}

// maxPatches bounds the patches of a picture.
const maxPatches = 1 << 16

func newPixels(f *model.Folder, v *nn.RotaryVisionConfig) (*pixels, error) {
	var c struct {
		Size struct {
			Shortest int `json:"shortest_edge"`
			Longest  int `json:"longest_edge"`
		} `json:"size"`
		Min *int `json:"min_pixels"` // older spelling
		Max *int `json:"max_pixels"`
	}
	c.Size.Shortest, c.Size.Longest = 56*56, 28*28*1280
	p, err := f.Colours("CLIP", &c)
	if err != nil {
		return nil, err
	}
	x := &pixels{p, v.Patch, v.Merge, v.Frames, c.Size.Shortest, c.Size.Longest}
	if c.Min != nil {
		x.least = *c.Min
	}
	if c.Max != nil {
		x.most = *c.Max
	}
	if unit := v.Patch * v.Merge; x.least < 1 || x.most < max(x.least, unit*unit) || x.most > 1<<28 {
		return nil, fmt.Errorf("preprocessor_config.json: pictures of %d … %d pixels do not fit tokens of %d × %d", x.least, x.most, unit, unit)
	}
	return x, nil
}

// fit is the size that a picture of w × h pixels is resized to: whole tokens, within the bounds.
func (p *pixels) fit(w, h int) (int, int, error) {
	if max(w, h) > 200*min(w, h) {
		return 0, 0, fmt.Errorf("qwen: a picture of %d × %d pixels; one side may be 200 times the other at most: crop it", w, h)
	}
	unit := float64(p.patch * p.merge)
	round := func(n float64, f func(float64) float64) int { return int(f(n/unit) * unit) }
	ww, hh := round(float64(w), math.RoundToEven), round(float64(h), math.RoundToEven)
	switch area := float64(w) * float64(h); {
	case ww*hh > p.most:
		beta := math.Sqrt(area / float64(p.most))
		ww, hh = max(int(unit), round(float64(w)/beta, math.Floor)), max(int(unit), round(float64(h)/beta, math.Floor))
	case ww*hh < p.least:
		beta := math.Sqrt(float64(p.least) / area)
		ww, hh = round(float64(w)*beta, math.Ceil), round(float64(h)*beta, math.Ceil)
	}
	if ww/p.patch > maxPatches || hh/p.patch > maxPatches || ww/p.patch*(hh/p.patch) > maxPatches {
		return 0, 0, fmt.Errorf("qwen: %d × %d pixels give more than %d patches; crop the picture", ww, hh, maxPatches)
	}
	return ww, hh, nil
}

// apply gives the patches of a picture, [N, 3·T·P·P], Merge × Merge neighbours after each other, and how many there are down
// and across. A patch is the same in each of its frames.
func (p *pixels) apply(img *imageproc.RGB) ([]float32, [2]int, error) {
	w, h, err := p.fit(img.W, img.H)
	if err != nil {
		return nil, [2]int{}, err
	}
	x := p.Normalize(imageproc.Resize(img, w, h, p.Filter))
	gh, gw := h/p.patch, w/p.patch
	out := make([]float32, 0, len(x)*p.frames)
	for i := range gh * gw {
		m := p.merge
		cell, in := i/(m*m), i%(m*m)
		top, left := (cell/(gw/m)*m+in/m)*p.patch, (cell%(gw/m)*m+in%m)*p.patch
		for c := range 3 {
			for range p.frames {
				for y := range p.patch {
					for z := range p.patch {
						out = append(out, x[3*((top+y)*w+left+z)+c])
					}
				}
			}
		}
	}
	return out, [2]int{gh, gw}, nil
}
