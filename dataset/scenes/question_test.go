package scenes

import (
	"bytes"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fovea/annotation"
	"fovea/dataset"
)

// The checks here know nothing of the generator: they read the question's words and look at the annotations.

// singular maps a plural to its label.
func singular(w string) string {
	switch {
	case w == "people":
		return Person
	case w == "crosses":
		return "cross"
	default:
		return strings.TrimSuffix(w, "s")
	}
}

// fitting lists the objects that a noun phrase fits: "star", "red star", "person in red", "red object", "objects".
func fitting(ex *dataset.Example, phrase []string) []annotation.Object {
	color, label := "", phrase[0]
	switch len(phrase) {
	case 2:
		color, label = phrase[0], phrase[1]
	case 3:
		color = phrase[2] // person in red
	}
	var out []annotation.Object
	for _, o := range ex.Objects {
		any := label == "object" || label == "objects"
		if (any || o.Label == label || o.Label == singular(label)) && (color == "" || o.Color == color) {
			out = append(out, o)
		}
	}
	return out
}

// split cuts words at the first occurrence of a relation and tells which it was.
func split(words []string) (left, right []string, rel string) {
	for i, w := range words {
		switch w {
		case "left", "right":
			return words[:i], words[i+2:], w
		case "above", "below":
			return words[:i], words[i+1:], w
		}
	}
	return nil, nil, ""
}

func holds(a, b annotation.Object, rel string) bool {
	ax, ay := a.Box.Center()
	bx, by := b.Box.Center()
	return map[string]bool{"left": ax < bx, "right": ax > bx, "above": ay < by, "below": ay > by}[rel]
}

func spatialHolds(ex *dataset.Example, caption string) bool {
	l, r, rel := split(strings.Fields(caption))
	if len(l) < 2 || len(r) < 2 {
		return false
	}
	for _, a := range fitting(ex, l[1:]) { // without the article
		for _, b := range fitting(ex, r[1:]) {
			if holds(a, b, rel) {
				return true
			}
		}
	}
	return false
}

// derive answers a question from the annotations; the phrases are those that must name one object.
func derive(t *testing.T, ex *dataset.Example, text string) (answer, kind string, named [][]string) {
	w := strings.Split(text, " ")
	if len(w) < 4 || w[len(w)-1] != "?" {
		t.Fatalf("%s: odd question %q", ex.ID, text)
	}
	w = w[:len(w)-1]
	switch {
	case w[0] == "how":
		return []string{"zero", "one", "two", "three", "four", "five", "six"}[len(fitting(ex, w[2:len(w)-2]))], Count, nil
	case w[0] == "what":
		noun := w[4:]
		if w[4] == "shirt" {
			noun = w[7:]
		}
		o := fitting(ex, noun)
		if len(o) != 1 {
			t.Fatalf("%s: %q names %d objects", ex.ID, text, len(o))
		}
		if w[1] == "shape" {
			return o[0].Label, Shape, [][]string{noun}
		}
		return o[0].Color, Color, [][]string{noun}
	case w[0] == "is" && w[1] == "there":
		return yesNo(len(fitting(ex, w[3:])) > 0), Exists, nil
	case w[0] == "is":
		l, r, rel := split(w)
		l, r = l[2:], r[1:]
		a, b := fitting(ex, l), fitting(ex, r)
		if len(a) != 1 || len(b) != 1 {
			t.Fatalf("%s: %q names %d and %d objects", ex.ID, text, len(a), len(b))
		}
		return yesNo(holds(a[0], b[0], rel)), Position, [][]string{l, r}
	case w[0] == "are":
		return yesNo(len(fitting(ex, w[3:4])) > len(fitting(ex, w[5:]))), Compare, nil
	}
	t.Fatalf("%s: odd question %q", ex.ID, text)
	return
}

func TestAnswers(t *testing.T) {
	for _, ex := range sample(t, Config{Seed: 11, N: 300}) {
		if len(ex.Questions) != 8 {
			t.Errorf("%s: %d questions", ex.ID, len(ex.Questions))
		}
		asked := map[string]bool{}
		for _, q := range ex.Questions {
			answer, kind, named := derive(t, ex, q.Text)
			if len(q.Answers) != 1 || q.Answers[0] != answer || q.Type != kind {
				t.Errorf("%s: %s %q: answers %q, want %q", ex.ID, q.Type, q.Text, q.Answers, answer)
			}
			if asked[q.Text] {
				t.Errorf("%s: %q is asked twice", ex.ID, q.Text)
			}
			asked[q.Text] = true
			checkMentions(t, ex, q, named)
		}
	}
}

