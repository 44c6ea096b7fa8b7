package main

import "math"

// mean returns lane 0 of s divided by the number of elements n.
func (g *gen) mean(s vec, n gp) vec {
	f := g.XMM()
	g.VXORPS(f, f, f)
	g.VCVTSI2SSQ(n, f, f)
	g.VDIVSS(f, s, s)
	return s
}

// rsqrt returns 1/√(x + eps) of lane 0.
func (g *gen) rsqrt(x vec) vec {
	one := g.XMM()
	g.VADDSS(g.scalar("eps"), x, x)
	g.VSQRTSS(x, x, x)
	g.VMOVSS(g.num(1), one)
	g.VDIVSS(x, one, x)
	return x
}

// optional emits f unless the slice is nil.
func (g *gen) optional(l list, f func()) {
	skip := g.label("nil")
	g.TESTQ(l.base, l.base)
	g.JZ(ref(skip))
	f()
	g.Label(skip)
}

func (g *gen) total(acc []vec) vec { return g.fold(g.merge(acc, g.VADDPS), g.VADDPS) }

func layerNormRow(g *gen) {
	x, n := g.list("x"), g.length("x")
	acc := g.sums(4)
	g.sweep(n, 4, func(c cursor, u int) { g.VADDPS(g.get(x, c), acc[u], acc[u]) })
	mean := g.mean(g.total(acc), n)
	g.result(mean, g.Return("mean"))
	m := g.broadcast(mean)

	acc = g.sums(4)
	zero := g.zero()
	g.sweep(n, 4, func(c cursor, u int) {
		t := g.get(x, c)
		g.VSUBPS(m, t, t)
		t = g.pick(c.mask, t, zero)
		g.VFMADD231PS(t, t, acc[u])
	})
	rstd := g.rsqrt(g.mean(g.total(acc), n))
	g.result(rstd, g.Return("rstd"))
	r := g.broadcast(rstd)

	y, gain, bias := g.list("y"), g.list("g"), g.list("b")
	g.sweep(n, 2, func(c cursor, _ int) {
		t := g.get(x, c)
		g.VSUBPS(m, t, t)
		g.VMULPS(r, t, t)
		g.optional(gain, func() { g.VMULPS(g.get(gain, c), t, t) })
		g.optional(bias, func() { g.VADDPS(g.get(bias, c), t, t) })
		g.put(t, y, c)
	})
}

func layerNormGradRow(g *gen) {
	x, dy, n := g.list("x"), g.list("dy"), g.length("x")
	dg, db, gain := g.list("dg"), g.list("db"), g.list("g")
	m, r := g.param("mean"), g.param("rstd")
	s0, s1 := g.sums(2), g.sums(2)
	g.sweep(n, 2, func(c cursor, u int) {
		h, d := g.get(x, c), g.get(dy, c)
		g.VSUBPS(m, h, h)
		g.VMULPS(r, h, h)
		g.optional(dg, func() {
			t := g.get(dg, c)
			g.VFMADD231PS(h, d, t)
			g.put(t, dg, c)
		})
		g.optional(db, func() { g.put(g.add(g.get(db, c), d), db, c) })
		g.optional(gain, func() { g.VMULPS(g.get(gain, c), d, d) })
		g.VADDPS(d, s0[u], s0[u])
		g.VFMADD231PS(h, d, s1[u])
	})
	dx := g.list("dx")
	g.optional(dx, func() {
		a, b := g.broadcast(g.mean(g.total(s0), n)), g.broadcast(g.mean(g.total(s1), n))
		g.VMULPS(r, b, b)
		g.sweep(n, 2, func(c cursor, _ int) {
			h, d := g.get(x, c), g.get(dy, c)
			g.optional(gain, func() { g.VMULPS(g.get(gain, c), d, d) })
			g.VSUBPS(m, h, h)
			g.VSUBPS(a, d, d)
			g.VFNMADD231PS(h, b, d)
			t := g.get(dx, c)
			g.VFMADD231PS(d, r, t)
			g.put(t, dx, c)
		})
	})
}

func rmsNormRow(g *gen) {
	x, n := g.list("x"), g.length("x")
	acc := g.sums(4)
	g.sweep(n, 4, func(c cursor, u int) {
		t := g.get(x, c)
		g.VFMADD231PS(t, t, acc[u])
	})
	rstd := g.rsqrt(g.mean(g.total(acc), n))
	g.result(rstd, g.Return("rstd"))
	r := g.broadcast(rstd)
	y, gain := g.list("y"), g.list("g")
	g.sweep(n, 2, func(c cursor, _ int) {
		t := g.mul(g.get(x, c), r)
		g.optional(gain, func() { g.VMULPS(g.get(gain, c), t, t) })
		g.put(t, y, c)
	})
}

