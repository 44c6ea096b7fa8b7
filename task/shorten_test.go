package task

import (
	"math/rand/v2"
	"strings"
	"testing"

	"fovea/annotation"
)

// TestShortensQuestions: words are left out by their share, the question mark stays, and a question whose words are tied to places stays whole.
func TestShortensQuestions(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	text := "what is on the left of the chair ?"
	b := &Builder{}
	if got := b.shorten(annotation.Question{Text: text}, nil); got.Text != text { // draws nothing
		t.Errorf("nothing is to be left out of %q, got %q", text, got.Text)
	}
	b.DropAsked = .25
	kept := 0
	const times = 2000
	for range times {
		got := b.shorten(annotation.Question{Text: text, Answers: []string{"table"}}, rng)
		words, marked := strings.CutSuffix(got.Text, " ?")
		if !marked || got.Answers[0] != "table" {
			t.Fatalf("%+v of %q", got, text)
		}
		kept += len(strings.Fields(words))
	}
	if share := float64(kept) / (8 * times); share < .73 || share > .77 {
		t.Errorf("%.3f of the words are kept, want .75", share)
	}
	for _, q := range []annotation.Question{{Text: text, Mentions: []annotation.Mention{{Word: 7}}}, {Text: "?"}, {Text: ""}} {
		if got := b.shorten(q, rng); strings.TrimSpace(got.Text) != q.Text {
			t.Errorf("%q became %q", q.Text, got.Text)
		}
	}
	if got := b.shorten(annotation.Question{Text: "why?"}, rng).Text; got != "why ?" {
		t.Errorf("one word became %q", got)
	}
}
