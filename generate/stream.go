package generate

import (
	"strings"
	"unicode/utf8"
)

// Stream makes an OnToken that hands a text on while it is being written: decode turns all tokens so far into the text, and
// emit receives what is new of it. Bytes that do not yet make a whole character wait for the rest of it, so emitted pieces are
// valid UTF-8 and together the beginning of the text.
func Stream(decode func(ids []int32) string, emit func(piece string) error) func(id int32) error {
	var ids []int32
	said := ""
	return func(id int32) error {
		ids = append(ids, id)
		text := strings.TrimRight(decode(ids), string(utf8.RuneError))
		if len(text) <= len(said) || !strings.HasPrefix(text, said) {
			return nil
		}
		piece := text[len(said):]
		said = text
		return emit(piece)
	}
}

// Before cuts a text off before the first place where one of the stop strings begins.
func Before(text string, stop []string) string {
	end := len(text)
	for _, s := range stop {
		if i := strings.Index(text, s); i >= 0 {
			end = min(end, i)
		}
	}
	return text[:end]
}
