package tokenizer

import (
	"unicode"
	"unicode/utf8"
)

// clusterLen is the length in bytes of the extended grapheme cluster that begins s (Unicode annex 29): what a reader
// takes for one character. s is valid UTF-8 and not empty.
//
// It serves precompiled, which only treats clusters of up to 5 bytes as one. The rules for pictures joined by a ZWJ and
// for Indic conjuncts join longer ones only, so they are left out: their parts fall into clusters that come to the same.
func clusterLen(s string) int {
	r, n := utf8.DecodeRuneInString(s)
	if n < len(s) && r < 0x80 && s[n] < 0x80 && r != '\r' {
		return n
	}
	kind := breakOf(r)
	flags := 0 // regional indicators in a row
	for n < len(s) {
		if kind == flag {
			flags++
		} else {
			flags = 0
		}
		r, size := utf8.DecodeRuneInString(s[n:])
		next := breakOf(r)
		if !joined(kind, next, flags) {
			break
		}
		kind = next
		n += size
	}
	return n
}

type graphemeBreak uint8

const (
	anyBreak graphemeBreak = iota
	cr
	lf
	control
	extend // and ZWJ
	spacing
	prepended
	flag // regional indicator
	hangulL
	hangulV
	hangulT
	hangulLV
	hangulLVT
)

// joined reports that no boundary lies between two characters; flags counts the regional indicators up to a.
func joined(a, b graphemeBreak, flags int) bool {
	switch {
	case a == cr && b == lf:
		return true
	case a == cr || a == lf || a == control || b == cr || b == lf || b == control:
		return false
	case b == extend || b == spacing || a == prepended:
		return true
	case a == flag && b == flag:
		return flags%2 == 1
	case a == hangulL:
		return b == hangulL || b == hangulV || b == hangulLV || b == hangulLVT
	case a == hangulLV || a == hangulV:
		return b == hangulV || b == hangulT
	case a == hangulLVT || a == hangulT:
		return b == hangulT
	}
	return false
}

// breakOf is the Grapheme_Cluster_Break property, as far as joined needs it.
func breakOf(r rune) graphemeBreak {
	switch {
	case r == '\r':
		return cr
	case r == '\n':
		return lf
	case r < 0x20 || r == 0x7F:
		return control
	case r < 0xA9:
		if r >= 0x80 && r < 0xA0 {
			return control
		}
		return anyBreak
	case r >= 0x1F1E6 && r <= 0x1F1FF:
		return flag
	case r >= 0x1F3FB && r <= 0x1F3FF, r == 0x200D, r == 0x200C: // skin tones, ZWJ, ZWNJ
		return extend
	case r >= 0x1100 && r <= 0x11FF || r >= 0xA960 && r <= 0xA97C || r >= 0xAC00 && r <= 0xD7FB:
		return hangul(r)
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Other_Grapheme_Extend):
		return extend
	case isPrepend(r):
		return prepended
	case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
		return control
	case r == 0x0E33 || r == 0x0EB3 || unicode.Is(unicode.Mc, r) && !isLetterLikeMark(r):
		return spacing
	}
	return anyBreak
}

func hangul(r rune) graphemeBreak {
	switch {
	case r <= 0x115F || r >= 0xA960 && r <= 0xA97C:
		return hangulL
	case r <= 0x11A7 || r >= 0xD7B0 && r <= 0xD7C6:
		return hangulV
	case r <= 0x11FF || r >= 0xD7CB:
		return hangulT
	case r > 0xD7A3:
		return anyBreak
	case (r-0xAC00)%28 == 0:
		return hangulLV
	}
	return hangulLVT
}

// isPrepend is Grapheme_Cluster_Break=Prepend.
func isPrepend(r rune) bool {
	switch r {
	case 0x0D4E, 0x111C2, 0x111C3, 0x113D1, 0x1193F, 0x11941, 0x11A84, 0x11A85, 0x11A86, 0x11A87, 0x11A88, 0x11A89, 0x11D46, 0x11F02:
		return true
	}
	return unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// isLetterLikeMark reports the spacing marks that annex 29 excludes from SpacingMark.
func isLetterLikeMark(r rune) bool {
	switch r {
	case 0x102B, 0x102C, 0x1038, 0x1062, 0x1063, 0x1064, 0x1067, 0x1068, 0x1069, 0x106A, 0x106B, 0x106C, 0x106D,
		0x1083, 0x1087, 0x1088, 0x1089, 0x108A, 0x108B, 0x108C, 0x108F, 0x109A, 0x109B, 0x109C,
		0x1A61, 0x1A63, 0x1A64, 0xAA7B, 0xAA7D, 0x11720, 0x11721:
		return true
	}
	return false
}
