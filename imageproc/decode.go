package imageproc

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"io"
	"os"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"
)

// Info is what a file's header says.
type Info struct {
	Format      string // "jpeg", "png", "gif", "webp", "bmp" or "tiff"
	W, H        int    // pixels of the upright picture: width and height are swapped for orientations 5 to 8
	Orientation int    // EXIF, 1 to 8; 1 when the file does not say
	Bytes       int    // length of the file
}

// Open reads a picture file under the default Limits. See Decode.
func Open(path string) (*RGB, Info, error) { return OpenLimits(path, Limits{}) }

// OpenLimits reads a picture file. A file that is too large is refused before it is read. Errors are *Error and name the
// file.
func OpenLimits(path string, lim Limits) (*RGB, Info, error) {
	data, err := readFile(path, lim.orDefault())
	if err != nil {
		return nil, Info{}, err
	}
	img, info, err := DecodeBytes(data, lim)
	return img, info, named(err, path)
}

// OpenInfo reads only the header of a picture file.
func OpenInfo(path string, lim Limits) (Info, error) {
	data, err := readFile(path, lim.orDefault())
	if err != nil {
		return Info{}, err
	}
	info, err := DecodeInfo(data, lim)
	return info, named(err, path)
}

// Decode reads one picture from r to its end. See DecodeBytes.
func Decode(r io.Reader, lim Limits) (*RGB, Info, error) {
	lim = lim.orDefault()
	data, err := io.ReadAll(io.LimitReader(r, lim.MaxBytes+1))
	if err != nil {
		return nil, Info{}, fileError("", err)
	}
	return DecodeBytes(data, lim)
}

// DecodeBytes turns the bytes of a JPEG, PNG, GIF (first frame), WebP, BMP or TIFF file into an upright 8-bit RGB
// picture; the format is recognised by its first bytes. Pixels are those of Pillow's convert("RGB"): transparency is
// dropped rather than blended (a pixel keeps the colour stored in it), palettes and greys become RGB, and CMYK is taken as
// Adobe writes it. Of 16-bit samples the high byte is kept; Pillow agrees, except that it clips 16-bit greys to 255.
//
// The EXIF orientation is applied. Errors are *Error; a panic of a decoder on hostile bytes becomes one too.
func DecodeBytes(data []byte, lim Limits) (*RGB, Info, error) {
	lim = lim.orDefault()
	c, info, err := inspect(data, lim)
	if err != nil {
		return nil, Info{}, err
	}
	img, err := guard(c.name, func() (*RGB, error) { return c.decode(data) })
	if err != nil {
		return nil, Info{}, err
	}
	if e := lim.checkSize(img.W, img.H); e != nil {
		return nil, Info{}, e
	}
	img = Orient(img, info.Orientation)
	info.W, info.H = img.W, img.H
	return img, info, nil
}

// DecodeInfo reads the header of a picture's bytes and checks it against the limits.
func DecodeInfo(data []byte, lim Limits) (Info, error) {
	_, info, err := inspect(data, lim.orDefault())
	return info, err
}

func inspect(data []byte, lim Limits) (*codec, Info, error) {
	if e := lim.checkBytes(int64(len(data))); e != nil {
		return nil, Info{}, e
	}
	c := codecOf(data)
	if c == nil {
		return nil, Info{}, &Error{Code: CodeUnsupported, Msg: "it is no picture that can be read here (JPEG, PNG, GIF, WebP, BMP, TIFF)" + guess(data), Hint: hintConvert}
	}
	cfg, err := guard(c.name, func() (image.Config, error) { return c.config(data) })
	if err != nil {
		return nil, Info{}, err
	}
	if e := lim.checkSize(cfg.Width, cfg.Height); e != nil {
		return nil, Info{}, e
	}
	info := Info{c.name, cfg.Width, cfg.Height, c.orientation(data), len(data)}
	if info.Orientation > 4 {
		info.W, info.H = info.H, info.W
	}
	return c, info, nil
}

