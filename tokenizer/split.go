package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// word is a part of a text on its way to the model.
type word struct {
	text  string
	first bool // it begins where the whole text begins
}

// splitter is a pre-tokenizer: it cuts text into the words that the model encodes one by one.
type splitter interface {
	// split appends the parts of w. Parts may be empty.
	split(dst []word, w word) []word
}

// splitters runs one after the other.
type splitters []splitter

func (ss splitters) split(dst []word, w word) []word {
	if len(ss) == 0 {
		return append(dst, w)
	}
	if len(ss) == 1 {
		return ss[0].split(dst, w)
	}
	for _, part := range ss[0].split(nil, w) {
		if part.text != "" {
			dst = ss[1:].split(dst, part)
		}
	}
	return dst
}

// behavior says what becomes of a match that splits text.
type behavior string

const (
	removed            behavior = "Removed"
	isolated           behavior = "Isolated"
	mergedWithPrevious behavior = "MergedWithPrevious"
	mergedWithNext     behavior = "MergedWithNext"
	contiguous         behavior = "Contiguous" // neighbours of the same kind stay together
)

// matchSplitter cuts at the matches of a pattern, or with invert at what lies between them.
type matchSplitter struct {
	what   matcher
	do     behavior
	invert bool
}

func (m matchSplitter) split(dst []word, w word) []word {
	c := cutter{w: w, do: m.do, dst: dst}
	done := 0
	for {
		lo, hi := m.what.find(w.text, done)
		if lo < 0 {
			break
		}
		c.span(done, lo, m.invert)
		c.span(lo, hi, !m.invert)
		done = hi
	}
	c.span(done, len(w.text), m.invert)
	return c.close()
}

// cutter turns a row of spans, each a match or not, into words.
type cutter struct {
	w      word
	do     behavior
	dst    []word
	lo, hi int // the word in progress
	match  bool
	any    bool
}

// span takes the next span; it begins where the last one ended.
func (c *cutter) span(lo, hi int, match bool) {
	if lo == hi {
		return
	}
	join := c.any && (c.do == contiguous && c.match == match ||
		c.do == mergedWithPrevious && match && !c.match ||
		c.do == mergedWithNext && !match && c.match)
	if !join {
		c.emit()
		c.lo = lo
	}
	c.hi, c.match, c.any = hi, match, true
}

func (c *cutter) emit() {
	if c.any && !(c.do == removed && c.match) {
		c.dst = append(c.dst, word{c.w.text[c.lo:c.hi], c.w.first && c.lo == 0})
	}
}

func (c *cutter) close() []word {
	c.emit()
	return c.dst
}

// one is a scanner for a single character that satisfies is.
func one(is func(rune) bool) scanner {
	return func(s string, i int) int {
		r, n := utf8.DecodeRuneInString(s[i:])
		if is(r) {
			return i + n
		}
		return i
	}
}

// newSplitter reads the pre_tokenizer section of a tokenizer.json; nil means none.
func newSplitter(raw json.RawMessage) (splitter, error) {
	s, err := parseSplitter(raw, 0)
	if err == nil && byteSplitters(s) > 1 {
		return nil, errors.New("tokenizer: more than one ByteLevel pre-tokenizer; each would spell the other's spelling")
	}
	return s, err
}

// byteSplitters counts the byte-level splitters in s.
func byteSplitters(s splitter) int {
	n := 0
	switch s := s.(type) {
	case byteSplitter:
		n = 1
	case splitters:
		for _, part := range s {
			n += byteSplitters(part)
		}
	}
	return n
}

