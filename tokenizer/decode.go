package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// decoder is one step from pieces to text. It may change the slice that it is given.
type decoder interface {
	decode(pieces []string) []string
}

// decodeFunc is a decoder without settings.
type decodeFunc func([]string) []string

func (f decodeFunc) decode(pieces []string) []string { return f(pieces) }

// newDecoder reads the decoder section of a tokenizer.json.
func newDecoder(raw json.RawMessage) ([]decoder, error) {
	ds, err := parseDecoder(raw, 0)
	if err != nil {
		return nil, err
	}
	longer := 1.0
	for _, d := range ds {
		if r, ok := d.(replaceDecoder); ok {
			longer *= max(1, float64(len(r.content)))
		}
	}
	if longer > maxGrow {
		return nil, fmt.Errorf("tokenizer: the decoders could make a text %.3g times longer; the limit is %d", longer, maxGrow)
	}
	return ds, nil
}

func parseDecoder(raw json.RawMessage, depth int) ([]decoder, error) {
	if isNull(raw) {
		return nil, nil
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("tokenizer: decoders are nested more than %d deep", maxDepth)
	}
	var c struct {
		Type     string            `json:"type"`
		Decoders []json.RawMessage `json:"decoders"`
		Pattern  patternSpec       `json:"pattern"`
		Content  string            `json:"content"`
		Start    int               `json:"start"`
		Stop     int               `json:"stop"`
		Prefix   string            `json:"prefix"`
		Cleanup  bool              `json:"cleanup"`
		Suffix   string            `json:"suffix"`
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, fmt.Errorf("tokenizer: decoder: %w", err)
	}
	switch c.Type {
	case "Sequence":
		var seq []decoder
		for _, r := range c.Decoders {
			d, err := parseDecoder(r, depth+1)
			if err != nil {
				return nil, err
			}
			seq = append(seq, d...)
		}
		return seq, nil
	case "ByteLevel":
		return []decoder{byteDecoder{}}, nil
	case "ByteFallback":
		return []decoder{decodeFunc(decodeByteFallback)}, nil
	case "Fuse":
		return []decoder{decodeFunc(fuse)}, nil
	case "Metaspace":
		m, err := parseMetaspace(raw)
		return []decoder{m}, err
	case "WordPiece":
		return []decoder{wordPieceDecoder{c.Prefix, c.Cleanup}}, nil
	case "BPEDecoder":
		if c.Suffix == "" {
			return nil, errors.New("tokenizer: BPEDecoder's suffix is empty")
		}
		return []decoder{suffixDecoder(c.Suffix)}, nil
	case "Strip":
		if utf8.RuneCountInString(c.Content) != 1 {
			return nil, fmt.Errorf("tokenizer: decoder Strip's content %q is not one character", c.Content)
		}
		return []decoder{stripDecoder{c.Content, c.Start, c.Stop}}, nil
	case "Replace":
		m, err := c.Pattern.matcher()
		return []decoder{replaceDecoder{m, c.Content}}, err
	}
	return nil, fmt.Errorf("tokenizer: decoder type %q is not supported", c.Type)
}

func fuse(pieces []string) []string { return []string{strings.Join(pieces, "")} }

// byteDecoder reads the bytes that byte-level pieces spell.
type byteDecoder struct{}

func (byteDecoder) decode(pieces []string) []string {
	var b []byte
	for _, p := range pieces {
		b = appendBytesOf(b, p)
	}
	return []string{lossy(string(b))}
}

// decodeByteFallback turns runs of <0xNN> into the characters that they spell, or into one U+FFFD a byte if the run as
// a whole is not UTF-8.
func decodeByteFallback(pieces []string) []string {
	out := make([]string, 0, len(pieces))
	var bytes []byte
	flush := func() {
		switch {
		case len(bytes) == 0:
		case utf8.Valid(bytes):
			out = append(out, string(bytes))
		default:
			out = append(out, strings.Repeat("\uFFFD", len(bytes)))
		}
		bytes = bytes[:0]
	}
	for _, p := range pieces {
		if b, ok := fallbackByte(p); ok {
			bytes = append(bytes, b)
			continue
		}
		flush()
		out = append(out, p)
	}
	flush()
	return out
}

// fallbackByte reads <0xNN>.
func fallbackByte(p string) (byte, bool) {
	if len(p) != 6 || p[:3] != "<0x" || p[5] != '>' {
		return 0, false
	}
	hi, okHi := hexDigit(p[3])
	lo, okLo := hexDigit(p[4])
	return hi<<4 | lo, okHi && okLo
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// wordPieceDecoder joins continuations and puts spaces between words.
type wordPieceDecoder struct {
	prefix  string
	cleanup bool // no space before punctuation and within contractions
}

// cleanups are applied in this order, each to one piece.
var cleanups = [...][2]string{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}

func (d wordPieceDecoder) decode(pieces []string) []string {
	for i, p := range pieces {
		if i > 0 {
			rest, ok := strings.CutPrefix(p, d.prefix)
			if !ok {
				rest = " " + p
			}
			p = rest
		}
		if d.cleanup {
			for _, c := range cleanups {
				p = strings.ReplaceAll(p, c[0], c[1])
			}
		}
		pieces[i] = p
	}
	return pieces
}

// suffixDecoder turns the mark of a word's end into a space, except in the last piece.
type suffixDecoder string

func (d suffixDecoder) decode(pieces []string) []string {
	for i, p := range pieces {
		with := " "
		if i == len(pieces)-1 {
			with = ""
		}
		pieces[i] = strings.ReplaceAll(p, string(d), with)
	}
	return pieces
}

// wordEnds adds to the byte-level decoder of a vocabulary with a mark at word ends, CLIP's </w>, what the transformers
// library does after it: marks become spaces, and the ends are trimmed.
func wordEnds(dec []decoder, mark string) []decoder {
	if mark == "" || len(dec) != 1 {
		return dec
	}
	if _, ok := dec[0].(byteDecoder); !ok {
		return dec
	}
	return append(dec, decodeFunc(func(pieces []string) []string {
		for i, p := range pieces {
			pieces[i] = strings.TrimSpace(strings.ReplaceAll(p, mark, " "))
		}
		return pieces
	}))
}

// stripDecoder removes up to start and stop copies of a character at the ends of each piece.
type stripDecoder struct {
	content     string
	start, stop int
}

func (d stripDecoder) decode(pieces []string) []string {
	for i, p := range pieces {
		for n := 0; n < d.start && strings.HasPrefix(p, d.content); n++ {
			p = p[len(d.content):]
		}
		for n := 0; n < d.stop && strings.HasSuffix(p, d.content); n++ {
			p = p[:len(p)-len(d.content)]
		}
		pieces[i] = p
	}
	return pieces
}

// replaceDecoder replaces the matches within each piece.
type replaceDecoder struct {
	what    matcher
	content string
}

func (d replaceDecoder) decode(pieces []string) []string {
	for i, p := range pieces {
		pieces[i] = replace(d).normalize(p)
	}
	return pieces
}