// checkMentions wants one mention for each named object, on its noun, at the centre of its box.
func checkMentions(t *testing.T, ex *dataset.Example, q annotation.Question, named [][]string) {
	if len(q.Mentions) != len(named) {
		t.Fatalf("%s: %q has %d mentions, want %d", ex.ID, q.Text, len(q.Mentions), len(named))
	}
	words := strings.Fields(q.Text)
	for i, m := range q.Mentions {
		noun := named[i][0]
		if len(named[i]) == 2 {
			noun = named[i][1]
		}
		if m.Word < 0 || m.Word >= len(words) || words[m.Word] != noun {
			t.Fatalf("%s: %q: mention of word %d, want %q", ex.ID, q.Text, m.Word, noun)
		}
		if x, y := fitting(ex, named[i])[0].Box.Center(); m.X != x || m.Y != y {
			t.Errorf("%s: %q: %q is at %v, %v, want %v, %v", ex.ID, q.Text, noun, m.X, m.Y, x, y)
		}
	}
}

func TestBalance(t *testing.T) {
	kinds, yes, counts := map[string]int{}, map[string]int{}, map[string]int{}
	// The habit of each text is learnt on the first two thirds of the pictures and tried on the rest.
	habit := map[string]map[string]int{}
	guesses, guessed := map[string]int{}, map[string]int{}
	const n = 900
	total := 0
	for i, ex := range sample(t, Config{Seed: 12, N: n}) {
		for _, q := range ex.Questions {
			total++
			kinds[q.Type]++
			a := q.Answers[0]
			if a == "yes" {
				yes[q.Type]++
			}
			if q.Type == Count {
				counts[a]++
			}
			if habit[q.Text] == nil {
				habit[q.Text] = map[string]int{}
			}
			if i < n*2/3 {
				habit[q.Text][a]++
				continue
			}
			guesses[q.Type]++
			guess := map[string]string{Count: "one"}[q.Type]
			if guess == "" {
				guess = "no"
			}
			for answer, m := range habit[q.Text] {
				if m > habit[q.Text][guess] {
					guess = answer
				}
			}
			if guess == a {
				guessed[q.Type]++
			}
		}
	}
	for kind, share := range map[string][2]float64{Count: {.1, .3}, Color: {.05, .2}, Shape: {.05, .2}, Exists: {.1, .25}, Position: {.18, .4}, Compare: {.1, .25}} {
		if got := float64(kinds[kind]) / float64(total); got < share[0] || got > share[1] {
			t.Errorf("%s: %.3f of the questions, want %v", kind, got, share)
		}
	}
	for _, kind := range []string{Exists, Position, Compare} {
		if got := float64(yes[kind]) / float64(kinds[kind]); math.Abs(got-.5) > .04 {
			t.Errorf("%s: %.3f are answered yes", kind, got)
		}
	}
	for i, n := range numbers {
		got := float64(counts[n]) / float64(kinds[Count])
		if i <= 4 && (got < .06 || got > .35) {
			t.Errorf("%.3f of the counts are %s", got, n)
		}
		t.Logf("count %s: %.3f", n, got)
	}
	for _, kind := range []string{Exists, Position, Compare, Count} {
		got := float64(guessed[kind]) / float64(guesses[kind])
		t.Logf("%s: %.3f of the questions, %.3f can be answered from the words alone", kind, float64(kinds[kind])/float64(total), got)
		if got > wordsAlone[kind] {
			t.Errorf("%s: %.3f can be answered from the words alone, want at most %.2f", kind, got, wordsAlone[kind])
		}
	}
}

// wordsAlone bounds what a model without eyes may reach.
var wordsAlone = map[string]float64{Exists: .62, Position: .56, Compare: .62, Count: .45}

// TestLessons checks the answers of lessons against the annotations, and that asking them changes nothing else.
func TestLessons(t *testing.T) {
	plain, taught := sample(t, Config{Seed: 12, N: 150}), sample(t, Config{Seed: 12, N: 150, Lessons: 2})
	answers := map[string]int{}
	for i, ex := range taught {
		n := len(plain[i].Questions)
		if !reflect.DeepEqual(ex.Questions[:n], plain[i].Questions) || !bytes.Equal(ex.Image.Pix, plain[i].Image.Pix) {
			t.Fatalf("%s: lessons change the picture or its questions", ex.ID)
		}
		for _, q := range ex.Questions[n:] {
			w := strings.Fields(strings.TrimSuffix(q.Text, " ?"))
			or := slices.Index(w, "or")
			if q.Type != Side || or < 0 {
				t.Fatalf("%s: odd lesson %q of type %s", ex.ID, q.Text, q.Type)
			}
			second := w[or+2:]
			if w[or+1] == "right" {
				second = second[1:] // of
			}
			a, b := fitting(ex, w[2:or-1]), fitting(ex, second[1:])
			if len(a) != 1 || len(b) != 1 {
				t.Fatalf("%s: %q names %d and %d objects", ex.ID, q.Text, len(a), len(b))
			}
			want := w[or-1]
			if holds(a[0], b[0], w[or+1]) {
				want = w[or+1]
			}
			if q.Answers[0] != want {
				t.Errorf("%s: %q is answered %q, want %q", ex.ID, q.Text, q.Answers[0], want)
			}
			answers[want]++
		}
	}
	for _, a := range []string{"left", "right", "above", "below"} {
		if answers[a] < 15 {
			t.Errorf("%q is the answer of only %d lessons", a, answers[a])
		}
	}
}
