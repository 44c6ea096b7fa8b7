package augment

import (
	"math/rand/v2"
	"slices"
	"strings"

	"fovea/annotation"
)

// mirrorable reports that a picture with these annotations stays true when it is mirrored: its texts name sides only in
// ways that mirrorText understands and do not speak of what a mirror spoils; no label names a side, since the mirrored
// thing may have no label; joints come with a skeleton that says how they swap.
func mirrorable(p *annotation.Picture) bool {
	if sided(p.Class) {
		return false
	}
	for i := range p.Objects {
		o := &p.Objects[i]
		if sided(o.Label) || len(o.Joints) > 0 && !flips(o) {
			return false
		}
	}
	ok := func(s string) bool {
		_, ok := mirrorText(s)
		return ok && !spoils(s)
	}
	for i := range p.Questions {
		u := &p.Questions[i]
		if !ok(u.Text) || slices.ContainsFunc(u.Answers, func(s string) bool { _, ok := mirrorText(s); return !ok }) {
			return false
		}
	}
	return !slices.ContainsFunc(p.Captions, func(s string) bool { return !ok(s) })
}

// mirrorTexts is the texts with sides swapped; the same slice when nothing changes.
func mirrorTexts(texts []string) []string {
	out := texts
	for i, s := range texts {
		if m, _ := mirrorText(s); m != s {
			if &out[0] == &texts[0] {
				out = slices.Clone(texts)
			}
			out[i] = m
		}
	}
	return out
}

// mirrorText swaps the words left and right where they plainly name a side:
//
//	left | is it left of the star ? | the left hand | on the right | leftmost | facing left | left or right ?
//
// It returns the text as it was, and false, when it uses one of the words otherwise: "what is left ?", "right now".
func mirrorText(s string) (string, bool) {
	if !sided(s) {
		return s, true
	}
	var words []string
	var starts []int
	for w, at := range wordsOf(s) {
		words, starts = append(words, strings.ToLower(w)), append(starts, at)
	}
	word := func(i int) string {
		if i < 0 || i >= len(words) {
			return ""
		}
		return words[i]
	}
	var b strings.Builder
	at := 0
	for i, w := range words {
		side, rest := splitSide(w)
		if side == "" {
			continue
		}
		if rest == "" && !namesSide(word(i-2), word(i-1), word(i+1), word(i+2), len(words)) {
			return s, false
		}
		b.WriteString(s[at:starts[i]])
		at = starts[i] + len(side)
		b.WriteString(likeCase(s[starts[i]:at], otherSide(side)))
	}
	b.WriteString(s[at:])
	return b.String(), true
}

var (
	// What a side may be of, after the word: "left of", "right hand".
	afterSide = wordSet(`of side sided hand handed half corner edge part portion end most lane bank arm leg foot eye ear shoulder elbow
		wrist hip knee ankle wing shoe glove sock sleeve`)
	beforeSide = wordSet(`on to from onto facing far top bottom upper lower middle center centre`)
	preSide    = wordSet(`on to from onto toward towards`) // with "the" between
	notSide    = wordSet(`now away after before`)          // "right now"
)

func namesSide(before2, before, after, after2 string, words int) bool {
	pair := func(joint, other string) bool {
		return (joint == "or" || joint == "and") && (other == "left" || other == "right")
	}
	switch {
	case notSide[after]:
		return false
	case words == 1, afterSide[after], beforeSide[before], pair(after, after2), pair(before, before2):
		return true
	}
	return before == "the" && preSide[before2]
}

// spoiling words speak of what is wrong in a mirror: writing, clocks, senses of rotation.
var spoiling = wordSet(`say says said written writing write read reads letter letters word words text spell spelled spells sign signs logo
	brand license licence clock time clockwise counterclockwise anticlockwise`)

func spoils(s string) bool {
	for w := range wordsOf(s) {
		if len(w) <= 16 && spoiling[strings.ToLower(w)] {
			return true
		}
	}
	return false
}

// sided reports that a word of the text begins with a side and may mean it: left, Right, left_knee, rightmost.
func sided(s string) bool {
	for w := range wordsOf(s) {
		if side, _ := splitSide(w); side != "" {
			return true
		}
	}
	return false
}

// splitSide splits "leftmost" into left and most; the side is "" for words that only look alike, such as leftover.
func splitSide(w string) (side, rest string) {
	for _, side := range []string{"left", "right"} {
		if len(w) >= len(side) && strings.EqualFold(w[:len(side)], side) {
			switch rest := w[len(side):]; strings.ToLower(rest) {
			case "", "most", "hand", "handed", "ward", "wards":
				return side, rest
			}
		}
	}
	return "", ""
}

// DropWords leaves out each word of a text with probability share, but not all of them: random deletion (Wei and Zou, "EDA: Easy
// data augmentation techniques", 2019). A few hundred captions are soon known by their rarest words; one that may be
// missing cannot be relied upon. The words that stay are divided by single spaces.
func DropWords(rng *rand.Rand, text string, share float64) string {
	if share <= 0 {
		return text
	}
	words := strings.Fields(text)
	kept := make([]string, 0, len(words))
	for _, w := range words {
		if rng.Float64() >= share {
			kept = append(kept, w)
		}
	}
	if len(kept) == 0 && len(words) > 0 {
		kept = append(kept, words[rng.IntN(len(words))])
	}
	return strings.Join(kept, " ")
}

func otherSide(side string) string {
	if side == "left" {
		return "right"
	}
	return "left"
}

// likeCase writes a lower-case word in the case of another: right, Right or RIGHT.
func likeCase(like, w string) string {
	switch {
	case like == strings.ToUpper(like):
		return strings.ToUpper(w)
	case like[0] < 'a':
		return strings.ToUpper(w[:1]) + w[1:]
	}
	return w
}

// wordsOf yields the runs of ASCII letters of a text, with where they begin.
func wordsOf(s string) func(yield func(w string, at int) bool) {
	return func(yield func(string, int) bool) {
		for i := 0; i < len(s); {
			j := i
			for j < len(s) && (s[j]|0x20 >= 'a' && s[j]|0x20 <= 'z') {
				j++
			}
			if j > i && !yield(s[i:j], i) {
				return
			}
			i = max(j, i+1)
		}
	}
}

func wordSet(s string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(s) {
		m[w] = true
	}
	return m
}

var colorWords = wordSet(`color colour colors colours colored coloured red green blue yellow orange purple pink brown black white grey gray
	golden silver beige tan maroon teal violet`)

// speaksOfColor reports that an annotation names a colour, which colour jitter could make wrong.
func speaksOfColor(p *annotation.Picture) bool {
	named := func(s string) bool {
		for w := range wordsOf(s) {
			if len(w) <= 8 && colorWords[strings.ToLower(w)] {
				return true
			}
		}
		return false
	}
	if slices.ContainsFunc(p.Objects, func(o annotation.Object) bool { return o.Color != "" }) {
		return true
	}
	for i := range p.Questions {
		if u := &p.Questions[i]; named(u.Type) || named(u.Text) || slices.ContainsFunc(u.Answers, named) {
			return true
		}
	}
	return named(p.Class) || slices.ContainsFunc(p.Captions, named)
}
