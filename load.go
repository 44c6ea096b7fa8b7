package fovea

import (
	"errors"
	"io"

	"fovea/imageproc"
)

// Load reads a picture file: JPEG, PNG, GIF (its first frame), WebP, BMP or TIFF, upright, of at most 50 MB and 64
// megapixels. Errors are *Error.
func Load(path string) (*imageproc.RGB, error) {
	img, _, err := imageproc.Open(path)
	return img, PictureError(err)
}

// Decode reads a picture from a stream, as Load does from a file.
func Decode(r io.Reader) (*imageproc.RGB, error) {
	img, _, err := imageproc.Decode(r, imageproc.Limits{})
	return img, PictureError(err)
}

// PictureError gives an error of package imageproc, which decodes for those who do not use Load, its code.
func PictureError(err error) error {
	var e *imageproc.Error
	if errors.As(err, &e) {
		return &Error{Code: e.Code, BadInput: !e.Retry(), Hint: e.Hint, Err: err}
	}
	return err
}
