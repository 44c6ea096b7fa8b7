package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// A scanner is a pattern written by hand: it returns the end of the match that begins at s[i], or i if none does. s is
// valid UTF-8.
type scanner func(s string, i int) int

// find implements matcher.
func (f scanner) find(s string, from int) (start, end int) {
	for i := from; i < len(s); {
		if end := f(s, i); end > i {
			return i, end
		}
		_, n := utf8.DecodeRuneInString(s[i:])
		i += n
	}
	return -1, -1
}

// The published patterns that have a scanner. Two of them look ahead, which Go's regexp cannot; for the others a
// scanner is faster.
const (
	// GPT-2's, and so BART's, RoBERTa's, Florence-2's, SmolVLM's [openai/gpt-2, src/encoder.py].
	patternGPT2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
	// Qwen2's, and so Qwen2.5-VL's and Qwen3-VL's.
	patternQwen2 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	// Llama 3's: numbers in groups of three digits.
	patternLlama3 = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	// CLIP's, as the transformers library writes it; white space is between matches.
	patternCLIP = `<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+`

	patternSpace   = `\s+`
	patternControl = `[\x{00}-\x{08}\x{0E}-\x{1F}\x{7F}-\x{84}\x{86}-\x{9F}]+`
)

// knownScanner returns the scanner of a published pattern, nil for another.
func knownScanner(pattern string) scanner {
	switch pattern {
	case patternGPT2:
		return scanGPT2
	case patternQwen2:
		return func(s string, i int) int { return scanLlama(s, i, 1) }
	case patternLlama3:
		return func(s string, i int) int { return scanLlama(s, i, 3) }
	case patternCLIP:
		return scanCLIP
	case patternSpace:
		return func(s string, i int) int { return run(s, i, space) }
	case patternControl:
		return scanControl
	}
	return nil
}

// class is what the patterns distinguish: \p{L}, \p{N}, \s and the rest.
type class uint8

const (
	other class = iota
	letter
	number
	space
)

// asciiClass is classOf for the first 128 characters.
var asciiClass = func() (t [utf8.RuneSelf]class) {
	for r := range t {
		t[r] = slowClass(rune(r))
	}
	return t
}()

func slowClass(r rune) class {
	switch {
	case unicode.IsLetter(r):
		return letter
	case unicode.IsNumber(r):
		return number
	case unicode.IsSpace(r):
		return space
	}
	return other
}

// classAt is the class and the size of the character at s[i], size 0 at the end of s.
func classAt(s string, i int) (class, int) {
	if i >= len(s) {
		return other, 0
	}
	if c := s[i]; c < utf8.RuneSelf {
		return asciiClass[c], 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	return slowClass(r), n
}

// run is the end of the characters of one class that begin at s[i].
func run(s string, i int, want class) int {
	for i < len(s) {
		c, n := classAt(s, i)
		if c != want {
			break
		}
		i += n
	}
	return i
}

// spaces is \s+(?!\S)|\s+ at s[i]: a run of white space without its last character if text follows, so that the text
// keeps the space in front of it; a single one stays whole.
func spaces(s string, i int) int {
	end := run(s, i, space)
	if end == len(s) || end == i {
		return end
	}
	_, n := utf8.DecodeLastRuneInString(s[i:end])
	if end-n == i {
		return end
	}
	return end - n
}

// contraction is 's|'t|'re|'ve|'m|'ll|'d at s[i]; fold ignores case, under which ſ is an s.
func contraction(s string, i int, fold bool) int {
	if i+1 >= len(s) || s[i] != '\'' {
		return i
	}
	at := func(k int) byte {
		if k >= len(s) {
			return 0
		}
		if c := s[k]; fold && c >= 'A' && c <= 'Z' {
			return c + 'a' - 'A'
		}
		return s[k]
	}
	switch a, b := at(i+1), at(i+2); {
	case a == 's' || a == 't' || a == 'm' || a == 'd':
		return i + 2
	case a == 'r' && b == 'e', a == 'v' && b == 'e', a == 'l' && b == 'l':
		return i + 3
	case fold && a == "ſ"[0] && b == "ſ"[1]:
		return i + 3
	}
	return i
}

func scanGPT2(s string, i int) int {
	if end := contraction(s, i, false); end > i {
		return end
	}
	j := i
	if s[i] == ' ' {
		j++
	}
	if c, n := classAt(s, j); n > 0 && c != space {
		return run(s, j, c)
	}
	return spaces(s, i)
}

// scanLlama is Llama 3's pattern with at most digits numbers in a match; Qwen2's has 1.
func scanLlama(s string, i, digits int) int {
	if end := contraction(s, i, true); end > i {
		return end
	}
	c, n := classAt(s, i)
	if c == letter {
		return run(s, i, letter)
	}
	if c == number {
		end := i
		for range digits {
			c, n := classAt(s, end)
			if c != number || n == 0 {
				break
			}
			end += n
		}
		return end
	}
	if s[i] != '\r' && s[i] != '\n' {
		if end := run(s, i+n, letter); end > i+n {
			return end
		}
	}
	j := i
	if s[i] == ' ' {
		j++
	}
	if end := run(s, j, other); end > j {
		for end < len(s) && (s[end] == '\r' || s[end] == '\n') {
			end++
		}
		return end
	}
	for end := run(s, i, space); end > i; end-- {
		if s[end-1] == '\r' || s[end-1] == '\n' {
			return end
		}
	}
	return spaces(s, i)
}

func scanCLIP(s string, i int) int {
	for _, special := range [...]string{"<|startoftext|>", "<|endoftext|>"} {
		if len(s)-i >= len(special) && s[i:i+len(special)] == special {
			return i + len(special)
		}
	}
	if end := contraction(s, i, false); end > i {
		return end
	}
	switch c, n := classAt(s, i); c {
	case number:
		return i + n
	case space:
		return i
	default:
		return run(s, i, c)
	}
}

// scanControl is a run of control characters that are not white space.
func scanControl(s string, i int) int {
	for i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if !unicode.IsControl(r) || unicode.IsSpace(r) {
			break
		}
		i += n
	}
	return i
}
