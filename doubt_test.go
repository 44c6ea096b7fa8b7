package fovea

import "testing"

// Doubts follow the scores.
func TestDoubt(t *testing.T) {
	name := func(score float64) []Class {
		return []Class{{Label: "ball", Score: score}, {Label: "ring", Score: .01}}
	}
	for _, c := range []struct {
		r             Result
		class, phrase Doubt
	}{
		{Result{}, Guess, Guess},
		{Result{Classes: name(.3)}, Sure, Guess},
		{Result{Classes: name(.29)}, Perhaps, Guess},
		{Result{Classes: name(.1)}, Perhaps, Guess},
		{Result{Classes: name(.09)}, Guess, Guess},
		{Result{Caption: &Caption{Text: "a cat on a mat", Score: .0467}}, Guess, Sure}, // five words and the end: .6 each
		{Result{Caption: &Caption{Text: "a cat on a mat", Score: .0466}}, Guess, Guess},
		{Result{Caption: &Caption{Text: "a cat on a mat"}}, Guess, Sure}, // not scored
	} {
		if a, b := c.r.ClassDoubt(), c.r.CaptionDoubt(); a != c.class || b != c.phrase {
			t.Errorf("%+v: %q and %q, want %q and %q", c.r, a, b, c.class, c.phrase)
		}
	}
}
