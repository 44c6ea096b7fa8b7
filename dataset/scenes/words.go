package scenes

import "slices"

// Shapes are the labels that scenes use beside Person; Colors are those of all objects. Neither may be changed.
var (
	Shapes = []string{"circle", "square", "triangle", "star", "heart", "ring", "cross", "arrow", "moon", "hexagon"}
	Colors = []string{"red", "green", "blue", "yellow", "orange", "purple", "white", "black"}
)

// Person is the label of people.
const Person = "person"

const personClass = 10 // index of Person after the shapes

var paint = []rgb{{215, 40, 40}, {50, 165, 60}, {45, 85, 215}, {240, 220, 50}, {245, 140, 30}, {140, 50, 170}, {242, 242, 242}, {22, 22, 22}}

var numbers = []string{"zero", "one", "two", "three", "four", "five", "six"}

// backdrops are the further words for backgrounds in captions.
var backdrops = []string{"grey", "brown", "pink", "striped", "checked", "shaded", "cloudy", "photo"}

// Words lists every word that labels, questions, answers and captions of scenes may use, sorted, without repeats. Words
// are what spaces separate; "?" and "," are words.
func Words() []string {
	w := []string{"?", ",", "yes", "no", "how", "many", "are", "there", "what", "colour", "is", "the", "shape", "object", "objects", "a", "an", "left",
		"right", "above", "below", "or", "of", "more", "than", "shirt", "in", "and", "on", "background"}
	w = append(w, Classes()...)
	w = append(w, Colors...)
	w = append(w, numbers...)
	w = append(w, backdrops...)
	for c := range personClass + 1 {
		w = append(w, plural(c))
	}
	slices.Sort(w)
	return slices.Compact(w)
}

// Classes is Shapes and then Person.
func Classes() []string { return append(slices.Clone(Shapes), Person) }

func className(c int) string {
	if c == personClass {
		return Person
	}
	return Shapes[c]
}

func plural(c int) string {
	switch n := className(c); n {
	case Person:
		return "people"
	case "cross":
		return "crosses"
	default:
		return n + "s"
	}
}

// article is a or an, as the word that follows wants it.
func article(next string) string {
	if next[0] == 'o' || next[0] == 'a' {
		return "an"
	}
	return "a"
}
