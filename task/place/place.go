// Package place reads the places that published models write into their texts: Florence-2's and PaliGemma's, whose coordinates are
// pieces of their own, and those that Qwen-VL writes as JSON. It is about texts alone; how a model is asked, its family knows.
package place

import (
	"math"

	"fovea/annotation"
)

// Region is a part of a picture that a text names. Coordinates are pixels of the picture, x to the right and y down.
type Region struct {
	Label string
	Box   annotation.Box
	Score float64 // probability in [0, 1], where the reader knows one

	// In place of Box, where the form of the answer has them.
	Quad     []float64   // x and y of four corners
	Polygons [][]float64 // x and y of corners; a thing may have several parts

	label, where [2]int // the bytes of the text, without the pieces around it, that say so
}

// Chance is the geometric mean of the chances of the pieces, whose bytes in the text spans tells, that say what a region is and where.
func (r *Region) Chance(chances []float64, spans [][2]int) float64 {
	var m mean
	for i, s := range spans {
		if s[1] > s[0] && (s[1] > r.label[0] && s[0] < r.label[1] || s[1] > r.where[0] && s[0] < r.where[1]) {
			m.add(chances[i])
		}
	}
	return m.value()
}

// Bounds is the box around a region: its own, or that of its polygons.
func (r *Region) Bounds() annotation.Box {
	if r.Polygons == nil {
		return r.Box
	}
	b, first := annotation.Box{}, true
	for _, p := range r.Polygons {
		for i := 0; i+1 < len(p); i += 2 {
			if x, y := p[i], p[i+1]; first {
				b, first = annotation.Box{X0: x, Y0: y, X1: x, Y1: y}, false
			} else {
				b = annotation.Box{X0: min(b.X0, x), Y0: min(b.Y0, y), X1: max(b.X1, x), Y1: max(b.Y1, y)}
			}
		}
	}
	return b
}

// spanned is the box with two corners, whichever.
func spanned(x0, y0, x1, y1 float64) annotation.Box {
	return annotation.Box{X0: min(x0, x1), Y0: min(y0, y1), X1: max(x0, x1), Y1: max(y0, y1)}
}

// mean is a geometric mean of chances.
type mean struct {
	sum float64
	n   int
}

func (m *mean) add(chance float64) { m.sum, m.n = m.sum+math.Log(max(chance, 1e-300)), m.n+1 }

// value is 0 of no chances.
func (m *mean) value() float64 {
	if m.n == 0 {
		return 0
	}
	return min(math.Exp(m.sum/float64(m.n)), 1)
}
