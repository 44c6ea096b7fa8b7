package model

import (
	"cmp"
	"slices"
)

// Spot is the place of a thing in a picture.
type Spot struct {
	Label string  `json:"label"`
	Score float64 `json:"score"` // probability in [0, 1]
	X     float64 `json:"x"`     // pixels of the picture
	Y     float64 `json:"y"`
}

// Pointer is a View that points at things, a place in each of them, without telling how far they reach: for things that are small or
// many, and for those that a box would not hold.
type Pointer interface {
	View
	// Spots points at the things of o.Query, or at Card.Labels, best first: at most Max, of at least the score Threshold.
	Spots(o DetectOptions) []Spot
}

// BestSpots chooses among places as options ask: those of the query, if there is one, with at least the threshold's score, best first,
// and at most Max.
func (o DetectOptions) BestSpots(found []Spot) []Spot {
	out := []Spot{}
	slices.SortStableFunc(found, func(a, b Spot) int { return cmp.Compare(b.Score, a.Score) })
	for _, s := range found {
		label, asked := o.asked(s.Label)
		if s.Score < o.Threshold || !asked {
			continue
		}
		s.Label = label
		if out = append(out, s); len(out) == cmp.Or(max(o.Max, 0), maxObjects) {
			break
		}
	}
	return out
}

// Middles are the middles of the boxes of objects, in their order.
func Middles(objects []Object) []Spot {
	out := make([]Spot, len(objects))
	for i, o := range objects {
		out[i] = Spot{o.Label, o.Score, (o.Box.X0 + o.Box.X1) / 2, (o.Box.Y0 + o.Box.Y1) / 2}
	}
	return out
}
