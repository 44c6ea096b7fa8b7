package main

import "math"

// expo is the exponential function: e^x = 2^n·e^r with n = round(x·log2 e) and r = x − n·ln 2 in two parts (Cody and Waite
// 1980), and e^r = 1 + r + r²·q(r) where q is the minimax polynomial of degree 4 on |r| ≤ ln 2/2, found by Remez exchange;
// its relative error is 3.1e-9.
type expo struct {
	g      *gen
	lo, hi vec // bounds of x in coarse, kept in registers so that min and max can pass NaN on
}

func (g *gen) newExp() expo { return expo{g, g.keep(g.num(-88)), g.keep(g.num(89))} }

// clamp returns x within the bounds. Min and max return their second source when either is NaN: that must be x.
func (g *gen) clamp(x, lo, hi vec) vec {
	t := g.vec()
	g.VMINPS(x, hi, t)
	g.VMAXPS(t, lo, t)
	return t
}

// reduced returns e^r and n, as integers.
func (e expo) reduced(t vec) (p, n vec) {
	g := e.g
	n, nf, r2 := g.vec(), g.vec(), g.vec()
	g.VMULPS(g.num(math.Log2E), t, n)
	g.VCVTPS2DQ(n, n)
	g.VCVTDQ2PS(n, nf)
	const high = 0.693359375 // nine bits: its products with n are exact
	g.VFNMADD231PS(g.num(high), nf, t)
	g.VFNMADD231PS(g.num(math.Ln2-high), nf, t)
	p = g.keep(g.num(0.0013814467238262296))
	for _, c := range []float64{0.008368780836462975, 0.04166839271783829, 0.1666651964187622, 0.4999999403953552} {
		g.VFMADD213PS(g.num(c), t, p)
	}
	g.VMULPS(t, t, r2)
	g.VFMADD213PS(t, r2, p)
	g.VADDPS(g.num(1), p, p)
	return p, n
}

// power returns 2^n for −127 ≤ n ≤ 128, 0 and +Inf at the ends, in n's register.
func (e expo) power(n vec) vec {
	e.g.VPADDD(e.g.word(127), n, n)
	e.g.VPSLLD(imm(23), n, n)
	return n
}

// coarse returns e^x, but 0 where it would be below 2^−126.5 and +Inf where above 2^127.5.
func (e expo) coarse(x vec) vec {
	p, n := e.reduced(e.g.clamp(x, e.lo, e.hi))
	e.g.VMULPS(e.power(n), p, p)
	return p
}

// fine returns e^x over the whole range, subnormal results included, by multiplying with half of 2^n twice.
func (e expo) fine(x vec) vec {
	g := e.g
	p, n := e.reduced(g.clamp(x, e.lo, e.hi))
	half := g.vec()
	g.VPSRAD(imm(1), n, half)
	g.VPSUBD(half, n, n)
	g.VMULPS(e.power(half), p, p)
	g.VMULPS(e.power(n), p, p)
	return p
}

// unary is dst = f(x); f returns the function after it has loaded what stays in registers.
func unary(f func(g *gen) func(x vec) vec) func(g *gen) {
	return func(g *gen) {
		op := f(g)
		dst, x := g.list("dst"), g.list("x")
		g.sweep(g.length("dst"), 1, func(c cursor, _ int) { g.put(op(g.get(x, c)), dst, c) })
	}
}

// grad is dx += dy·f(x).
func grad(f func(g *gen) func(x vec) vec) func(g *gen) {
	return func(g *gen) {
		op := f(g)
		dx, x, dy := g.list("dx"), g.list("x"), g.list("dy")
		g.sweep(g.length("dx"), 1, func(c cursor, _ int) {
			d := op(g.get(x, c))
			t := g.get(dx, c)
			g.VFMADD231PS(g.get(dy, c), d, t)
			g.put(t, dx, c)
		})
	}
}

func exp(g *gen) func(x vec) vec {
	return expo{g, g.keep(g.num(-104)), g.keep(g.num(89))}.fine
}

// onePlusExpNeg returns 1 + e^−x.
func (e expo) onePlusExpNeg(x vec) vec {
	t := e.g.vec()
	e.g.VXORPS(e.g.word(1<<31), x, t)
	t = e.coarse(t)
	e.g.VADDPS(e.g.num(1), t, t)
	return t
}

// logistic returns s = 1/(1 + e^−x) and 1 − s, which it computes as s·e^−x so that nothing cancels; x ≥ −88.
func (e expo) logistic(x, one vec) (s, rest vec) {
	g := e.g
	t := g.vec()
	g.VXORPS(g.word(1<<31), x, t)
	rest = e.coarse(t)
	s = g.add(rest, one)
	g.VDIVPS(s, one, s)
	g.VMULPS(s, rest, rest)
	return s, rest
}

