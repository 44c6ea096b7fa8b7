package imageproc

import "fmt"

// Limits bound what a picture may cost. They are checked at the file's header, before any pixel is decoded, so that a
// small file which claims to be enormous (a decompression bomb) is refused for nothing. A zero field means its default.
type Limits struct {
	MaxPixels int64 // width × height, 64 megapixels by default
	MaxBytes  int64 // of the file, 50 MB by default
	MaxFrames int   // of an animation, 10 000 by default
}

// defaultLimits are those of a zero Limits.
var defaultLimits = Limits{MaxPixels: 64e6, MaxBytes: 50e6, MaxFrames: 10_000}

func (l Limits) orDefault() Limits {
	if l.MaxPixels <= 0 {
		l.MaxPixels = defaultLimits.MaxPixels
	}
	if l.MaxBytes <= 0 {
		l.MaxBytes = defaultLimits.MaxBytes
	}
	if l.MaxFrames <= 0 {
		l.MaxFrames = defaultLimits.MaxFrames
	}
	return l
}

func (l Limits) checkSize(w, h int) *Error {
	switch {
	case w <= 0 || h <= 0:
		return &Error{Code: CodeEmpty, Msg: fmt.Sprintf("the picture has no pixels (%d × %d)", w, h), Hint: hintDamaged}
	case int64(w) > l.MaxPixels/int64(h):
		return &Error{Code: CodeTooLarge, Msg: fmt.Sprintf("%d × %d pixels are more than the limit of %.3g megapixels", w, h, float64(l.MaxPixels)/1e6),
			Hint: "shrink the picture or raise the limit"}
	}
	return nil
}

func (l Limits) checkBytes(n int64) *Error {
	switch {
	case n == 0:
		return &Error{Code: CodeEmpty, Msg: "the file is empty", Hint: hintDamaged}
	case n > l.MaxBytes:
		return &Error{Code: CodeTooLarge, Msg: fmt.Sprintf("the file is larger than the limit of %.3g MB", float64(l.MaxBytes)/1e6),
			Hint: "compress the picture or raise the limit"}
	}
	return nil
}
