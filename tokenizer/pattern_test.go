package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// TestScannersAgainstRegexp holds the patterns written by hand against Go's regexp, on text made to hit their corners.
func TestScannersAgainstRegexp(t *testing.T) {
	const alphabet = "aAsStTdmlLrevVE''’ſé中🙂\u0301 0019½Ⅷ٣\n\n\r\t\v\u0085\u00a0\u3000  .,!?-_/<|>startofendtext"
	for _, expr := range []string{patternGPT2, patternQwen2, patternLlama3, patternCLIP, patternSpace, patternControl} {
		want, err := translatePattern(expr)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(3, 4))
		got := knownScanner(expr)
		for i := range 3000 {
			text := randomText(r, alphabet, 1+i%25)
			if i%7 == 0 {
				text = strings.ReplaceAll(text, "a", "<|startoftext|>") + "\x00\x1f<|endoftext|>\u0080\u0085\u009f'll"
			}
			comparePattern(t, expr, text, got, want)
		}
	}
}

func comparePattern(t *testing.T, expr, text string, got, want matcher) {
	t.Helper()
	for at := 0; at < len(text); {
		lo, hi := got.find(text, at)
		wantLo, wantHi := want.find(text, at)
		if lo != wantLo || hi != wantHi {
			t.Fatalf("%s in %q from %d: %d:%d, want %d:%d", expr, text, at, lo, hi, wantLo, wantHi)
		}
		if lo < 0 {
			return
		}
		at = hi
	}
}

func TestPatternErrors(t *testing.T) {
	for _, expr := range []string{
		`(?<=a)b`, `a(?!b)`, `(?=x)`, `\bword`, `\w+`, `^a`, `a$`, `a++`, `(?>a)`, `[a[b]]`, `[a&&b]`, `a*`, ``, `\`, `[`, `[]a]`, `(`,
		`[\S]`, `\p{Nonsense}`, `(?i)a`, `\h`, `\1`, `(a{1000}){1000}`, `[^a` + tail, `(a` + tail,
	} {
		_, err := newPattern(expr)
		if err == nil {
			t.Errorf("%q was accepted", expr)
			continue
		}
		if expr != "" && !strings.Contains(err.Error(), strings.Trim(strings.ReplaceAll(expr, `\`, `\\`), " ")) {
			t.Errorf("the error for %q does not name it: %v", expr, err)
		}
	}
}

func TestPatternTranslated(t *testing.T) {
	for _, c := range []struct{ expr, text, want string }{
		{` {2,}`, "a  b   c d", "  |   "},
		{`[^\s]{2,3}`, "ab cdefg\u3000h", "ab|cde|fg"},
		{`\s`, "a\u00a0b\u0085c\vd", "\u00a0|\u0085|\v"},
		{`\S+`, "a\u2003bc", "a|bc"},
		{`\d+`, "1٣a½", "1٣"},
		{`[\!\"\#\'\\\]]`, `a!"#'\]b`, `!|"|#|'|\|]`},
		{`(a|b)c`, "acbc", "ac|bc"},
		{`(?i:é)+|x` + tail, "éÉ   xx  ", "éÉ|  | |x|x|  "},
	} {
		m, err := newPattern(c.expr)
		if err != nil {
			t.Error(err)
			continue
		}
		var got []string
		for lo, hi := m.find(c.text, 0); lo >= 0; lo, hi = m.find(c.text, hi) {
			got = append(got, c.text[lo:hi])
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%q in %q matches %q, want %q", c.expr, c.text, s, c.want)
		}
	}
}
