package tokenizer

import "strings"

// byteChars spells each byte as a visible character (Radford et al. 2019): printable ones as themselves, the others in
// order from U+0100 on; a space is Ġ. charBytes is the inverse, -1 for other characters.
var byteChars, charBytes = func() (chars [256]string, bytes [maxByteChar + 1]int16) {
	for r := range bytes {
		bytes[r] = -1
	}
	next := rune(0x100)
	for b := range chars {
		r := rune(b)
		if !visible(byte(b)) {
			r = next
			next++
		}
		chars[b] = string(r)
		bytes[r] = int16(b)
	}
	return chars, bytes
}()

// maxByteChar is the largest spelling: 68 bytes are not visible.
const maxByteChar = 0x100 + 68 - 1

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
		if r > maxByteChar || charBytes[r] < 0 {
			return append(dst[:start], piece...)
		}
		dst = append(dst, byte(charBytes[r]))
	}
	return dst
}
