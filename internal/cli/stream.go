package cli

import (
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"
)

// stream shows a text that grows word by word on a terminal.
type stream struct{ shown string }

// streamed gives a function that shows the text so far and one that ends it with its last state. Where no one watches,
// only the last state is printed.
func (a *app) streamed() (step, end func(text string)) {
	var s stream
	if a.outStyle.term && !a.json {
		step = func(text string) { fmt.Fprint(a.out, s.next(printable(text))) }
	}
	return step, func(text string) { fmt.Fprintln(a.out, s.next(printable(text))) }
}

// next is what to print so that text stands on the screen: mostly its new end; where the text changed, the changed part is
// erased first. A change that reaches back over a line's end cannot be erased, so the text is begun anew on the next line.
func (s *stream) next(text string) string {
	keep := commonPrefix(s.shown, text)
	old := s.shown[len(keep):]
	s.shown = text
	if old == "" {
		return text[len(keep):]
	}
	if runewidth.StringWidth(old) > 16 {
		return "\n" + text
	}
	return strings.Repeat("\b", runewidth.StringWidth(old)) + "\x1b[K" + text[len(keep):]
}

// commonPrefix is how two texts begin alike, in whole letters.
func commonPrefix(a, b string) string {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(a) && a[n]&0xc0 == 0x80 || n > 0 && n < len(b) && b[n]&0xc0 == 0x80 {
		n--
	}
	return a[:n]
}
