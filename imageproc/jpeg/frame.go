package jpeg

import (
	"io"

	"fovea/internal/pixel"
)

// component is one colour of the frame.
type component struct {
	id   uint8
	h, v int // sampling factors
	tq   uint8

	w, hgt         int // samples
	blocks, rows   int // blocks that hold them, across and down
	stride, padded int // blocks of the plane: whole MCUs, across and down; the stride is a multiple of 4, which vector code likes

	pitch int     // bytes from one row of the plane to the next
	coef  []int16 // sequential: of one row of MCUs; progressive: of all blocks
	pix   []uint8 // the plane
	quant [64]int16
	seen  bool // it had a scan
	dc    int32
	td    uint8
	ta    uint8

	line []uint8  // a row at the picture's width
	sum  []uint16 // column sums of chroma
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// resize returns a slice of n elements, s where it is large enough. The elements have any value.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// plan computes the layout of the planes and makes room.
func (d *decoder) plan() error {
	if d.w == 0 || d.h == 0 {
		return FormatError("no pixels")
	}
	d.mcusX, d.mcusY = ceilDiv(d.w, 8*d.maxH), ceilDiv(d.h, 8*d.maxV)
	total := 0
	for i := range d.comps {
		c := &d.comps[i]
		if d.maxH%c.h != 0 || d.maxV%c.v != 0 {
			return UnsupportedError("fractional sampling")
		}
		c.w, c.hgt = ceilDiv(d.w*c.h, d.maxH), ceilDiv(d.h*c.v, d.maxV)
		c.blocks, c.rows = ceilDiv(c.w, 8), ceilDiv(c.hgt, 8)
		c.stride, c.padded = (d.mcusX*c.h+3)&^3, d.mcusY*c.v
		total += c.blocks * c.rows
	}
	if total/8 > len(d.data) { // a block takes a bit at least
		return io.ErrUnexpectedEOF
	}
	for i := range d.comps {
		c := &d.comps[i]
		c.pitch = 8 * c.stride
		c.pix = resize(c.pix, 64*c.stride*c.padded)
		if d.progressive {
			c.coef = resize(c.coef, 64*c.stride*c.padded)
			clear(c.coef)
		} else {
			c.coef = resize(c.coef, 64*c.stride*c.v)
		}
	}
	d.out = &Picture{W: d.w, H: d.h, Channels: len(d.comps)}
	d.out.Pix = make([]uint8, d.w*d.h*d.out.Channels)
	d.prepareColors()
	return nil
}

// transformRow makes pixels of row by of blocks, whose coefficients are coef.
func (c *component) transformRow(by int, coef []int16) {
	pixel.IDCT(c.pix[by*8*c.pitch:(by+1)*8*c.pitch], c.pitch, coef[:64*c.stride], &c.quant)
}

// finish makes the pixels that are still missing.
func (d *decoder) finish() {
	if d.progressive {
		for i := range d.comps {
			c := &d.comps[i]
			for by := range c.rows {
				c.transformRow(by, c.coef[by*64*c.stride:])
			}
		}
	}
	d.convert(d.h)
}
