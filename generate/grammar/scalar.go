package grammar

import "sort"

// A literal's thread is at byte at of literals [x, y), which are those that begin as has been written.
func (t *thread) literal(b byte, out *state) {
	lits, at := t.n.literals[t.x:t.y], int(t.at)
	lo := sort.Search(len(lits), func(i int) bool { return len(lits[i]) > at && lits[i][at] >= b })
	hi := lo + sort.Search(len(lits)-lo, func(i int) bool { return lits[lo+i][at] > b })
	if lo == hi {
		return
	}
	next := *t
	next.x, next.y, next.at = t.x+int32(lo), t.x+int32(hi), t.at+1
	if len(lits[lo]) == at+1 { // the first of them is the shortest
		out.leave(t.up)
		next.x++
	}
	if next.x < next.y {
		out.threads = append(out.threads, next)
	}
}

// Places in a text.
const (
	textBefore = iota // the opening quote comes
	textPlain
	textEscape  // \
	textHex1    // \u
	textHexD    // \ud: half of a pair of surrogates follows, or a character below them
	textHex2    // \uX
	textHex3    // \uXX
	textHex4    // \uXXX
	textTail1   // a character's last byte
	textTail2   // two bytes
	textTail3   // three
	textE0      // the second byte of three is A0 … BF
	textED      // 80 … 9F
	textF0      // of four: 90 … BF
	textF4      // 80 … 8F
	textPlaces_ // number of places
)

var textRest = [textPlaces_]uint8{2, 1, 2, 5, 4, 4, 3, 2, 2, 3, 4, 3, 3, 4, 4}

// text follows RFC 8259 and UTF-8. Escapes are no surrogates: alone they stand for nothing.
func (t *thread) text(b byte, out *state) {
	to := textStep(t.at, b)
	switch {
	case to >= 0:
		next := *t
		next.at = to
		out.threads = append(out.threads, next)
	case to == textEnd:
		out.leave(t.up)
	}
}

const (
	textEnd   = -1
	textWrong = -2
)

// textStep is the place after a byte.
func textStep(at int32, b byte) int32 {
	within := func(lo, hi byte, to int32) int32 {
		if b < lo || b > hi {
			return textWrong
		}
		return to
	}
	switch at {
	case textBefore:
		return within('"', '"', textPlain)
	case textPlain:
		switch {
		case b == '"':
			return textEnd
		case b == '\\':
			return textEscape
		case b >= 0x20 && b < 0x80:
			return textPlain
		case b >= 0xc2 && b <= 0xdf:
			return textTail1
		case b == 0xe0:
			return textE0
		case b == 0xed:
			return textED
		case b > 0xe0 && b <= 0xef:
			return textTail2
		case b == 0xf0:
			return textF0
		case b == 0xf4:
			return textF4
		case b > 0xf0 && b < 0xf4:
			return textTail3
		}
	case textEscape:
		switch b {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			return textPlain
		case 'u':
			return textHex1
		}
	case textHex1:
		if b == 'd' || b == 'D' {
			return textHexD
		}
		return hex(b, textHex2)
	case textHexD:
		return within('0', '7', textHex3)
	case textHex2, textHex3:
		return hex(b, at+1)
	case textHex4:
		return hex(b, textPlain)
	case textTail1:
		return within(0x80, 0xbf, textPlain)
	case textTail2, textTail3:
		return within(0x80, 0xbf, at-1)
	case textE0:
		return within(0xa0, 0xbf, textTail1)
	case textED:
		return within(0x80, 0x9f, textTail1)
	case textF0:
		return within(0x90, 0xbf, textTail2)
	case textF4:
		return within(0x80, 0x8f, textTail2)
	}
	return textWrong
}

func hex(b byte, to int32) int32 {
	if b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F' {
		return to
	}
	return textWrong
}

// Places in a number; y counts the digits of a run.
const (
	numberBefore = iota
	numberMinus
	numberZero // in place of the digits before the point
	numberDigits
	numberPoint
	numberFraction
	numberPlaces_
)

var numberRest = [numberPlaces_]uint8{1, 1, 0, 0, 1, 0}

// maxDigits keeps numbers within what a float64 tells apart.
const maxDigits = 15

func (t *thread) number(b byte, out *state) {
	next := *t
	digit := b >= '0' && b <= '9'
	next.y++
	switch {
	case t.at == numberBefore && b == '-':
		next.at = numberMinus
	case t.at <= numberMinus && b == '0':
		next.at = numberZero
	case t.at <= numberMinus && digit:
		next.at, next.y = numberDigits, 1
	case t.at == numberDigits && digit && t.y < maxDigits:
	case (t.at == numberZero || t.at == numberDigits) && b == '.' && t.n.kind == number:
		next.at = numberPoint
	case t.at == numberPoint && digit:
		next.at, next.y = numberFraction, 1
	case t.at == numberFraction && digit && t.y < maxDigits:
	default:
		return
	}
	if next.at != numberDigits && next.at != numberFraction {
		next.y = 0
	}
	out.threads = append(out.threads, next)
	if numberRest[next.at] == 0 {
		out.leave(t.up)
	}
}
