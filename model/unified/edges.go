package unified

import (
	"math"

	"fovea/annotation"
)

// The box that a patch answers with and the extent of its mask are two measurements of the same edges, one from the token, one from
// the pixels; their errors have little to do with each other. edgeShare is the mask's share of the mean, and a mask whose
// extent overlaps the box by less than sameObject (IoU) shows something else, or nobody taught it: the box stays.
const (
	edgeShare  = .5
	sameObject = .6
	edgeMargin = .3 // a mask is looked at this far around the box, in lengths of its sides
)

// sharpen moves the boxes of detections towards the extents of their masks, and multiplies their scores by how sure the masks are: the
// root of the mean probability of the pixels that are inside (the mean is SOLO's maskness, Wang et al. 2020). An object without a mask
// keeps half of its score.
func (r *Runner) sharpen(p *Picture, found []Detection) {
	side := r.m.Config.FeatureSide()
	for i, mask := range r.Masks(p, found) {
		b := &found[i].Box
		found[i].Score *= math.Sqrt(maskness(mask, side, *b))
		e, ok := extent(mask, side, *b)
		if !ok || e.IoU(*b) < sameObject {
			continue
		}
		mean := func(box, edge float64) float64 { return box + edgeShare*(edge-box) }
		*b = annotation.Box{X0: mean(b.X0, e.X0), Y0: mean(b.Y0, e.Y0), X1: mean(b.X1, e.X1), Y1: mean(b.Y1, e.Y1)}
	}
}

// maskness is the mean probability of the cells in a box (model frame) that a mask of logits holds to be inside; .25 when there are none.
func maskness(mask []float32, side int, b annotation.Box) float64 {
	sum, n := 0., 0
	x0, x1 := cells(b.X0, b.X1, side)
	y0, y1 := cells(b.Y0, b.Y1, side)
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			if l := mask[y*side+x]; l > 0 {
				sum, n = sum+1/(1+math.Exp(-float64(l))), n+1
			}
		}
	}
	if n == 0 {
		return .25
	}
	return sum / float64(n)
}

// extent is the box of a mask, logits over side × side cells, inside and around the box b (model frame), and whether there is any.
// Cells at the edge count by the share of them that the mask covers, so edges lie finer than cells.
func extent(mask []float32, side int, b annotation.Box) (annotation.Box, bool) {
	dx, dy := edgeMargin*(b.X1-b.X0), edgeMargin*(b.Y1-b.Y0)
	x0, x1 := cells(b.X0-dx, b.X1+dx, side)
	y0, y1 := cells(b.Y0-dy, b.Y1+dy, side)
	if x0 >= x1 || y0 >= y1 {
		return annotation.Box{}, false
	}
	left, right := span(x0, x1, func(x int) (m float32) {
		m = float32(math.Inf(-1))
		for y := y0; y < y1; y++ {
			m = max(m, mask[y*side+x])
		}
		return m
	})
	top, bottom := span(y0, y1, func(y int) (m float32) {
		m = float32(math.Inf(-1))
		for x := x0; x < x1; x++ {
			m = max(m, mask[y*side+x])
		}
		return m
	})
	n := float64(side)
	return annotation.Box{X0: left / n, Y0: top / n, X1: right / n, Y1: bottom / n}, left < right && top < bottom
}

// cells are the cells from lo to hi whose centres lie in [from, to].
func cells(from, to float64, side int) (lo, hi int) {
	n := float64(side)
	return max(int(math.Ceil(from*n-.5)), 0), min(int(math.Floor(to*n-.5))+1, side)
}

// span is where the cells lo … hi−1 of a line are covered, from end to end: the covered ones are those whose greatest logit is
// positive, the outermost of them and their outer neighbours count by their share.
func span(lo, hi int, logit func(i int) float32) (from, to float64) {
	share := func(i int) float64 {
		if i < lo || i >= hi {
			return 0
		}
		return 1 / (1 + math.Exp(-float64(logit(i))))
	}
	first, last := hi, lo-1
	for i := lo; i < hi; i++ {
		if logit(i) > 0 {
			first, last = min(first, i), i
		}
	}
	if first > last {
		return 0, 0
	}
	return float64(first+1) - share(first) - share(first-1), float64(last) + share(last) + share(last+1)
}
