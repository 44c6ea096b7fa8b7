package scenes

import (
	"fmt"
	"slices"
	"strings"

	"fovea/annotation"
)

// Kinds of questions, the Type of a scene's questions.
const (
	Count    = "count"    // how many red objects are there ?
	Color    = "colour"   // what colour is the star ?
	Shape    = "shape"    // what shape is the red object ?
	Exists   = "exists"   // is there a red star ?
	Position = "position" // is the red star left of the person ?
	Compare  = "compare"  // are there more stars than people ?
	Side     = "side"     // is the star left or right of the person ? (only as a lesson, see Config.Lessons)
)

const questionsPerPicture = 8

// quiz asks about the things of one scene.
type quiz struct {
	d        dice
	things   []thing
	scale    float64
	classes  [personClass + 1]int // how many of each class
	shapesIn [8]int               // shapes of each colour
	peopleIn [8]int               // people dressed in each colour
	pairs    [personClass + 1][8]int
	out      []annotation.Question
}

func newQuiz(d dice, things []thing, scale float64) *quiz {
	q := &quiz{d: d, things: things, scale: scale}
	for _, t := range things {
		q.classes[t.class]++
		q.pairs[t.class][t.color]++
		if t.class == personClass {
			q.peopleIn[t.color]++
		} else {
			q.shapesIn[t.color]++
		}
	}
	return q
}

// lessons adds up to n questions that prepare harder ones: which of two relations holds, before whether one does.
func (q *quiz) lessons(n int, firstID int64) []annotation.Question {
	for range 4 * n {
		if n == 0 {
			break
		}
		u, ok := q.side()
		if !ok || slices.ContainsFunc(q.out, func(o annotation.Question) bool { return o.Text == u.Text }) {
			continue
		}
		u.ID = firstID + int64(len(q.out))
		q.out = append(q.out, u)
		n--
	}
	return q.out
}

// ask makes n different questions; a kind that the scene offers no question of gives its turn to another.
func (q *quiz) ask(n int, firstID int64) []annotation.Question {
	makers := []func() (annotation.Question, bool){q.count, q.color, q.shape, q.exists, q.position, q.compare}
	for range 50 * n {
		if len(q.out) == n {
			break
		}
		u, ok := makers[q.d.pick(1, 1, 1, 1, 2, 1)]()
		if !ok || slices.ContainsFunc(q.out, func(o annotation.Question) bool { return o.Text == u.Text }) {
			continue
		}
		u.ID = firstID + int64(len(q.out))
		q.out = append(q.out, u)
	}
	return q.out
}

func question(kind, answer, text string, named ...mention) (annotation.Question, bool) {
	u := annotation.Question{Text: text, Type: kind, Answers: []string{answer}}
	for _, m := range named {
		u.Mentions = append(u.Mentions, annotation.Mention{Word: m.word, X: m.t.cx, Y: m.t.cy})
	}
	return u, true
}

