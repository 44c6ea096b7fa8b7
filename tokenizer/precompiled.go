package tokenizer

import (
	"encoding/binary"
	"errors"
	"strings"
)

// precompiled is SentencePiece's character map: a double-array trie (Darts) whose values are offsets into a block of
// NUL-terminated replacements.
type precompiled struct {
	units        []uint32
	replacements string
	longest      int // bytes of the longest replacement
}

// newPrecompiled reads the map: the trie's size in bytes, the trie, the replacements; little-endian.
func newPrecompiled(b []byte) (normalizer, error) {
	if len(b) < 4 {
		return nil, errors.New("tokenizer: precompiled_charsmap is shorter than its header")
	}
	size := binary.LittleEndian.Uint32(b)
	b = b[4:]
	if uint64(size) > uint64(len(b)) || size%4 != 0 || size == 0 {
		return nil, errors.New("tokenizer: precompiled_charsmap is cut off or its trie has a broken size")
	}
	p := &precompiled{units: make([]uint32, size/4), replacements: lossy(string(b[size:]))}
	for i := range p.units {
		p.units[i] = binary.LittleEndian.Uint32(b[4*i:])
	}
	for text := range strings.SplitSeq(p.replacements, "\x00") {
		p.longest = max(p.longest, len(text))
	}
	return p, nil
}

// lookup is the replacement of the shortest key that begins text.
func (p *precompiled) lookup(text string) (string, bool) {
	offset := func(u uint32) uint32 { return (u >> 10) << ((u & (1 << 9)) >> 6) }
	at := offset(p.units[0])
	for i := 0; i < len(text); i++ {
		c := uint32(text[i])
		at ^= c
		if c == 0 || int64(at) >= int64(len(p.units)) {
			return "", false
		}
		u := p.units[at]
		if u&(1<<31|0xFF) != c {
			return "", false
		}
		at ^= offset(u)
		if u>>8&1 == 1 { // a key ends here; the unit that at leads to holds its value
			if int64(at) >= int64(len(p.units)) {
				return "", false
			}
			value := p.units[at] &^ (1 << 31)
			if int64(value) > int64(len(p.replacements)) {
				return "", false
			}
			text, _, _ := strings.Cut(p.replacements[value:], "\x00")
			return text, true
		}
	}
	return "", false
}

// normalize replaces short grapheme clusters as a whole, if a key begins them, and other text character by character.
// A cluster may so lose the marks behind its key: the reference does it, and published models were trained with it.
func (p *precompiled) normalize(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for len(s) > 0 {
		n := clusterLen(s)
		if n < 6 {
			if text, ok := p.lookup(s[:n]); ok {
				b.WriteString(text)
				s = s[n:]
				continue
			}
		}
		for _, r := range s[:n] {
			c := string(r)
			if text, ok := p.lookup(c); ok {
				c = text
			}
			b.WriteString(c)
		}
		s = s[n:]
	}
	return b.String()
}
