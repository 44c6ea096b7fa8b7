package tokenizer

import "testing"

// TestLossy has the examples of the Unicode standard, section 3.9, tables 3-8 to 3-11.
func TestLossy(t *testing.T) {
	const bad = "\uFFFD"
	for text, want := range map[string]string{
		"":                                     "",
		"ok ✓":                                 "ok ✓",
		"a\uFFFDb":                             "a\uFFFDb",
		"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82A":    bad + bad + bad + bad + bad + bad + bad + bad + "A",
		"\xED\xA0\x80\xED\xBF\xBF\xED\xAFA":    bad + bad + bad + bad + bad + bad + bad + bad + "A",
		"\xF4\x91\x92\x93\xFFA\x80\xBFB":       bad + bad + bad + bad + bad + "A" + bad + bad + "B",
		"\xE1\x80\xE2\xF0\x91\x92\xF1\xBFA":    bad + bad + bad + bad + "A",
		"é\xC3":                                "é" + bad,
		"\xF0\x9F\x99":                         bad,
		"\xF0\x9F\x99\x82\xF0\x9F\x99\xE2\x82": "🙂" + bad + bad,
	} {
		if got := lossy(text); got != want {
			t.Errorf("lossy(%q) = %q, want %q", text, got, want)
		}
	}
}
