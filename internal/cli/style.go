package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/term"
)

// SGR parameters of a terminal's text attributes.
const (
	bold = "1;"
	dim  = "2;"
	red  = "31;"
	cyan = "36;"
)

// style colours text for one stream.
type style struct {
	on    bool // colours
	term  bool // someone watches: progress and streamed words are welcome
	width int  // columns
}

// styleOf asks a stream what it shows: colours only on a terminal, and none when NO_COLOR is set (no-color.org).
func styleOf(w io.Writer) style {
	st := style{width: 100}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(f.Fd()) {
		return st
	}
	st.term = true
	if cols, _, err := term.GetSize(f.Fd()); err == nil && cols > 0 {
		st.width = cols
	}
	st.on = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
	return st
}

// paint puts text into attributes.
func (s style) paint(attributes, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + strings.TrimSuffix(attributes, ";") + "m" + text + "\x1b[0m"
}

// rgb is the attribute of a 24-bit colour.
func rgb(r, g, b uint8) string { return fmt.Sprintf("38;2;%d;%d;%d;", r, g, b) }

// bar draws a share in [0, 1] over so many columns, in eighths of one.
func bar(share float64, columns int) string {
	eighths := int(min(max(share, 0), 1)*float64(8*columns) + .5)
	s := strings.Repeat("█", eighths/8)
	if r := eighths % 8; r > 0 {
		s += string([]rune(" ▏▎▍▌▋▊▉")[r])
	}
	return s
}

// percent writes a probability in four columns.
func percent(p float64) string { return fmt.Sprintf("%3.0f%%", 100*p) }

// pad fills text with spaces to so many columns; longer text is cut.
func pad(text string, columns int) string {
	n := utf8.RuneCountInString(text)
	if n > columns {
		return string([]rune(text)[:max(columns-1, 0)]) + "…"
	}
	return text + strings.Repeat(" ", columns-n)
}

// printable replaces control characters, which file names and labels may hold, so that they cannot drive the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '\uFFFD'
		}
		return r
	}, text)
}
