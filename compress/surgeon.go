package compress

import (
	"errors"
	"math"
)

// surgeon takes units out of a layer one by one.
type surgeon struct {
	n, width int
	h        []float64 // [n+1, n+1]: second moments, then their inverse over what is left
	w        []float64 // [n+1, width]: weights out of the units, and at last the bias
	left     []int     // units that stay, in their order
}

// damping is added to the second moments' diagonal, a share of its mean: units that never say anything, or the same as others,
// leave them singular.
const damping = 1e-4

func newSurgeon(moments []float64, n int, w, bias []float64) *surgeon {
	s := &surgeon{n: n, width: len(bias), h: append([]float64(nil), moments...), w: append(append([]float64(nil), w...), bias...), left: make([]int, n)}
	trace := 0.
	for i := range n {
		s.left[i] = i
		trace += s.h[i*(n+1)+i]
	}
	for i := range n {
		s.h[i*(n+1)+i] += damping*trace/float64(n) + 1e-12
	}
	s.h[n*(n+1)+n] += 1e-12
	return s
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
