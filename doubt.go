package fovea

import (
	"math"
	"strings"
)

// Doubt says how a description or a name of the whole picture is to be told to people who asked for whatever there is: as a fact, with a
// "perhaps", or not at all unless they ask. Objects have a threshold for that, and programs the scores.
type Doubt string

// The doubts.
const (
	Sure    Doubt = ""
	Perhaps Doubt = "perhaps"
	Guess   Doubt = "guess"
)

// The least probabilities: of the best name of the whole picture, to be told without and with a "perhaps"; and of a description's words, on
// average, as one that makes its way from likely word to likely word is seldom true as a whole when they are less.
const (
	sureClass  = .3
	leastClass = .1
	sureWord   = .6
)

// ClassDoubt is the doubt about the best of the picture's names; a Guess when there are none.
func (r *Result) ClassDoubt() Doubt {
	switch {
	case len(r.Classes) == 0 || r.Classes[0].Score < leastClass:
		return Guess
	case r.Classes[0].Score < sureClass:
		return Perhaps
	}
	return Sure
}

// CaptionDoubt is the doubt about the description, Sure or Guess; a Guess when there is none. A model that does not score its words is believed.
func (r *Result) CaptionDoubt() Doubt {
	c := r.Caption
	if c == nil {
		return Guess
	}
	words := len(strings.Fields(c.Text)) + 1 // and the end
	if c.Score > 0 && math.Pow(c.Score, 1/float64(words)) < sureWord {
		return Guess
	}
	return Sure
}
