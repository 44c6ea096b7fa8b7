package tokenizer

import "strings"

// anchors are pieces of which one stands before another, to see what that adds to a text.
var anchors = []string{`"`, "a", "."}

// Bytes is what a piece adds to a text that has begun: unlike its decoding by itself, bytes of a part of a character stay what
// they are. Pieces that were added to the vocabulary, special or not, give nil, and so do ids that are none.
func (p *Pipeline) Bytes(id ID) []byte {
	if _, added := p.added.byID[id]; added {
		return nil
	}
	piece, ok := p.spelling(id)
	if !ok {
		return nil
	}
	if len(p.dec) == 1 {
		if _, ok := p.dec[0].(byteDecoder); ok {
			return appendBytesOf(nil, piece)
		}
	}
	for _, a := range anchors {
		first, ok := p.Token(a)
		if !ok {
			continue
		}
		before := p.Decode([]ID{first}, false)
		text, ok := strings.CutPrefix(p.Decode([]ID{first, id}, false), before)
		if !ok {
			return nil
		}
		if b, ok := fallbackByte(piece); ok && text != piece { // <0xC3> is a byte, and by itself no character
			return []byte{b}
		}
		return []byte(text)
	}
	return nil
}
