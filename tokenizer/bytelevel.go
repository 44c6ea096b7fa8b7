package tokenizer

import "strings"

// byteChars spells each byte as a visible character (Radford et al. 2019): printable ones as themselves, the others in
// order from U+0100 on. A space is Ġ.
var byteChars, charBytes = func() (chars [256]string, bytes map[rune]byte) {
	bytes = make(map[rune]byte, 256)
	next := rune(0x100)
	for b := range chars {
		r := rune(b)
		if !visible(byte(b)) {
			r = next
			next++
		}
		chars[b] = string(r)
		bytes[r] = byte(b)
	}
	return chars, bytes
}()

// visible reports the bytes that are spelled as themselves: printable Latin-1 without the soft hyphen.
func visible(b byte) bool {
	return b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE
}

// alphabet is the 256 spellings in the order in which GPT-2, CLIP and the trainers number them.
func alphabet() []string {
	out := make([]string, 0, 256)
	for _, want := range [...]bool{true, false} {
		for b := range 256 {
			if visible(byte(b)) == want {
				out = append(out, byteChars[b])
			}
		}
	}
	return out
}

// byteLevel spells every byte of s as a character.
func byteLevel(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/4 + 1)
	for i := range len(s) {
		b.WriteString(byteChars[s[i]])
	}
	return b.String()
}

// appendBytesOf appends the bytes that piece spells, or piece itself if a character in it spells none.
func appendBytesOf(dst []byte, piece string) []byte {
	start := len(dst)
	for _, r := range piece {
		b, ok := charBytes[r]
		if !ok {
			return append(dst[:start], piece...)
		}
		dst = append(dst, b)
	}
	return dst
}
