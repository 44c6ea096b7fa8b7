package imageproc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
)

// The codes of an Error. They are part of the program's JSON contract: adding is free, renaming is not.
const (
	CodeNotFound    = "image.not_found"   // no such file
	CodeUnreadable  = "image.unreadable"  // the file or stream cannot be read: permissions, a folder, a failing disk
	CodeEmpty       = "image.empty"       // no bytes, or a picture without pixels
	CodeTooLarge    = "image.too_large"   // more bytes or pixels than Limits allow
	CodeTruncated   = "image.truncated"   // the data end before the picture does
	CodeCorrupt     = "image.corrupt"     // the data contradict their format
	CodeUnsupported = "image.unsupported" // not a picture, or a variant that the program cannot read
)

// Error says why a picture could not be read. Its text names the file, what is wrong and what to do about it.
type Error struct {
	Code string // one of the Code constants
	Path string // the file, or "" for bytes in memory
	Msg  string // what is wrong, without the file's name
	Hint string // what to do about it
	Err  error  // the cause, or nil
}

func (e *Error) Error() string {
	name := "the picture"
	if e.Path != "" {
		name = fmt.Sprintf("%q", e.Path)
	}
	s := "imageproc: read " + name + ": " + e.Msg
	if e.Hint != "" {
		s += "; " + e.Hint
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Retry reports whether the same input may succeed later: damaged or refused bytes never do, a failing disk may.
func (e *Error) Retry() bool { return e.Code == CodeUnreadable }

const (
	hintDamaged = "copy or download the file again"
	hintConvert = "convert it to JPEG or PNG"
)

// fileError turns a failure to open or read a file into an Error.
func fileError(path string, err error) error {
	e := &Error{Code: CodeUnreadable, Path: path, Msg: "the file cannot be read", Hint: "check its permissions and the disk", Err: err}
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err // the path is already named
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		e.Code, e.Msg, e.Hint = CodeNotFound, "there is no such file", "check the path"
	default:
		e.Msg += " (" + err.Error() + ")"
	}
	return e
}

// decodeError sorts a decoder's failure under a code.
func decodeError(format string, err error) *Error {
	e := &Error{Code: CodeCorrupt, Msg: "the " + format + " data are damaged", Hint: hintDamaged, Err: err}
	text := err.Error()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), containsAny(text, "unexpected EOF", "not enough", "short Huffman", "short chunk", "no image data"):
		e.Code, e.Msg = CodeTruncated, "the "+format+" data end before the picture does"
		return e
	case containsAny(text, "unsupported", "not implemented"):
		e.Code, e.Msg, e.Hint = CodeUnsupported, "this variant of "+format+" cannot be read", hintConvert
	}
	e.Msg += " (" + text + ")"
	return e
}

func containsAny(s string, words ...string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