type mention struct {
	word int
	t    *thing
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// count picks the answer first, rare ones more often, and then a question that has it.
func (q *quiz) count() (annotation.Question, bool) {
	if len(q.things) <= 2 && q.d.chance(.75) { // little to count: leave the turn to another kind
		return annotation.Question{}, false
	}
	var byAnswer [maxObjects + 1][]string
	add := func(n int, what string) { byAnswer[n] = append(byAnswer[n], what) }
	add(len(q.things), "objects")
	for c, n := range q.classes {
		add(n, plural(c))
	}
	for c, n := range q.shapesIn {
		if q.peopleIn[c] == 0 { // is a person in red a red object? not asked
			add(n, Colors[c]+" objects")
		}
	}
	weights := [maxObjects + 1]float64{.4, .55, 1.6, 3.4, 7, 12, 18}
	for n := range weights {
		if len(byAnswer[n]) == 0 {
			weights[n] = 0
		}
	}
	n := q.d.pick(weights[:]...)
	what := byAnswer[n][q.d.IntN(len(byAnswer[n]))]
	return question(Count, numbers[n], "how many "+what+" are there ?")
}

func (q *quiz) color() (annotation.Question, bool) {
	t := q.one(func(t *thing) bool { return q.classes[t.class] == 1 })
	if t == nil {
		return annotation.Question{}, false
	}
	if t.class == personClass {
		return question(Color, Colors[t.color], "what colour is the shirt of the person ?", mention{7, t})
	}
	return question(Color, Colors[t.color], "what colour is the "+className(t.class)+" ?", mention{4, t})
}

func (q *quiz) shape() (annotation.Question, bool) {
	t := q.one(func(t *thing) bool {
		return t.class != personClass && q.shapesIn[t.color] == 1 && q.peopleIn[t.color] == 0
	})
	if t == nil {
		return annotation.Question{}, false
	}
	return question(Shape, className(t.class), "what shape is the "+Colors[t.color]+" object ?", mention{5, t})
}

// one is a random thing that a condition holds for, or nil.
func (q *quiz) one(ok func(*thing) bool) *thing {
	var from []*thing
	for i := range q.things {
		if ok(&q.things[i]) {
			from = append(from, &q.things[i])
		}
	}
	if len(from) == 0 {
		return nil
	}
	return from[q.d.IntN(len(from))]
}

// exists decides the answer first. People are asked about as often when there is one as when there is none.
func (q *quiz) exists() (annotation.Question, bool) {
	yes := q.d.chance(.56) // there are fewer different questions to say yes to
	if q.d.chance(.35) {
		c, ok := q.classToSeek(yes)
		if !ok {
			return annotation.Question{}, false
		}
		return question(Exists, yesNo(yes), "is there "+article(className(c))+" "+className(c)+" ?")
	}
	t := q.one(func(t *thing) bool { return t.class != personClass })
	if t == nil {
		return annotation.Question{}, false
	}
	class, color := t.class, t.color
	for try := 0; !yes && q.pairs[class][color] > 0; try++ {
		if try == 20 {
			return annotation.Question{}, false
		}
		switch q.d.IntN(3) { // wrong in colour, in shape, or a pair of two other objects' traits
		case 0:
			class, color = t.class, q.d.IntN(len(Colors))
		case 1:
			class, color = q.d.IntN(len(Shapes)), t.color
		default:
			o := q.one(func(o *thing) bool { return o.class != personClass })
			class, color = t.class, o.color
		}
	}
	return question(Exists, yesNo(yes), "is there "+article(Colors[color])+" "+Colors[color]+" "+className(class)+" ?")
}

func (q *quiz) classToSeek(present bool) (int, bool) {
	p := .15
	if !present {
		p = .55
	}
	person := q.d.chance(p)
	var from []int
	for c, n := range q.classes {
		if (n > 0) == present && (c == personClass) == person {
			from = append(from, c)
		}
	}
	if len(from) == 0 {
		return 0, false
	}
	return from[q.d.IntN(len(from))], true
}

// relation is two objects that have a name of their own and are clearly apart along an axis.
type relation struct {
	a, b  *thing
	gap   float64   // from b to a along the axis
	words [2]string // what a is to b when gap is negative, and when it is positive
}

func (q *quiz) relation() (r relation, ok bool) {
	var named []*thing
	for i := range q.things {
		if q.pairs[q.things[i].class][q.things[i].color] == 1 {
			named = append(named, &q.things[i])
		}
	}
	if len(named) < 2 {
		return r, false
	}
	q.d.Shuffle(len(named), func(i, j int) { named[i], named[j] = named[j], named[i] })
	r = relation{named[0], named[1], named[0].cx - named[1].cx, [2]string{"left of", "right of"}}
	if q.d.chance(.5) {
		r.gap, r.words = r.a.cy-r.b.cy, [2]string{"above", "below"}
	}
	return r, r.gap >= 8*q.scale || r.gap <= -8*q.scale
}

// position asks whether a relation holds.
func (q *quiz) position() (annotation.Question, bool) {
	r, ok := q.relation()
	if !ok {
		return annotation.Question{}, false
	}
	yes := q.d.chance(.5)
	rel := r.words[0]
	if (r.gap < 0) != yes {
		rel = r.words[1]
	}
	return q.relate(r, Position, rel, yesNo(yes))
}

// side asks which relation holds.
func (q *quiz) side() (annotation.Question, bool) {
	r, ok := q.relation()
	if !ok {
		return annotation.Question{}, false
	}
	rel, answer := "left or right of", "left"
	if r.words[0] == "above" {
		rel, answer = "above or below", "above"
	}
	if r.gap > 0 {
		answer = map[string]string{"left": "right", "above": "below"}[answer]
	}
	return q.relate(r, Side, rel, answer)
}

// relate is a question that names both objects of a relation.
func (q *quiz) relate(r relation, kind, rel, answer string) (annotation.Question, bool) {
	na, ia := q.name(r.a)
	nb, ib := q.name(r.b)
	before := "is the " + na + " " + rel + " the "
	return question(kind, answer, before+nb+" ?", mention{2 + ia, r.a}, mention{len(strings.Fields(before)) + ib, r.b})
}

// name is a noun phrase without article that only t answers to, and the position of the noun in it. The colour is
// given when it is needed and half of the other times.
func (q *quiz) name(t *thing) (string, int) {
	class := className(t.class)
	switch {
	case q.classes[t.class] == 1 && q.d.chance(.5):
		return class, 0
	case t.class == personClass:
		return class + " in " + Colors[t.color], 0
	default:
		return Colors[t.color] + " " + class, 1
	}
}

// compare asks about two classes. Which class is more numerous must not follow from its name, and people are far more
// common than any shape: pairs that people win are mostly passed over, and pictures without people are asked about them.
func (q *quiz) compare() (annotation.Question, bool) {
	a := q.things[q.d.IntN(len(q.things))].class
	b := q.d.IntN(personClass + 1)
	switch {
	case q.d.chance(.6):
		b = q.things[q.d.IntN(len(q.things))].class
	case q.classes[personClass] == 0 && q.d.chance(.4):
		b = personClass
	}
	more, fewer := q.classes[a], q.classes[b]
	switch {
	case a == b,
		a == personClass && more > fewer && q.d.chance(.88),
		more == fewer && q.d.chance(.6): // a tie, the harder "no"
		return annotation.Question{}, false
	case more == fewer && q.d.chance(.5),
		more != fewer && (more > fewer) != q.d.chance(.56): // ties make up for the rest
		a, b = b, a
	}
	yes := q.classes[a] > q.classes[b]
	return question(Compare, yesNo(yes), fmt.Sprintf("are there more %s than %s ?", plural(a), plural(b)))
}
