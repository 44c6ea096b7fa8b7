package compress

import (
	"errors"
	"math"
)

// surgeon takes units out of a layer one by one. Units are measured by the root of their mean square meanwhile, so that those that say
// much do not drown the others in rounding.
type surgeon struct {
	n, width int
	h        []float64 // [n+1, n+1]: second moments, then their inverse over what is left
	w        []float64 // [n+1, width]: weights out of the units, and at last the bias
	unit     []float64 // [n+1] by which the weights are larger than the layer's
	left     []int     // units that stay, in their order
}

// dampings are shares of a unit's mean square that are added to it, the first with which the moments can be inverted: units that
// never say anything, or the same as others, leave them singular.
var dampings = []float64{1e-4, 1e-3, 1e-2, 1e-1}

// newSurgeon makes a surgeon of a layer's second moments [n+1, n+1] and its weights [n, width] and bias [width].
func newSurgeon(moments []float64, n int, w, bias []float64) (*surgeon, error) {
	s := &surgeon{n: n, width: len(bias), w: append(append([]float64(nil), w...), bias...), left: make([]int, n), unit: make([]float64, n+1)}
	for i := range s.unit {
		if s.unit[i] = math.Sqrt(moments[i*(n+1)+i]); s.unit[i] == 0 {
			s.unit[i] = 1
		}
		for o := range s.width {
			s.w[i*s.width+o] *= s.unit[i]
		}
	}
	for i := range s.left {
		s.left[i] = i
	}
	var err error
	for _, d := range dampings {
		s.h = append(s.h[:0], moments...)
		for i := range n + 1 {
			for j := range n + 1 {
				s.h[i*(n+1)+j] /= s.unit[i] * s.unit[j]
			}
		}
		for i := range n { // the constant is as sure as it can be
			s.h[i*(n+1)+i] += d
		}
		if err = s.invert(); err == nil {
			return s, nil
		}
	}
	return nil, err
}

// finish gives the weights back their size.
func (s *surgeon) finish() {
	for i, u := range s.unit {
		for o := range s.width {
			s.w[i*s.width+o] /= u
		}
	}
}

// invert replaces the moments by their inverse, by Gauss and Jordan's elimination in place; they are symmetric and positive
// definite, so that the diagonal serves as pivots.
func (s *surgeon) invert() error {
	n, a := s.n+1, s.h
	for k := range n {
		p := a[k*n+k]
		if !(p > 0) || math.IsInf(p, 0) {
			return errors.New("the second moments of its units are not finite or not positive definite")
		}
		row := a[k*n : (k+1)*n]
		row[k] = 1
		for j := range row {
			row[j] /= p
		}
		for i := range n {
			if i == k {
				continue
			}
			r := a[i*n : (i+1)*n]
			f := r[k]
			if f == 0 {
				continue
			}
			r[k] = 0
			for j, v := range row {
				r[j] -= f * v
			}
		}
	}
	return nil
}

// remove takes out the unit whose loss the others make up for best.
func (s *surgeon) remove() {
	n := s.n + 1
	best, least := -1, math.Inf(1)
	for k, i := range s.left {
		sum := 0.
		for _, v := range s.w[i*s.width : (i+1)*s.width] {
			sum += v * v
		}
		if e := sum / s.h[i*n+i]; e < least {
			best, least = k, e
		}
	}
	i := s.left[best]
	s.left = append(s.left[:best], s.left[best+1:]...)
	pivot := s.h[i*n+i]
	gone, row := s.w[i*s.width:(i+1)*s.width], s.h[i*n:(i+1)*n]
	take := func(j int) {
		f := s.h[j*n+i] / pivot
		if f == 0 {
			return
		}
		w := s.w[j*s.width : (j+1)*s.width]
		for o, v := range gone {
			w[o] -= f * v
		}
		r := s.h[j*n : (j+1)*n]
		for _, k := range s.left {
			r[k] -= f * row[k]
		}
		r[s.n] -= f * row[s.n]
	}
	for _, j := range s.left {
		take(j)
	}
	take(s.n)
	clear(gone)
}
