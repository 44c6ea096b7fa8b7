package imageproc

import (
	"image"
	"image/color"

	"fovea/imageproc/jpeg"
)

// FromImage converts any image to RGB as DecodeBytes describes; an *RGB is returned as it is.
func FromImage(m image.Image) *RGB {
	if m, ok := m.(*RGB); ok {
		return m
	}
	b := m.Bounds()
	if m, ok := m.(*image.YCbCr); ok && b.Min == (image.Point{}) { // elsewhere the chroma samples may not align
		return fromJPEG(jpeg.FromYCbCr(m))
	}
	out := NewRGB(b.Dx(), b.Dy())
	for y := range out.H {
		convertRow(out.Pix[3*y*out.W:3*(y+1)*out.W], m, b.Min.X, b.Min.Y+y)
	}
	return out
}

// convertRow fills o with the pixels of row y from x0 on. It never asks for a color.Color where the memory layout is
// known, because that costs an allocation a pixel.
func convertRow(o []uint8, m image.Image, x0, y int) {
	n := len(o) / 3
	switch m := m.(type) {
	case *image.RGBA:
		unpremultiplyRow(o, m.Pix[m.PixOffset(x0, y):])
	case *image.NRGBA:
		dropAlpha(o, m.Pix[m.PixOffset(x0, y):])
	case *image.NRGBA64:
		p := m.Pix[m.PixOffset(x0, y):][:8*n]
		for i := 0; i < len(o); i += 3 {
			o[i], o[i+1], o[i+2] = p[0], p[2], p[4] // big-endian: the high bytes
			p = p[8:]
		}
	case *image.Gray:
		grayRow(o, m.Pix[m.PixOffset(x0, y):])
	case *image.Gray16:
		p := m.Pix[m.PixOffset(x0, y):][:2*n]
		for i := range n {
			v := p[2*i]
			o[3*i], o[3*i+1], o[3*i+2] = v, v, v
		}
	case *image.Paletted:
		pal := paletteRGB(m.Palette)
		for i, v := range m.Pix[m.PixOffset(x0, y):][:n] {
			c := pal[v]
			o[3*i], o[3*i+1], o[3*i+2] = c[0], c[1], c[2]
		}
	case *image.CMYK:
		cmykRow(o, m.Pix[m.PixOffset(x0, y):])
	default: // RGBA64 comes from TIFF, the rest from callers
		for i := range n {
			c := color.NRGBA64Model.Convert(m.At(x0+i, y)).(color.NRGBA64)
			o[3*i], o[3*i+1], o[3*i+2] = uint8(c.R>>8), uint8(c.G>>8), uint8(c.B>>8)
		}
	}
}

func grayRow(o, p []uint8) {
	for i, v := range p[:len(o)/3] {
		o[3*i], o[3*i+1], o[3*i+2] = v, v, v
	}
}

func dropAlpha(o, p []uint8) {
	p = p[:len(o)/3*4]
	for len(p) >= 4 && len(o) >= 3 {
		o[0], o[1], o[2] = p[0], p[1], p[2]
		o, p = o[3:], p[4:]
	}
}

// unpremultiplyRow gives the colour that a premultiplied pixel had; where nothing of it is left, black.
func unpremultiplyRow(o, p []uint8) {
	p = p[:len(o)/3*4]
	for len(p) >= 4 && len(o) >= 3 {
		if a := uint32(p[3]); a == 255 || a == 0 {
			o[0], o[1], o[2] = p[0], p[1], p[2]
		} else {
			for c := range 3 {
				o[c] = uint8(min(255*uint32(p[c])/a, 255))
			}
		}
		o, p = o[3:], p[4:]
	}
}

// cmykRow converts ink to light as Pillow does: channel = (255 - ink)·(255 - black)/255, rounded.
func cmykRow(o, p []uint8) {
	p = p[:len(o)/3*4]
	for len(p) >= 4 && len(o) >= 3 {
		nk := 255 - int32(p[3])
		for c := range 3 {
			o[c] = uint8(max(nk-int32(mulDiv255(uint32(p[c]), uint32(nk))), 0))
		}
		o, p = o[3:], p[4:]
	}
}

// mulDiv255 is a·b/255, rounded, for a, b ≤ 255.
func mulDiv255(a, b uint32) uint32 {
	t := a*b + 128
	return (t>>8 + t) >> 8
}

func paletteRGB(p color.Palette) (t [256][3]uint8) {
	for i, c := range p[:min(len(p), 256)] {
		if n, ok := c.(color.NRGBA); ok { // NRGBA.RGBA would blend
			t[i] = [3]uint8{n.R, n.G, n.B}
			continue
		}
		n := color.NRGBAModel.Convert(c).(color.NRGBA)
		t[i] = [3]uint8{n.R, n.G, n.B}
	}
	return t
}
