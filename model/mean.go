package model

import (
	"cmp"
	"math"
	"slices"
)

// MeanClasses is the mean of several lists of the same labels, best first: what several views of a picture say together.
func MeanClasses(lists ...[]Class) []Class {
	sum := map[string]float64{}
	for _, l := range lists {
		for _, c := range l {
			sum[c.Label] += c.Score / float64(len(lists))
		}
	}
	out := slices.Clone(lists[0])
	for i := range out {
		out[i].Score = sum[out[i].Label]
	}
	slices.SortStableFunc(out, func(a, b Class) int { return cmp.Compare(b.Score, a.Score) })
	return out
}

// JoinClasses adds up the probabilities of classes that name gives one name, best first.
func JoinClasses(classes []Class, name func(class string) string) (out []Class) {
	at := map[string]int{}
	for _, c := range classes {
		n := name(c.Label)
		i, ok := at[n]
		if !ok {
			i = len(out)
			at[n] = i
			out = append(out, Class{Label: n})
		}
		out[i].Score += c.Score
	}
	slices.SortStableFunc(out, func(a, b Class) int { return cmp.Compare(b.Score, a.Score) })
	return out
}

// MeanVector is the unit vector in the direction of the mean of several; of one it is that one.
func MeanVector(vs ...[]float32) []float32 {
	if len(vs) == 1 {
		return vs[0]
	}
	out := make([]float32, len(vs[0]))
	square := 0.
	for i := range out {
		sum := 0.
		for _, v := range vs {
			sum += float64(v[i])
		}
		out[i], square = float32(sum), square+sum*sum
	}
	if square > 0 {
		for i := range out {
			out[i] = float32(float64(out[i]) / math.Sqrt(square))
		}
	}
	return out
}
