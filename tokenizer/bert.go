package tokenizer

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// bertNormalizer is the clean-up of BERT's BasicTokenizer.
type bertNormalizer struct{ clean, chinese, accents, lowercase bool }

func (n bertNormalizer) normalize(s string) string {
	if n.clean {
		s = strings.Map(bertClean, s)
	}
	if n.chinese {
		s = spaceIdeographs(s)
	}
	if n.accents {
		s = without(norm.NFD.String(s), unicode.Mn)
	}
	if n.lowercase {
		s = lower(s)
	}
	return s
}

// bertClean drops NUL, U+FFFD and control, format and private characters, and makes every white space a space.
func bertClean(r rune) rune {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return ' '
	case r >= 0x20 && r < 0x7F:
		return r
	case r == 0xFFFD || unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
		return -1
	case unicode.IsSpace(r):
		return ' '
	}
	return r
}

// spaceIdeographs puts spaces around Chinese characters, so that each is a word.
func spaceIdeographs(s string) string {
	if strings.IndexFunc(s, isIdeograph) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isIdeograph(r) {
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// isIdeograph is BERT's list of blocks, with its start of extension E at U+2B920, not U+2B820.
func isIdeograph(r rune) bool {
	if r < 0x3400 {
		return false
	}
	return r >= 0x4E00 && r <= 0x9FFF || r >= 0x3400 && r <= 0x4DBF || r >= 0x20000 && r <= 0x2A6DF ||
		r >= 0x2A700 && r <= 0x2B73F || r >= 0x2B740 && r <= 0x2B81F || r >= 0x2B920 && r <= 0x2CEAF ||
		r >= 0xF900 && r <= 0xFAFF || r >= 0x2F800 && r <= 0x2FA1F
}

// isPunctuation is BERT's: every printable ASCII character that is neither letter, digit nor space, and category P.
func isPunctuation(r rune) bool {
	if r < 0x80 {
		return r > ' ' && r < 0x7F && !(r >= '0' && r <= '9') && !(r >= 'A' && r <= 'Z') && !(r >= 'a' && r <= 'z')
	}
	return unicode.IsPunct(r)
}
