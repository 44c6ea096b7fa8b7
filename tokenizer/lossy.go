package tokenizer

import (
	"strings"
	"unicode/utf8"
)

// lossy returns b as valid UTF-8. Each maximal beginning of a character that stays incomplete becomes one U+FFFD, the
// practice that the Unicode standard recommends (section 3.9) and that Rust and Python follow; a Go range loop would
// give one per byte.
func lossy(b string) string {
	if utf8.ValidString(b) {
		return b
	}
	var out strings.Builder
	out.Grow(len(b) + 2)
	for len(b) > 0 {
		if r, n := utf8.DecodeRuneInString(b); r != utf8.RuneError || n > 1 {
			out.WriteString(b[:n])
			b = b[n:]
			continue
		}
		out.WriteRune(utf8.RuneError)
		b = b[maximalSubpart(b):]
	}
	return out.String()
}

// maximalSubpart is the length of the longest beginning of b, at least 1, that begins some well-formed character
// (Unicode standard, table 3-7). b does not begin with a whole character.
func maximalSubpart(b string) int {
	more, lo, hi := 0, byte(0x80), byte(0xBF) // bytes that may follow, and the range of the first of them
	switch c := b[0]; {
	case c >= 0xC2 && c <= 0xDF:
		more = 1
	case c == 0xE0:
		more, lo = 2, 0xA0
	case c == 0xED:
		more, hi = 2, 0x9F
	case c >= 0xE1 && c <= 0xEF:
		more = 2
	case c == 0xF0:
		more, lo = 3, 0x90
	case c >= 0xF1 && c <= 0xF3:
		more = 3
	case c == 0xF4:
		more, hi = 3, 0x8F
	}
	n := 1
	for n <= more && n < len(b) && b[n] >= lo && b[n] <= hi {
		n++
		lo, hi = 0x80, 0xBF
	}
	return n
}
