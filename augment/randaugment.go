package augment

import (
	"math"
	"math/rand/v2"

	"fovea/imageproc"
)

// RandAugment changes a picture by two operations of this list, drawn at random, all of one strength (Cubuk et al. 2020,
// whose ranges these are): nothing, rotate up to 30°, shear up to 0.3, move up to 0.45 of the side, brightness, contrast,
// saturation and sharpness by up to 0.9, posterise down to 4 bits, solarise, equalise, stretch the contrast.
type RandAugment struct {
	// Level is the strength, 0 to 10; 0 changes nothing.
	Level float64
}

// operation is one drawn change: a map of the square, a change of pixels, or neither.
type operation struct {
	shape  Affine
	moves  bool
	pixels func(img *imageproc.RGB, s *scratch)
	colors bool // may change which colour something has
}

const operations = 14

// draw draws two operations for a square of the given side.
func (r RandAugment) draw(rng *rand.Rand, side int) (ops [2]operation) {
	for i := range ops {
		kind, sign := rng.IntN(operations), float64(1-2*rng.IntN(2))
		if r.Level > 0 {
			ops[i] = r.operation(kind, sign, float64(side))
		}
	}
	return ops
}

func (r RandAugment) operation(kind int, sign, side float64) operation {
	k := min(r.Level/10, 1)
	v := sign * k
	shape := func(a Affine) operation { return operation{shape: a, moves: true} }
	jitter := func(bright, contrast, saturation float64) operation {
		return operation{colors: true, pixels: func(img *imageproc.RGB, s *scratch) {
			mean := 0.0
			if contrast != 1 {
				mean = brightness(img, s.spans)
			}
			colorMap(bright, contrast, saturation, 0, mean).apply(img, s.spans)
		}}
	}
	table := func(f func(img *imageproc.RGB, s *scratch) [3][256]uint8) operation {
		return operation{colors: true, pixels: func(img *imageproc.RGB, s *scratch) { look(img, s.spans, f(img, s)) }}
	}
	switch kind {
	case 1:
		return shape(Rotation(30*v, side/2, side/2))
	case 2:
		return shape(Affine{XX: 1, XY: .3 * v, X0: -.15 * v * side, YY: 1})
	case 3:
		return shape(Affine{XX: 1, YX: .3 * v, Y0: -.15 * v * side, YY: 1})
	case 4:
		return shape(Affine{XX: 1, X0: .45 * v * side, YY: 1})
	case 5:
		return shape(Affine{XX: 1, YY: 1, Y0: .45 * v * side})
	case 6:
		return jitter(1+.9*v, 1, 1)
	case 7:
		return jitter(1, 1+.9*v, 1)
	case 8:
		return jitter(1, 1, 1+.9*v)
	case 9:
		return operation{pixels: func(img *imageproc.RGB, s *scratch) { s.sharpen(img, .9*v) }}
	case 10:
		drop := uint(math.Round(4 * k))
		return table(func(*imageproc.RGB, *scratch) [3][256]uint8 {
			return each(func(v int) uint8 { return uint8(v >> drop << drop) })
		})
	case 11:
		from := int(256 * (1 - k))
		return table(func(*imageproc.RGB, *scratch) [3][256]uint8 {
			return each(func(v int) uint8 {
				if v >= from {
					return uint8(255 - v)
				}
				return uint8(v)
			})
		})
	case 12:
		return table(func(img *imageproc.RGB, s *scratch) [3][256]uint8 {
			return perChannel(histograms(img, s.spans), equalize)
		})
	case 13:
		return table(func(img *imageproc.RGB, s *scratch) [3][256]uint8 {
			return perChannel(histograms(img, s.spans), stretch)
		})
	}
	return operation{}
}

// look replaces each component by what its channel's table says.
func look(img *imageproc.RGB, spans []span, table [3][256]uint8) {
	for y, s := range spans {
		line := img.Pix[3*(y*img.W+s.X0) : 3*(y*img.W+s.X1)]
		for ; len(line) >= 3; line = line[3:] {
			line[0], line[1], line[2] = table[0][line[0]], table[1][line[1]], table[2][line[2]]
		}
	}
}

func each(f func(v int) uint8) (t [3][256]uint8) {
	for i := range t[0] {
		v := f(i)
		t[0][i], t[1][i], t[2][i] = v, v, v
	}
	return t
}

func perChannel(h [3][256]int, f func(*[256]int) [256]uint8) (t [3][256]uint8) {
	for c := range h {
		t[c] = f(&h[c])
	}
	return t
}

func histograms(img *imageproc.RGB, spans []span) (h [3][256]int) {
	for y, s := range spans {
		line := img.Pix[3*(y*img.W+s.X0) : 3*(y*img.W+s.X1)]
		for ; len(line) >= 3; line = line[3:] {
			h[0][line[0]]++
			h[1][line[1]]++
			h[2][line[2]]++
		}
	}
	return h
}

// equalize spreads values so that all become about as frequent.
func equalize(h *[256]int) (t [256]uint8) {
	total, first := 0, 0
	for _, n := range h {
		if total == 0 {
			first = n
		}
		total += n
	}
	below := 0
	for v, n := range h {
		below += n
		if total > first { // else there is one value only
			t[v] = uint8(max(below-first, 0) * 255 / (total - first))
		} else {
			t[v] = uint8(v)
		}
	}
	return t
}

// stretch spreads values linearly over [0, 255].
func stretch(h *[256]int) (t [256]uint8) {
	lo, hi := 0, 255
	for lo < 255 && h[lo] == 0 {
		lo++
	}
	for hi > lo && h[hi] == 0 {
		hi--
	}
	for v := range t {
		if hi > lo {
			t[v] = uint8(min(max(v-lo, 0)*255/(hi-lo), 255))
		} else {
			t[v] = uint8(v)
		}
	}
	return t
}

// sharpen moves the picture away from its blurred self by k, or towards it when k is negative.
func (s *scratch) sharpen(img *imageproc.RGB, k float64) {
	was := img.Clone()
	s.soften(img, 1./3)
	m := int32(math.Round(256 * k))
	for i, v := range was.Pix {
		img.Pix[i] = clamp((int32(v)<<8 + m*(int32(v)-int32(img.Pix[i])) + 128) >> 8)
	}
}
