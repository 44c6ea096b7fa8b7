package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// metaspace spells spaces as a visible character, puts one in front of the text and cuts before each [SentencePiece].
// It is a pre-tokenizer and a decoder.
type metaspace struct {
	mark    string // ▁
	prepend string // "always", "first" or "never"
	cut     bool
}

func parseMetaspace(raw json.RawMessage) (*metaspace, error) {
	var c struct {
		Replacement string `json:"replacement"`
		Prepend     string `json:"prepend_scheme"`
		PrefixSpace *bool  `json:"add_prefix_space"` // older files have this instead
		Split       *bool  `json:"split"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("tokenizer: Metaspace: %w", err)
	}
	if utf8.RuneCountInString(c.Replacement) != 1 {
		return nil, fmt.Errorf("tokenizer: Metaspace's replacement %q is not one character", c.Replacement)
	}
	if c.Prepend == "" {
		c.Prepend = "always"
		if c.PrefixSpace != nil && !*c.PrefixSpace {
			c.Prepend = "never"
		}
	}
	switch c.Prepend {
	case "always", "first", "never":
	default:
		return nil, fmt.Errorf("tokenizer: Metaspace's prepend_scheme %q is not one of always, first, never", c.Prepend)
	}
	return &metaspace{c.Replacement, c.Prepend, c.Split == nil || *c.Split}, nil
}

func (m *metaspace) split(dst []word, w word) []word {
	w.text = strings.ReplaceAll(w.text, " ", m.mark)
	if (m.prepend == "always" || m.prepend == "first" && w.first) && !strings.HasPrefix(w.text, m.mark) {
		w.text = m.mark + w.text
	}
	if !m.cut {
		return append(dst, w)
	}
	return matchSplitter{literal(m.mark), mergedWithNext, false}.split(dst, w)
}

// decode implements decoder: the first piece's marks are the ones that split put in front.
func (m *metaspace) decode(pieces []string) []string {
	for i, p := range pieces {
		with := " "
		if i == 0 && m.prepend != "never" {
			with = ""
		}
		pieces[i] = strings.ReplaceAll(p, m.mark, with)
	}
	return pieces
}
