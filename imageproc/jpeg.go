package imageproc

import (
	"image"

	"fovea/imageproc/jpeg"
)

// decodeJPEG decodes as libjpeg-turbo does, to the byte.
func decodeJPEG(data []byte) (*RGB, error) {
	p, err := jpeg.Decode(data)
	if err != nil {
		return nil, err
	}
	return fromJPEG(p), nil
}

// fromJPEG takes over the pixels of RGB, and converts those of other colours.
func fromJPEG(p *jpeg.Picture) *RGB {
	if p.Channels == 3 {
		return &RGB{p.W, p.H, p.Pix}
	}
	out := NewRGB(p.W, p.H)
	if p.Channels == 4 {
		cmykRow(out.Pix, p.Pix)
	} else {
		grayRow(out.Pix, p.Pix)
	}
	return out
}

func jpegConfig(data []byte) (image.Config, error) {
	c, err := jpeg.DecodeConfig(data)
	return image.Config{Width: c.W, Height: c.H}, err
}
