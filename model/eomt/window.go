package eomt

import (
	"fmt"
	"math"

	"fovea/imageproc"
	"fovea/model"
)

// process reads how pictures are prepared.
func (m *Model) process(f *model.Folder) (err error) {
	if m.pixels, err = f.Processor("Eomt"); err != nil {
		return err
	}
	m.side, m.window = m.Config.Image[0], m.pixels.Split
	if m.pixels.Shortest != m.side {
		return fmt.Errorf("eomt: preprocessor_config.json has a shortest_edge of %d pixels, want image_size, %d", m.pixels.Shortest, m.side)
	}
	return nil
}

// maxWindows bounds the windows onto one picture.
const maxWindows = 16

// scaled is a picture of the size at which it is looked at: filling the square, so that windows are cut out of its longer
// side, or within the square.
func (m *Model) scaled(img *imageproc.RGB, windows bool) (*imageproc.RGB, error) {
	p := *m.pixels
	if p.Longest = m.side; windows {
		p.Longest = 0
	}
	w, h := p.Scaled(img.W, img.H)
	if !windows { // rounding may leave the longer side of a picture that has about the right size as it is
		w, h = min(w, m.side), min(h, m.side)
	}
	if w < 1 || h < 1 || max(w, h) > maxWindows*m.side {
		return nil, fmt.Errorf("eomt: a picture of %d × %d pixels would be resized to %d × %d; crop it to a less extreme shape", img.W, img.H, w, h)
	}
	return imageproc.Resize(img, w, h, p.Filter), nil
}

// offsets are where windows onto a side of n ≥ side pixels begin, spread evenly.
func offsets(n, side int) []int {
	count := (n + side - 1) / side
	overlap := 0.
	if count > 1 {
		overlap = float64(count*side-n) / float64(count-1)
	}
	out := make([]int, count)
	for i := range out {
		out[i] = int(math.Floor(float64(i) * (float64(side) - overlap)))
	}
	return out
}

// cut is the square of a picture whose top left corner is at (x, y), normalised; beyond the picture it is black.
func (m *Model) cut(img *imageproc.RGB, x, y int) []float32 {
	c := imageproc.NewRGB(m.side, m.side)
	w := min(m.side, img.W-x)
	for r := range min(m.side, img.H-y) {
		copy(c.Pix[3*r*m.side:], img.Pix[3*((y+r)*img.W+x):][:3*w])
	}
	return m.pixels.Normalize(c)
}

// Process implements model.Network. For models of semantic segmentation, patch_offsets [N, 3] says of which picture each
// window is, and from where to where along its longer side.
func (m *Model) Process(s model.Sample) (model.Inputs, error) {
	if len(s.Pictures) == 0 {
		return nil, fmt.Errorf("eomt: no picture")
	}
	var pixels, places []float32
	n := 0
	for i, img := range s.Pictures {
		img, err := m.scaled(img, m.window)
		if err != nil {
			return nil, err
		}
		from := []int{0}
		if m.window {
			from = offsets(max(img.W, img.H), m.side)
		}
		for _, at := range from {
			if img.H > img.W {
				pixels = append(pixels, m.cut(img, 0, at)...)
			} else {
				pixels = append(pixels, m.cut(img, at, 0)...)
			}
			places = append(places, float32(i), float32(at), float32(at+m.side))
			n++
		}
	}
	in := model.Inputs{}
	in.Put("pixel_values", pixels, n, m.side, m.side, 3)
	if m.window {
		in.Put("patch_offsets", places, n, 3)
	}
	return in, nil
}