// codec is what the program knows of one format.
type codec struct {
	name        string
	magic       string // "?" stands for any byte
	config      func([]byte) (image.Config, error)
	decode      func([]byte) (*RGB, error)
	orientation func([]byte) int
}

var codecs = []*codec{
	{"jpeg", "\xff\xd8\xff", jpegConfig, decodeJPEG, jpegOrientation},
	{"png", "\x89PNG\r\n\x1a\n", configWith(png.DecodeConfig), decodeWith(png.Decode), pngOrientation},
	{"gif", "GIF8?a", configWith(gif.DecodeConfig), decodeGIF, noOrientation},
	{"webp", "RIFF????WEBP", configWith(webp.DecodeConfig), decodeWebP, webpOrientation},
	{"bmp", "BM", configWith(bmp.DecodeConfig), decodeWith(bmp.Decode), noOrientation},
	{"tiff", "II*\x00", configWith(tiff.DecodeConfig), decodeWith(tiff.Decode), tiffOrientation},
	{"tiff", "MM\x00*", configWith(tiff.DecodeConfig), decodeWith(tiff.Decode), tiffOrientation},
}

func codecOf(data []byte) *codec {
	for _, c := range codecs {
		if hasMagic(data, c.magic) {
			return c
		}
	}
	return nil
}

func hasMagic(data []byte, magic string) bool {
	if len(data) < len(magic) {
		return false
	}
	for i := range len(magic) {
		if magic[i] != '?' && magic[i] != data[i] {
			return false
		}
	}
	return true
}

// guess names common files that are mistaken for pictures, because "unsupported" alone leaves people searching.
func guess(data []byte) string {
	for _, k := range []struct{ magic, name string }{
		{"????ftypavif", "an AVIF"}, {"????ftyphei", "a HEIC"}, {"????ftypmif1", "a HEIF"}, {"????ftyp", "an MP4 or MOV"},
		{"%PDF", "a PDF"}, {"<svg", "an SVG"}, {"<?xml", "an XML"}, {"<!DOCTYPE", "an HTML"}, {"<html", "an HTML"}, {"PK\x03\x04", "a ZIP"}, {"8BPS", "a Photoshop"},
		{"version https://git-lfs", "a Git LFS pointer"},
	} {
		if hasMagic(data, k.magic) {
			return "; it looks like " + k.name + " file"
		}
	}
	return ""
}

func noOrientation([]byte) int { return 1 }

func configWith(f func(io.Reader) (image.Config, error)) func([]byte) (image.Config, error) {
	return func(data []byte) (image.Config, error) { return f(bytes.NewReader(data)) }
}

func decodeWith(f func(io.Reader) (image.Image, error)) func([]byte) (*RGB, error) {
	return func(data []byte) (*RGB, error) {
		m, err := f(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		return FromImage(m), nil
	}
}

// guard runs a decoder and turns its errors and panics into *Error.
func guard[T any](format string, f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &Error{Code: CodeCorrupt, Msg: fmt.Sprintf("the %s data are damaged (the decoder failed: %v)", format, p), Hint: hintDamaged}
		}
	}()
	if v, err = f(); err != nil {
		var own *Error
		if !errors.As(err, &own) {
			err = decodeError(format, err)
		}
	}
	return v, err
}

// named puts the file's name into an error.
func named(err error, path string) error {
	var e *Error
	if errors.As(err, &e) {
		e.Path = path
	}
	return err
}

// readFile reads a file that is not larger than the limit.
func readFile(path string, lim Limits) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fileError(path, err)
	}
	defer f.Close()
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, fileError(path, err)
	case st.IsDir():
		return nil, &Error{Code: CodeUnreadable, Path: path, Msg: "it is a folder", Hint: "name the pictures in it"}
	case st.Size() > lim.MaxBytes:
		return nil, named(lim.checkBytes(st.Size()), path)
	}
	var buf bytes.Buffer
	buf.Grow(int(st.Size()) + bytes.MinRead)
	if _, err := buf.ReadFrom(io.LimitReader(f, lim.MaxBytes+1)); err != nil { // a pipe has no size to stat
		return nil, fileError(path, err)
	}
	return buf.Bytes(), nil
}
