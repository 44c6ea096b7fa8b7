package idefics3

import (
	"fmt"
	"math"

	"fovea/imageproc"
	"fovea/model"
)

// pixelConfig is the part of preprocessor_config.json that is about the cutting up of pictures.
type pixelConfig struct {
	Size  edge  `json:"size"`
	Tile  edge  `json:"max_image_size"`
	Split *bool `json:"do_image_splitting"`
}

type edge struct {
	Longest int `json:"longest_edge"`
}

// tiler cuts pictures into square tiles and a global view.
type tiler struct {
	*imageproc.Processor
	longest, tile int
	split         bool
	most          int // tiles of one picture
}

// maxSide is the longest side that a picture is resized to, whatever the configuration says.
const maxSide = 4096

// newTiler reads how; side is that of the pictures that the network sees.
func newTiler(f *model.Folder, side int) (*tiler, error) {
	c := pixelConfig{Size: edge{4 * 364}, Tile: edge{364}}
	p, err := f.Colours("Idefics3", &c)
	if err != nil {
		return nil, err
	}
	t := &tiler{Processor: p, longest: c.Size.Longest, tile: c.Tile.Longest, split: c.Split == nil || *c.Split}
	if t.longest < 1 || t.longest > 1<<20 || t.tile != side {
		return nil, fmt.Errorf("preprocessor_config.json: size %d is not within 1 … %d, or max_image_size %d is not image_size %d of the pictures that the network sees", t.longest, 1<<20, t.tile, side)
	}
	return t, nil
}

// fit is the size of a picture of w × h pixels with its longer side scaled to n; the shorter one is made even.
func fit(w, h, n int) (int, int) {
	ratio := float64(w) / float64(h)
	if w >= h {
		short := int(float64(n) / ratio)
		return n, max(short+short%2, 1)
	}
	short := int(float64(n) * ratio)
	return max(short+short%2, 1), n
}

// bound scales down to the longest side that there may be.
func bound(w, h int) (int, int) {
	ratio := float64(w) / float64(h)
	switch {
	case w >= h && w > maxSide:
		w, h = maxSide, int(maxSide/ratio)
	case h > w && h > maxSide:
		w, h = int(maxSide*ratio), maxSide
	}
	return max(w, 1), max(h, 1)
}

// whole scales a size up to multiples of a tile: the longer side first, the shorter one in proportion.
func (t *tiler) whole(w, h int) (int, int) {
	up := func(n int) int { return (n + t.tile - 1) / t.tile * t.tile }
	ratio := float64(w) / float64(h)
	if w >= h {
		w = up(w)
		return w, up(max(int(float64(w)/ratio), 1))
	}
	h = up(h)
	return up(max(int(float64(h)*ratio), 1)), h
}

// apply gives the tiles of a picture, row by row, and then the global view, [N, S, S, 3], and how many rows and columns of
// tiles there are, none when the picture is seen as a whole.
func (t *tiler) apply(img *imageproc.RGB) (pixels []float32, rows, cols int, err error) {
	w, h := bound(fit(img.W, img.H, t.longest))
	ww, hh := t.tile, t.tile
	if t.split {
		ww, hh = t.whole(w, h)
	}
	rows, cols = hh/t.tile, ww/t.tile
	if math.Max(float64(rows), float64(cols)) > float64(t.most) || rows*cols+1 > t.most {
		return nil, 0, 0, fmt.Errorf("idefics3: a picture of %d × %d pixels gives %d × %d tiles, more than the %d that the model can read; crop it to a less extreme shape", img.W, img.H, rows, cols, t.most)
	}
	img = imageproc.Resize(imageproc.Resize(img, w, h, t.Filter), ww, hh, t.Filter)
	if rows*cols == 1 {
		return t.Normalize(img), 0, 0, nil
	}
	for i := range rows * cols {
		x, y := i%cols*t.tile, i/cols*t.tile
		part, _, _ := img.Crop(x, y, x+t.tile, y+t.tile)
		pixels = append(pixels, t.Normalize(part)...)
	}
	return append(pixels, t.Normalize(imageproc.Resize(img, t.tile, t.tile, t.Filter))...), rows, cols, nil
}
