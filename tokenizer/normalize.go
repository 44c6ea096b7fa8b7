package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites text before it is split.
type normalizer interface{ normalize(s string) string }

// normalizeFunc is a normalizer without settings.
type normalizeFunc func(string) string

func (f normalizeFunc) normalize(s string) string { return f(s) }

// normalizers runs one after the other.
type normalizers []normalizer

func (ns normalizers) normalize(s string) string {
	for _, n := range ns {
		s = n.normalize(s)
	}
	return s
}

// grows bounds how many times longer n makes a text. A file may chain replacements that each double the text.
func grows(n normalizer) float64 {
	switch n := n.(type) {
	case normalizers:
		f := 1.0
		for _, step := range n {
			f *= grows(step)
		}
		return f
	case replace:
		return max(1, float64(len(n.content)))
	case prepend:
		return 1 + float64(len(n))
	case strip:
		return 1
	case *precompiled:
		return max(1, float64(n.longest))
	}
	return 3 // characters composed or decomposed, bytes spelled as characters, spaces around Chinese characters
}

// newNormalizer reads the normalizer section of a tokenizer.json; nil means none.
func newNormalizer(raw json.RawMessage) (normalizer, error) {
	n, err := parseNormalizer(raw, 0)
	if err != nil || n == nil {
		return nil, err
	}
	if f := grows(n); f > maxGrow {
		return nil, fmt.Errorf("tokenizer: the normalizers could make a text %.3g times longer; the limit is %d", f, maxGrow)
	}
	return n, nil
}

func parseNormalizer(raw json.RawMessage, depth int) (normalizer, error) {
	if isNull(raw) {
		return nil, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("tokenizer: normalizers are nested more than %d deep", maxDepth)
	}
	var c struct {
		Type         string            `json:"type"`
		Normalizers  []json.RawMessage `json:"normalizers"`
		Pattern      patternSpec       `json:"pattern"`
		Content      string            `json:"content"`
		Left         bool              `json:"strip_left"`
		Right        bool              `json:"strip_right"`
		Prepend      string            `json:"prepend"`
		Charsmap     []byte            `json:"precompiled_charsmap"`
		CleanText    bool              `json:"clean_text"`
		Chinese      bool              `json:"handle_chinese_chars"`
		StripAccents *bool             `json:"strip_accents"`
		Lowercase    bool              `json:"lowercase"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("tokenizer: normalizer: %w", err)
	}
	switch c.Type {
	case "Sequence":
		var seq normalizers
		for _, r := range c.Normalizers {
			n, err := parseNormalizer(r, depth+1)
			if err != nil {
				return nil, err
			}
			if n != nil {
				seq = append(seq, n)
			}
		}
		return seq, nil
	case "NFC":
		return normalizeFunc(norm.NFC.String), nil
	case "NFD":
		return normalizeFunc(norm.NFD.String), nil
	case "NFKC":
		return normalizeFunc(norm.NFKC.String), nil
	case "NFKD":
		return normalizeFunc(norm.NFKD.String), nil
	case "Lowercase":
		return normalizeFunc(lower), nil
	case "Nmt":
		return normalizeFunc(nmt), nil
	case "StripAccents":
		return normalizeFunc(func(s string) string { return without(s, unicode.M) }), nil
	case "ByteLevel":
		return normalizeFunc(byteLevel), nil
	case "Prepend":
		return prepend(c.Prepend), nil
	case "Strip":
		return strip{c.Left, c.Right}, nil
	case "Replace":
		m, err := c.Pattern.matcher()
		if err != nil {
			return nil, err
		}
		return replace{m, c.Content}, nil
	case "Precompiled":
		return newPrecompiled(c.Charsmap)
	case "BertNormalizer":
		accents := c.Lowercase
		if c.StripAccents != nil {
			accents = *c.StripAccents
		}
		return bertNormalizer{c.CleanText, c.Chinese, accents, c.Lowercase}, nil
	}
	return nil, fmt.Errorf("tokenizer: normalizer type %q is not supported", c.Type)
}

// prepend puts a text in front of every other but the empty one.
type prepend string

func (n prepend) normalize(s string) string {
	if s == "" {
		return s
	}
	return string(n) + s
}

// strip removes white space at the ends.
type strip struct{ left, right bool }

func (n strip) normalize(s string) string {
	if n.left {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
	}
	if n.right {
		s = strings.TrimRightFunc(s, unicode.IsSpace)
	}
	return s
}

// replace puts content in the place of every match.
type replace struct {
	what    matcher
	content string
}

func (n replace) normalize(s string) string {
	lo, hi := n.what.find(s, 0)
	if lo < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + len(n.content))
	done := 0
	for lo >= 0 {
		b.WriteString(s[done:lo])
		b.WriteString(n.content)
		done = hi
		lo, hi = n.what.find(s, hi)
	}
	b.WriteString(s[done:])
	return b.String()
}

// lower maps each character to lower case by itself, so Σ is always σ. İ is the one that becomes two characters.
func lower(s string) string {
	if strings.Contains(s, "İ") {
		s = strings.ReplaceAll(s, "İ", "i̇")
	}
	return strings.Map(unicode.ToLower, s)
}

// without removes the characters of a class.
func without(s string, class *unicode.RangeTable) string {
	return strings.Map(func(r rune) rune {
		if r >= 0x80 && unicode.Is(class, r) {
			return -1
		}
		return r
	}, s)
}

// nmt is the clean-up of Google's neural machine translation: control characters go, odd spaces become spaces.
func nmt(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 0x01 && r <= 0x08, r == 0x0B, r >= 0x0E && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
			return -1
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200B && r <= 0x200F, r == 0x2028, r == 0x2029,
			r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			return ' '
		}
		return r
	}, s)
}
