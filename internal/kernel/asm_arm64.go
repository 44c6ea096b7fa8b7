//go:build !noasm

package kernel

import (
	"math"

	"fovea/internal/cpu"
)

// useNEON is true on every processor of arm64: the architecture includes it.
var useNEON = true

func init() { cpu.Register("kernel", "neon", &useNEON) }

// neonShape fills the registers: 24 sums of 32.
var neonShape = tileShape{mr: 6, nr: 16, strip: 8, group: 1}

func gemmShape() tileShape {
	if useNEON {
		return neonShape
	}
	return genericShape
}

func gemmTiles(_ *tileShape, h int, g *gemmArgs, _ *amxArgs) {
	if useNEON {
		gemmTilesNEON(h, g)
		return
	}
	gemmTilesGeneric(h, g)
}

// gemmTilesNEON runs the micro-kernel for tiles of h rows. A panel that is not full goes through a tile beside c.
func gemmTilesNEON(h int, g *gemmArgs) {
	var bias *float32
	if len(g.bias) > 0 {
		bias = &g.bias[0]
	}
	for t := range g.tiles {
		a, c := &g.a[t*g.ts], g.c[t*h*g.ldc:]
		if g.cols == neonShape.nr {
			tileNEON(a, &g.b[0], &c[0], bias, g.k, g.rs, g.ks, g.bs, g.ldc, h, g.beta)
			continue
		}
		var tile [6 * 16]float32
		tileNEON(a, &g.b[0], &tile[0], nil, g.k, g.rs, g.ks, g.bs, neonShape.nr, h, 0)
		for i := range h {
			row, sums := c[i*g.ldc:i*g.ldc+g.cols], tile[i*neonShape.nr:]
			if g.beta != 0 {
				addToGeneric(sums[:g.cols], row)
			}
			if bias != nil {
				addToGeneric(sums[:g.cols], g.bias)
			}
			copy(row, sums)
		}
	}
}

// The assembly takes four elements at a time; what is left at the end of a slice is generic.

func addVectors(dst, a, b []float32) {
	n := len(dst) &^ 3
	if n > 0 {
		addNEON(&dst[0], &a[0], &b[0], n)
	}
	addGeneric(dst[n:], a[n:], b[n:])
}

func addToVectors(dst, a []float32) { addVectors(dst, dst, a) }

func axpyVectors(alpha float32, x, y []float32) {
	n := len(y) &^ 3
	if n > 0 {
		axpyNEON(alpha, &x[0], &y[0], n)
	}
	axpyGeneric(alpha, x[n:], y[n:])
}

func scaleVectors(dst []float32, alpha float32) {
	n := len(dst) &^ 3
	if n > 0 {
		scaleNEON(&dst[0], alpha, n)
	}
	scaleGeneric(dst[n:], alpha)
}

func dotVectors(x, y []float32) (s float32) {
	n := len(x) &^ 3
	if n > 0 {
		s = dotNEON(&x[0], &y[0], n)
	}
	return s + dotGeneric(x[n:], y[n:])
}

func expVectors(dst, x []float32) {
	n := len(x) &^ 3
	if n > 0 {
		expNEON(&dst[0], &x[0], n)
	}
	expGeneric(dst[n:], x[n:])
}

func geluVectors(dst, x []float32) {
	n := len(x) &^ 3
	if n > 0 {
		geluNEON(&dst[0], &x[0], n, geluA, geluB)
	}
	geluGeneric(dst[n:], x[n:])
}

func geluExactVectors(dst, x []float32) {
	n := len(x) &^ 3
	if n > 0 {
		geluExactNEON(&dst[0], &x[0], n)
	}
	geluExactGeneric(dst[n:], x[n:])
}

func softmaxRowVectors(x []float32, scale float32) (top, inv float32) {
	n := len(x) &^ 3
	top = float32(math.Inf(-1))
	if n > 0 {
		top = largestNEON(&x[0], n, scale)
	}
	for _, v := range x[n:] {
		if v *= scale; v > top {
			top = v
		}
	}
	var s float32
	if n > 0 {
		s = expSumNEON(&x[0], n, scale, top)
	}
	for i, v := range x[n:] {
		e := expf(scale*v - top)
		x[n+i] = e
		s += e
	}
	scaleVectors(x, 1/s)
	return top, 1 / s
}

func softmaxAgainVectors(x []float32, scale, top, inv float32) {
	n := len(x) &^ 3
	if n > 0 {
		expSumNEON(&x[0], n, scale, top)
		scaleNEON(&x[0], inv, n)
	}
	softmaxAgainGeneric(x[n:], scale, top, inv)
}

func layerNormRowVectors(y, x, g, b []float32, eps float32) (mean, rstd float32) {
	n := len(x) &^ 3
	if n == 0 {
		return layerNormRowGeneric(y, x, g, b, eps)
	}
	s, _ := deviationNEON(&x[0], n, 0)
	mean = (s + sumGeneric(x[n:])) / float32(len(x))
	_, v := deviationNEON(&x[0], n, mean)
	for _, a := range x[n:] {
		v += (a - mean) * (a - mean)
	}
	rstd = float32(1 / math.Sqrt(float64(v/float32(len(x))+eps)))
	var gain, bias *float32
	if g != nil {
		gain = &g[0]
	}
	if b != nil {
		bias = &b[0]
	}
	normalizeNEON(&y[0], &x[0], gain, bias, n, mean, rstd)
	for i, a := range x[n:] {
		a = (a - mean) * rstd
		if g != nil {
			a *= g[n+i]
		}
		if b != nil {
			a += b[n+i]
		}
		y[n+i] = a
	}
	return mean, rstd
}

//go:noescape
func tileNEON(a, b, c, bias *float32, k, rs, ks, bs, ldc, h, beta int)

//go:noescape
func addNEON(dst, a, b *float32, n int)

//go:noescape
func axpyNEON(alpha float32, x, y *float32, n int)

//go:noescape
func scaleNEON(dst *float32, alpha float32, n int)

//go:noescape
func dotNEON(x, y *float32, n int) float32

//go:noescape
func deviationNEON(x *float32, n int, mean float32) (sum, sq float32)

//go:noescape
func normalizeNEON(y, x, gain, bias *float32, n int, mean, rstd float32)

//go:noescape
func largestNEON(x *float32, n int, scale float32) float32

//go:noescape
func expNEON(dst, x *float32, n int)

//go:noescape
func expSumNEON(x *float32, n int, scale, top float32) float32

//go:noescape
func geluNEON(dst, x *float32, n int, a, b float32)

//go:noescape
func geluExactNEON(dst, x *float32, n int)
