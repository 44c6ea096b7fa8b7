// Package imageproc turns image files into upright RGB pixels and pixels into model input, remembering the geometry so
// that answers find their way back to the original picture.
package imageproc

import (
	"image"
	"image/color"
)

// RGB is an 8-bit picture: three interleaved bytes a pixel, row by row, no padding. It is what every part of the program
// passes around; it implements image.Image for encoders and drawing libraries.
type RGB struct {
	W, H int
	Pix  []uint8 // 3·W·H bytes
}

// NewRGB makes a black picture.
func NewRGB(w, h int) *RGB { return &RGB{w, h, make([]uint8, 3*w*h)} }

// ColorModel, Bounds and At implement image.Image.
func (m *RGB) ColorModel() color.Model { return color.RGBAModel }

// Bounds is (0, 0)–(W, H).
func (m *RGB) Bounds() image.Rectangle { return image.Rect(0, 0, m.W, m.H) }

// At is the opaque colour of a pixel, and black outside.
func (m *RGB) At(x, y int) color.Color {
	if x < 0 || y < 0 || x >= m.W || y >= m.H {
		return color.RGBA{A: 255}
	}
	p := m.Pix[3*(y*m.W+x):]
	return color.RGBA{p[0], p[1], p[2], 255}
}

// Crop copies the pixels of [x0, x1) × [y0, y1), as far as they are in the picture, and says where the copy's corner is; there
// must be one at least.
func (m *RGB) Crop(x0, y0, x1, y1 int) (part *RGB, left, top int) {
	x0, y0, x1, y1 = max(x0, 0), max(y0, 0), min(x1, m.W), min(y1, m.H)
	part = NewRGB(x1-x0, y1-y0)
	for y := range part.H {
		copy(part.Pix[3*y*part.W:3*(y+1)*part.W], m.Pix[3*((y0+y)*m.W+x0):])
	}
	return part, x0, y0
}

// Clone copies the picture.
func (m *RGB) Clone() *RGB { return &RGB{m.W, m.H, append([]uint8(nil), m.Pix...)} }
