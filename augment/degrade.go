package augment

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"

	"fovea/imageproc"
)

// soften convolves with [k, 1−2k, k] along the rows and the columns, k in [0, 1/3].
func (s *scratch) soften(img *imageproc.RGB, k float64) {
	side := uint32(k*256 + .5)
	mid := 256 - 2*side
	n := 3 * img.W
	if cap(s.lines) < 2*n {
		s.lines = make([]uint8, 2*n)
	}
	above, here := s.lines[:n], s.lines[n:2*n]
	for y := range img.H {
		row := img.Pix[y*n : (y+1)*n]
		copy(here, row)
		for i := range row {
			l, r := here[max(i-3, i%3)], here[min(i+3, n-3+i%3)]
			row[i] = uint8((side*(uint32(l)+uint32(r)) + mid*uint32(here[i]) + 128) >> 8)
		}
	}
	copy(above, img.Pix[:n])
	for y := range img.H {
		row := img.Pix[y*n : (y+1)*n]
		below := row
		if y+1 < img.H {
			below = img.Pix[(y+1)*n : (y+2)*n]
		}
		copy(here, row)
		for i := range row {
			row[i] = uint8((side*(uint32(above[i])+uint32(below[i])) + mid*uint32(here[i]) + 128) >> 8)
		}
		above, here = here, above
	}
}

// compress replaces a picture by what JPEG of a quality makes of it.
func compress(img *imageproc.RGB, quality int) {
	src := image.NewRGBA(img.Bounds())
	for i, j := 0, 0; j < len(img.Pix); i, j = i+4, j+3 {
		src.Pix[i], src.Pix[i+1], src.Pix[i+2], src.Pix[i+3] = img.Pix[j], img.Pix[j+1], img.Pix[j+2], 255
	}
	var b bytes.Buffer
	if jpeg.Encode(&b, src, &jpeg.Options{Quality: quality}) != nil {
		return // sides beyond 65535: too large for the format
	}
	back, err := jpeg.Decode(&b)
	if err != nil {
		return
	}
	y, ok := back.(*image.YCbCr)
	if !ok {
		return
	}
	for v := range img.H {
		for u := range img.W {
			i, j := y.YOffset(u, v), y.COffset(u, v)
			p := img.Pix[3*(v*img.W+u):]
			p[0], p[1], p[2] = color.YCbCrToRGB(y.Y[i], y.Cb[j], y.Cr[j])
		}
	}
}