func sigmoid(g *gen) func(x vec) vec {
	e, one := g.newExp(), g.keep(g.num(1))
	return func(x vec) vec {
		t := e.onePlusExpNeg(x)
		g.VDIVPS(t, one, t)
		return t
	}
}

func silu(g *gen) func(x vec) vec {
	e := g.newExp()
	return func(x vec) vec {
		t := e.onePlusExpNeg(x)
		g.VDIVPS(t, x, t)
		return t
	}
}

// siluGrad is s·(1 + x·(1 − s)) with s = σ(x).
func siluGrad(g *gen) func(x vec) vec {
	e, one := g.newExp(), g.keep(g.num(1))
	lo, hi := g.keep(g.num(-siluGradLimit)), g.keep(g.num(siluGradLimit))
	return func(x vec) vec {
		x = g.clamp(x, lo, hi)
		s, t := e.logistic(x, one)
		g.VFMADD213PS(one, x, t)
		g.VMULPS(s, t, t)
		return t
	}
}

// The constants of kernel's activation.go.
const (
	geluA         = 1.5957691216057308
	geluB         = geluA * 0.044715
	geluGradLimit = 10
	siluGradLimit = 88
)

// gelu is x/(1 + e^−u) with u = x·(A + B·x²).
func gelu(g *gen) func(x vec) vec {
	e, a, b := g.newExp(), g.keep(g.num(geluA)), g.num(geluB)
	return func(x vec) vec {
		u := g.mul(x, x)
		g.VFMADD132PS(b, a, u)
		g.VMULPS(x, u, u)
		t := e.onePlusExpNeg(u)
		g.VDIVPS(t, x, t)
		return t
	}
}

// geluSlope returns, of x, s = σ(u) and geluGrad, s·(1 + x·(1 − s)·u′), with u = x·(A + B·x²) and u′ = A + 3·B·x².
func geluSlope(g *gen) func(x vec) (s, slope vec) {
	e, one := g.newExp(), g.keep(g.num(1))
	lo, hi := g.keep(g.num(-geluGradLimit)), g.keep(g.num(geluGradLimit))
	a := g.keep(g.num(geluA))
	return func(x vec) (s, slope vec) {
		x = g.clamp(x, lo, hi)
		sq := g.mul(x, x)
		u, du := g.keep(g.num(geluB)), g.keep(g.num(3*geluB))
		g.VFMADD213PS(a, sq, u)
		g.VFMADD213PS(a, sq, du)
		g.VMULPS(x, du, du)
		g.VMULPS(x, u, u)
		s, slope = e.logistic(u, one)
		g.VFMADD213PS(one, du, slope)
		g.VMULPS(s, slope, slope)
		return s, slope
	}
}

func geluGrad(g *gen) func(x vec) vec {
	slope := geluSlope(g)
	return func(x vec) vec {
		_, t := slope(x)
		return t
	}
}

// geluBackward is y = x·s and d *= geluGrad(x).
func geluBackward(g *gen) {
	slope := geluSlope(g)
	y, d, x := g.list("y"), g.list("d"), g.list("x")
	g.sweep(g.length("y"), 1, func(c cursor, _ int) {
		v := g.get(x, c)
		s, t := slope(v)
		g.VMULPS(v, s, s)
		g.put(s, y, c)
		g.VMULPS(g.get(d, c), t, t)
		g.put(t, d, c)
	})
}

// normal returns Φ(x) and e^(−x²/2) for −40 ≤ x: formula 7.1.26 of Abramowitz & Stegun, "Handbook of Mathematical
// Functions" (1964), at |x|/√2 gives the tail beyond |x| with an error of at most 0.8e-7.
func (e expo) normal(x, zero, one vec) (phi, density vec) {
	g := e.g
	size, t := g.vec(), g.vec()
	g.VANDPS(g.word(math.MaxInt32), x, size)
	density = g.mul(x, x)
	g.VMULPS(g.num(-.5), density, density)
	density = e.coarse(density)
	g.VMULPS(g.num(.3275911/math.Sqrt2), size, size)
	g.VADDPS(one, size, size)
	g.VDIVPS(size, one, t)
	tail := g.keep(g.num(1.061405429 / 2))
	for _, c := range []float64{-1.453152027 / 2, 1.421413741 / 2, -.284496736 / 2, .254829592 / 2} {
		g.VFMADD213PS(g.num(c), t, tail)
	}
	g.VMULPS(t, tail, tail)
	g.VMULPS(density, tail, tail)
	g.VSUBPS(tail, one, t)
	return g.when(less, x, zero, tail, t), density
}