func parseSplitter(raw json.RawMessage, depth int) (splitter, error) {
	if isNull(raw) {
		return nil, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("tokenizer: pre-tokenizers are nested more than %d deep", maxDepth)
	}
	var c struct {
		Type          string            `json:"type"`
		PreTokenizers []json.RawMessage `json:"pretokenizers"`
		Pattern       patternSpec       `json:"pattern"`
		Behavior      behavior          `json:"behavior"`
		Invert        bool              `json:"invert"`
		PrefixSpace   bool              `json:"add_prefix_space"`
		UseRegex      *bool             `json:"use_regex"`
		Individual    bool              `json:"individual_digits"`
		Delimiter     string            `json:"delimiter"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("tokenizer: pre-tokenizer: %w", err)
	}
	switch c.Type {
	case "Sequence":
		var seq splitters
		for _, r := range c.PreTokenizers {
			s, err := parseSplitter(r, depth+1)
			if err != nil {
				return nil, err
			}
			if s != nil {
				seq = append(seq, s)
			}
		}
		return seq, nil
	case "ByteLevel":
		return byteSplitter{c.PrefixSpace, c.UseRegex == nil || *c.UseRegex}, nil
	case "Split":
		m, err := c.Pattern.matcher()
		if err != nil {
			return nil, err
		}
		return newMatchSplitter(m, c.Behavior, c.Invert)
	case "Digits":
		if c.Individual {
			return matchSplitter{one(unicode.IsNumber), isolated, false}, nil
		}
		return matchSplitter{one(unicode.IsNumber), contiguous, false}, nil
	case "Metaspace":
		return parseMetaspace(raw)
	case "BertPreTokenizer":
		return splitters{
			matchSplitter{one(unicode.IsSpace), removed, false}, matchSplitter{one(isPunctuation), isolated, false},
		}, nil
	case "Punctuation":
		if c.Behavior == "" {
			c.Behavior = isolated
		}
		return newMatchSplitter(one(isPunctuation), c.Behavior, false)
	case "Whitespace":
		return matchSplitter{scanner(scanWords), removed, true}, nil
	case "WhitespaceSplit":
		return matchSplitter{one(unicode.IsSpace), removed, false}, nil
	case "CharDelimiterSplit":
		if utf8.RuneCountInString(c.Delimiter) != 1 {
			return nil, fmt.Errorf("tokenizer: CharDelimiterSplit's delimiter %q is not one character", c.Delimiter)
		}
		return matchSplitter{literal(c.Delimiter), removed, false}, nil
	}
	return nil, fmt.Errorf("tokenizer: pre-tokenizer type %q is not supported", c.Type)
}

func newMatchSplitter(m matcher, do behavior, invert bool) (splitter, error) {
	switch do {
	case removed, isolated, mergedWithPrevious, mergedWithNext, contiguous:
		return matchSplitter{m, do, invert}, nil
	}
	return nil, fmt.Errorf("tokenizer: split behavior %q is not one of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous", do)
}

// scanWords is \w+|[^\w\s]+.
func scanWords(s string, i int) int {
	kind := func(r rune) int {
		if isWord(r) {
			return 1
		}
		if unicode.IsSpace(r) {
			return 0
		}
		return 2
	}
	r, _ := utf8.DecodeRuneInString(s[i:])
	want := kind(r)
	for want > 0 && i < len(s) {
		r, n := utf8.DecodeRuneInString(s[i:])
		if kind(r) != want {
			break
		}
		i += n
	}
	return i
}

// byteSplitter is the byte-level pre-tokenizer: GPT-2's words, each byte spelled as a character.
type byteSplitter struct{ prefixSpace, words bool }

func (b byteSplitter) split(dst []word, w word) []word {
	if b.prefixSpace && !strings.HasPrefix(w.text, " ") {
		w.text = " " + w.text
	}
	start := len(dst)
	if b.words {
		dst = matchSplitter{scanner(scanGPT2), isolated, false}.split(dst, w)
	} else {
		dst = append(dst, w)
	}
	// One string holds the spelling of the whole text; the words are cut from it.
	spelled, at := byteLevel(w.text), 0
	for i := start; i < len(dst); i++ {
		size := 0
		for _, c := range []byte(dst[i].text) {
			size += len(byteChars[c])
		}
		dst[i].text = spelled[at : at+size]
		at += size
	}
	return dst
}
