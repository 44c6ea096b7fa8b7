package serve

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"fovea"
)

// deltas turns a text that grows into the pieces that clients put together.
type deltas struct {
	sent     string
	verbatim bool // the text grows as it will be in the end
}

// next is what text adds to what was sent; nothing when it adds nothing yet: a letter that is not complete, or a beginning
// that has changed, waits for the rest.
func (d *deltas) next(text string) string {
	if !d.verbatim {
		text = tidy(text)
	}
	for len(text) > 0 {
		if r, n := utf8.DecodeLastRuneInString(text); r != utf8.RuneError {
			break
		} else {
			text = text[:len(text)-n]
		}
	}
	more, ok := strings.CutPrefix(text, d.sent)
	if !ok {
		return ""
	}
	d.sent = text
	return more
}

// rest is what completes the text. Where its beginning has changed, which only words of several letters that belong
// together do, the end is what counts.
func (d *deltas) rest(text string) string {
	n := 0
	for n < min(len(text), len(d.sent)) && text[n] == d.sent[n] {
		n++
	}
	for n > 0 && n < len(text) && !utf8.RuneStart(text[n]) {
		n--
	}
	d.sent = text
	return text[n:]
}

// tidy removes the spaces that a model's text has before punctuation, as the final text has none.
var punctuation = strings.NewReplacer(" ,", ",", " .", ".", " ?", "?", " !", "!", " ;", ";", " :", ":")

func tidy(s string) string { return punctuation.Replace(s) }

// said is the text of an answer in words.
func said(r *fovea.Result) string {
	switch {
	case r.Caption != nil:
		return r.Caption.Text
	case len(r.Answers) > 0:
		return r.Answers[0].Answer
	}
	return ""
}

// digestOf stands for a model where clients want a digest of its files.
func digestOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// millions is a number of parameters as people write it.
func millions(n int) string {
	if n >= 1e9 {
		return fmt.Sprintf("%.1fB", float64(n)/1e9)
	}
	return fmt.Sprintf("%.1fM", float64(n)/1e6)
}
