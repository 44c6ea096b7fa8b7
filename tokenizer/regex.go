package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// matcher finds the first match in s at or after from; start is -1 if there is none. Matches are not empty.
type matcher interface {
	find(s string, from int) (start, end int)
}

// patternSpec is {"String": "…"} or {"Regex": "…"}.
type patternSpec struct{ String, Regex *string }

func (p patternSpec) matcher() (matcher, error) {
	switch {
	case p.String != nil && *p.String != "":
		return literal(*p.String), nil
	case p.Regex != nil:
		return newPattern(*p.Regex)
	}
	return nil, errors.New(`tokenizer: a pattern needs a "String" that is not empty, or a "Regex"`)
}

// UnmarshalJSON also takes a bare string, which old decoders have.
func (p *patternSpec) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		p.String = new(string)
		return json.Unmarshal(raw, p.String)
	}
	type fields patternSpec
	return json.Unmarshal(raw, (*fields)(p))
}

// literal matches a fixed text.
type literal string

func (l literal) find(s string, from int) (start, end int) {
	i := strings.Index(s[from:], string(l))
	if i < 0 {
		return -1, -1
	}
	return from + i, from + i + len(l)
}

// tail ends nearly every published pattern with look-ahead; it is cut off and matched by hand.
const tail = `|\s+(?!\S)|\s+`

// pattern is a regular expression, with or without the tail.
type pattern struct {
	re   *regexp.Regexp // group 1 is the tail's white space, if there is a tail
	tail bool
}

// newPattern returns the matcher of a published regular expression, which is in Oniguruma's syntax.
func newPattern(expr string) (matcher, error) {
	if s := knownScanner(expr); s != nil {
		return s, nil
	}
	p, err := translatePattern(expr)
	if err != nil {
		return nil, fmt.Errorf("tokenizer: regular expression %q is none of the known ones (GPT-2, Qwen2, Llama 3, CLIP) and cannot be translated: %w", expr, err)
	}
	return p, nil
}

// translatePattern compiles expr with Go's regexp.
func translatePattern(expr string) (pattern, error) {
	head, hasTail := strings.CutSuffix(expr, tail)
	translated, err := translate(head)
	if err != nil {
		return pattern{}, err
	}
	if _, err := regexp.Compile(translated); err != nil {
		return pattern{}, err // an open group or class would swallow the tail
	}
	if hasTail {
		translated = "(?:" + translated + `)|([` + spaceClass + `]+)`
	}
	re, err := regexp.Compile(translated)
	if err != nil {
		return pattern{}, err
	}
	if re.MatchString("") {
		return pattern{}, errors.New("it matches the empty text")
	}
	return pattern{re, hasTail}, nil
}

// find implements matcher. Nothing in a translated expression looks behind, so that s may be cut at from.
func (p pattern) find(s string, from int) (start, end int) {
	at := p.re.FindStringSubmatchIndex(s[from:])
	if at == nil {
		return -1, -1
	}
	if p.tail && at[2] >= 0 {
		return from + at[2], spaces(s, from+at[2])
	}
	return from + at[0], from + at[1]
}

// spaceClass is \s of Oniguruma, the Unicode property White_Space, inside a class. Go's \s is ASCII only.
const spaceClass = `\t\n\v\f\r \x{85}\p{Z}`

// translate rewrites an Oniguruma expression for Go's regexp. It accepts only what means the same in both: anything
// else, such as look-around, anchors, possessive repetition and sets within sets, is an error.
func translate(expr string) (string, error) {
	var b strings.Builder
	class := false
	for i := 0; i < len(expr); {
		_, n := utf8.DecodeRuneInString(expr[i:])
		switch c := expr[i]; {
		case c == '\\':
			if i+1 >= len(expr) {
				return "", errors.New("it ends in a backslash")
			}
			t, err := translateEscape(expr[i+1], class)
			if err != nil {
				return "", err
			}
			b.WriteString(t)
			i += 2
			continue
		case class && (c == '[' || c == '&'):
			return "", fmt.Errorf("%q in a character class", c)
		case class:
			class = c != ']'
		case c == '[':
			class = true
			if strings.HasPrefix(expr[i:], "[]") || strings.HasPrefix(expr[i:], "[^]") {
				return "", errors.New("a class that begins with ]")
			}
		case c == '^' || c == '$':
			return "", fmt.Errorf("anchor %q", c)
		case c == '(' && strings.HasPrefix(expr[i:], "(?"):
			if !strings.HasPrefix(expr[i:], "(?:") && !strings.HasPrefix(expr[i:], "(?i:") {
				return "", fmt.Errorf("group %.4q", expr[i:])
			}
			n = strings.IndexByte(expr[i:], ':') + 1
		case c == '(': // groups are numbered in Go, and group 1 is the tail
			b.WriteString("(?:")
			i++
			continue
		}
		b.WriteString(expr[i : i+n])
		i += n
	}
	return b.String(), nil
}

// translateEscape returns what \c stands for.
func translateEscape(c byte, class bool) (string, error) {
	switch {
	case c == 's' && class:
		return spaceClass, nil
	case c == 's':
		return "[" + spaceClass + "]", nil
	case c == 'S' && !class:
		return "[^" + spaceClass + "]", nil
	case c == 'd':
		return `\p{Nd}`, nil
	case strings.IndexByte(`rntfpPx`, c) >= 0, c < utf8.RuneSelf && isPunctuation(rune(c)):
		return `\` + string(c), nil
	}
	return "", fmt.Errorf(`escape \%c`, c)
}