func rmsNormGradRow(g *gen) {
	x, dy, n := g.list("x"), g.list("dy"), g.length("x")
	dg, gain := g.list("dg"), g.list("g")
	r := g.param("rstd")
	acc := g.sums(2)
	g.sweep(n, 2, func(c cursor, u int) {
		h, d := g.get(x, c), g.get(dy, c)
		g.optional(dg, func() {
			t := g.get(dg, c)
			g.VFMADD231PS(g.mul(h, r), d, t)
			g.put(t, dg, c)
		})
		g.optional(gain, func() { g.VMULPS(g.get(gain, c), d, d) })
		g.VFMADD231PS(h, d, acc[u])
	})
	dx := g.list("dx")
	g.optional(dx, func() {
		s := g.broadcast(g.mean(g.total(acc), n))
		g.VMULPS(r, s, s)
		g.VMULPS(r, s, s)
		g.sweep(n, 2, func(c cursor, _ int) {
			d := g.get(dy, c)
			g.optional(gain, func() { g.VMULPS(g.get(gain, c), d, d) })
			g.VFNMADD231PS(g.get(x, c), s, d)
			t := g.get(dx, c)
			g.VFMADD231PS(d, r, t)
			g.put(t, dx, c)
		})
	})
}

func softmaxRow(g *gen) {
	x, n, scale := g.list("x"), g.length("x"), g.param("scale")
	none := g.keep(g.num(math.Inf(-1)))
	acc := make([]vec, 4)
	for i := range acc {
		acc[i] = g.vec()
		g.VMOVAPS(none, acc[i])
	}
	g.sweep(n, 4, func(c cursor, u int) {
		t := g.pick(c.mask, g.mul(g.get(x, c), scale), none)
		g.VMAXPS(acc[u], t, acc[u]) // passes over NaN, see maxima
	})
	top := g.fold(g.merge(acc, g.VMAXPS), g.VMAXPS)
	g.result(top, g.Return("top"))
	m := g.broadcast(top)

	s, zero, e := g.zero(), g.zero(), g.newExp()
	g.sweep(n, 1, func(c cursor, _ int) {
		t := g.get(x, c)
		g.VFMSUB213PS(m, scale, t)
		p := e.coarse(t)
		g.put(p, x, c)
		g.VADDPS(g.pick(c.mask, p, zero), s, s)
	})
	sum, one := g.fold(s, g.VADDPS), g.XMM()
	g.VMOVSS(g.num(1), one)
	g.VDIVSS(sum, one, sum)
	g.result(sum, g.Return("inv"))
	r := g.broadcast(sum)
	g.sweep(n, 4, func(c cursor, _ int) { g.put(g.mul(g.get(x, c), r), x, c) })
}

// softmaxAgain is softmaxRow whose largest element and sum are known.
func softmaxAgain(g *gen) {
	x, scale, m, r, e := g.list("x"), g.param("scale"), g.param("top"), g.param("inv"), g.newExp()
	g.sweep(g.length("x"), 1, func(c cursor, _ int) {
		t := g.get(x, c)
		g.VFMSUB213PS(m, scale, t)
		g.put(g.mul(e.coarse(t), r), x, c)
	})
}

func softmaxGradRow(g *gen) {
	p, dp, n := g.list("p"), g.list("dp"), g.length("ds")
	acc := g.sums(4)
	g.sweep(n, 4, func(c cursor, u int) { g.VFMADD231PS(g.get(p, c), g.get(dp, c), acc[u]) })
	s := g.broadcast(g.total(acc))
	ds, scale := g.list("ds"), g.param("scale")
	g.sweep(n, 2, func(c cursor, _ int) {
		t, q := g.get(dp, c), g.get(p, c)
		g.VSUBPS(s, t, t)
		g.VMULPS(q, t, t)
		g.VMULPS(scale, t, t)
		g.put(t, ds, c)
	})
}

func adamW(g *gen) {
	p, grad, m, v := g.list("p"), g.list("g"), g.list("m"), g.list("v")
	decay, step, eps := g.param("decay"), g.param("step"), g.param("eps")
	rest := func(name string) vec { // 1 − β
		t := g.keep(g.num(1))
		g.VSUBPS(g.param(name), t, t)
		return t
	}
	b1, b2 := rest("beta1"), rest("beta2")
	g.sweep(g.length("p"), 1, func(c cursor, _ int) {
		d, a, b := g.get(grad, c), g.get(m, c), g.get(v, c)
		sq := g.mul(d, d)
		g.VSUBPS(a, d, d)
		g.VFMADD231PS(d, b1, a)
		g.put(a, m, c)
		g.VSUBPS(b, sq, sq)
		g.VFMADD231PS(sq, b2, b)
		g.put(b, v, c)
		g.VSQRTPS(b, b)
		g.VADDPS(eps, b, b)
		g.VDIVPS(b, a, a)
		t := g.mul(g.get(p, c), decay)
		g.VFNMADD231PS(a, step, t)
		g.put(t, p, c)
	})
}
