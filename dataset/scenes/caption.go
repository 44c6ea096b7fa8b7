package scenes

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

const maxCaptionWords = 24

// captions describes the scene from left to right and, when two objects are clearly apart, how these two lie.
func (q *quiz) captions(backdrop string) []string {
	out := []string{q.full(backdrop)}
	if s := q.spatial(); s != "" {
		out = append(out, s)
	}
	return out
}

// full lists the objects, alike ones together: "two red circles , a person in blue and a star on a grey background".
// The background goes first when the sentence gets longer than 24 words, then what people wear.
func (q *quiz) full(backdrop string) string {
	order := make([]*thing, len(q.things))
	for i := range q.things {
		order[i] = &q.things[i]
	}
	slices.SortStableFunc(order, func(a, b *thing) int { return cmp.Compare(a.cx, b.cx) })
	list := enumerate(order, true)
	switch long := list + " on " + backdrop; {
	case words(long) <= maxCaptionWords:
		return long
	case words(list) <= maxCaptionWords:
		return list
	default:
		return enumerate(order, false)
	}
}

func words(s string) int { return strings.Count(s, " ") + 1 }

func enumerate(order []*thing, clothes bool) string {
	type kind struct{ class, color int }
	count := map[kind]int{}
	var kinds []kind
	for _, t := range order {
		k := kind{t.class, t.color}
		if t.class == personClass && !clothes {
			k.color = -1
		}
		if count[k] == 0 {
			kinds = append(kinds, k)
		}
		count[k]++
	}
	var b strings.Builder
	for i, k := range kinds {
		switch {
		case i == 0:
		case i == len(kinds)-1:
			b.WriteString(" and ")
		default:
			b.WriteString(" , ")
		}
		b.WriteString(phrase(k.class, k.color, count[k]))
	}
	return b.String()
}

// phrase is "a red circle", "two red circles", "a person in red", "two people"; color −1 leaves the colour out.
func phrase(class, color, n int) string {
	noun := className(class)
	if n > 1 {
		noun = plural(class)
	}
	switch {
	case color >= 0 && class == personClass:
		noun += " in " + Colors[color]
	case color >= 0:
		noun = Colors[color] + " " + noun
	}
	if n > 1 {
		return numbers[n] + " " + noun
	}
	return article(noun) + " " + noun
}

// spatial says how two random objects lie, along the axis on which they are further apart: "a red star above a person in
// blue"; "" when none are clearly apart.
func (q *quiz) spatial() string {
	if len(q.things) < 2 {
		return ""
	}
	for range 4 {
		i, j := q.d.IntN(len(q.things)), q.d.IntN(len(q.things))
		a, b := &q.things[i], &q.things[j]
		dx, dy := b.cx-a.cx, b.cy-a.cy
		if a.class == b.class && a.color == b.color || max(math.Abs(dx), math.Abs(dy)) < 12*q.scale {
			continue
		}
		rel := "left of"
		switch {
		case math.Abs(dx) >= math.Abs(dy) && dx < 0:
			rel = "right of"
		case math.Abs(dx) >= math.Abs(dy):
		case dy > 0:
			rel = "above"
		default:
			rel = "below"
		}
		return phrase(a.class, a.color, 1) + " " + rel + " " + phrase(b.class, b.color, 1)
	}
	return ""
}