// geluExact is x·Φ(x); below −5.5 it is −0, which is right to 1e-7. Φ − ½ is an odd function: x·p(x²)/q(x²) up to 5.5, where it is ½ to
// float32's precision, with p and q of degree 5 fitted to an error of 0.7e-8. One division replaces the exponential of normal.
func geluExact(g *gen) func(x vec) vec {
	const end = 5.5
	lo, hi, zero := g.keep(g.num(-end)), g.keep(g.num(end)), g.keep(g.num(math.Copysign(0, -1)))
	p := []float64{0.398942232131958, 0.033852241933345795, 0.004677236080169678, 0.00016882162890397012, 6.352094715111889e-06, 2.274973631699595e-08}
	q := []float64{1, 0.25152090191841125, 0.02864564023911953, 0.0018844217993319035, 7.364623888861388e-05, 1.197513142869866e-06}
	return func(x vec) vec {
		near := g.clamp(x, lo, hi)
		sq := g.mul(near, near)
		poly := func(c []float64) vec {
			y := g.keep(g.num(c[len(c)-1]))
			for i := len(c) - 2; i >= 0; i-- {
				g.VFMADD213PS(g.num(c[i]), sq, y)
			}
			return y
		}
		t := poly(p)
		g.VMULPS(near, t, t)
		g.VDIVPS(poly(q), t, t)
		g.VADDPS(g.num(.5), t, t)
		g.VMULPS(x, t, t)
		return g.when(less, x, lo, zero, t)
	}
}

// geluExactGrad is Φ(x) + x·φ(x).
func geluExactGrad(g *gen) func(x vec) vec {
	e := g.newExp()
	lo, hi, zero, one := g.keep(g.num(-40)), g.keep(g.num(40)), g.zero(), g.keep(g.num(1))
	return func(x vec) vec {
		x = g.clamp(x, lo, hi)
		phi, density := e.normal(x, zero, one)
		g.VMULPS(x, density, density)
		g.VFMADD231PS(g.num(1/(math.Sqrt2*math.SqrtPi)), density, phi)
		return phi
	}
}

// relu keeps NaN and −0, which the maximum's second source does.
func relu(g *gen) func(x vec) vec {
	zero := g.zero()
	return func(x vec) vec {
		g.VMAXPS(x, zero, x)
		return x
	}
}

func reluGrad(g *gen) {
	zero := g.zero()
	dx, x, dy := g.list("dx"), g.list("x"), g.list("dy")
	g.sweep(g.length("dx"), 2, func(c cursor, _ int) {
		d := g.when(less, zero, g.get(x, c), g.get(dy, c), zero)
		t := g.get(dx, c)
		g.VADDPS(d, t, t)
		g.put(t, dx, c)
	})
}

// relu6 keeps NaN and −0.
func relu6(g *gen) func(x vec) vec {
	zero, six := g.zero(), g.keep(g.num(6))
	return func(x vec) vec { return g.clamp(x, zero, six) }
}

func relu6Grad(g *gen) {
	zero, six := g.zero(), g.keep(g.num(6))
	dy, y := g.list("dy"), g.list("y")
	g.sweep(g.length("dy"), 2, func(c cursor, _ int) {
		v := g.get(y, c)
		d := g.when(less, zero, v, g.get(dy, c), zero)
		g.put(g.when(less, v, six, d, zero), dy, c)
	})
}

// tanh is x + x³·p(x²) below 0.625, p the minimax polynomial of degree 4 (relative error 4.2e-9), and
// 1 − 2/(1 + e^2|x|) with the sign of x from there on.
func tanh(g *gen) func(x vec) vec {
	e := g.newExp()
	limit, one := g.keep(g.num(0.625)), g.keep(g.num(1))
	return func(x vec) vec {
		size, sign, sq := g.vec(), g.vec(), g.mul(x, x)
		g.VANDPS(g.word(math.MaxInt32), x, size)
		g.VXORPS(size, x, sign)
		p := g.keep(g.num(-0.005709497258067131))
		for _, c := range []float64{0.020644135773181915, -0.05374162271618843, 0.13331469893455505, -0.3333328366279602} {
			g.VFMADD213PS(g.num(c), sq, p)
		}
		g.VMULPS(sq, p, p)
		g.VFMADD213PS(size, size, p)
		t := e.coarse(g.add(size, size))
		g.VADDPS(one, t, t)
		two := g.keep(g.num(2))
		g.VDIVPS(t, two, t)
		g.VSUBPS(t, one, t)
		r := g.when(less, size, limit, p, t)
		g.VORPS(sign, r, r)
		return r
	}
}
