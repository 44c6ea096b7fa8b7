package main

import "math"

// add returns a + b, in a register that a caller may overwrite.
func (g *gen) add(a, b vec) vec {
	t := g.vec()
	g.VADDPS(b, a, t)
	return t
}

func (g *gen) mul(a, b vec) vec {
	t := g.vec()
	g.VMULPS(b, a, t)
	return t
}

// binary is dst = op(x, y).
func binary(x, y string, op func(g *gen, a, b vec) vec) func(g *gen) {
	return func(g *gen) {
		dst := g.list("dst")
		lx, ly := g.list(x), g.list(y)
		g.sweep(g.length("dst"), 4, func(c cursor, _ int) {
			g.put(op(g, g.get(lx, c), g.get(ly, c)), dst, c)
		})
	}
}

func axpy(g *gen) {
	alpha, x, y := g.param("alpha"), g.list("x"), g.list("y")
	g.sweep(g.length("y"), 4, func(c cursor, _ int) {
		t := g.get(y, c)
		g.VFMADD231PS(g.get(x, c), alpha, t)
		g.put(t, y, c)
	})
}

func scale(g *gen) {
	dst, alpha := g.list("dst"), g.param("alpha")
	g.sweep(g.length("dst"), 4, func(c cursor, _ int) { g.put(g.mul(g.get(dst, c), alpha), dst, c) })
}

func mulTo(g *gen) {
	dst, a, b := g.list("dst"), g.list("a"), g.list("b")
	g.sweep(g.length("dst"), 4, func(c cursor, _ int) {
		t := g.get(dst, c)
		g.VFMADD231PS(g.get(a, c), g.get(b, c), t)
		g.put(t, dst, c)
	})
}

// maxTo keeps NaN of either: the maximum is its second source when one is NaN.
func maxTo(g *gen) {
	dst, a := g.list("dst"), g.list("a")
	g.sweep(g.length("dst"), 4, func(c cursor, _ int) {
		d, v, t := g.get(dst, c), g.get(a, c), g.vec()
		g.VMAXPS(d, v, t)
		g.put(g.when(unordered, v, v, v, t), dst, c)
	})
}

// maxGrad hands dy on where x is y and nobody had it, and remembers that.
func maxGrad(g *gen) {
	dx, given, x, y, dy := g.list("dx"), g.list("given"), g.list("x"), g.list("y"), g.list("dy")
	zero, one := g.zero(), g.keep(g.num(1))
	g.sweep(g.length("dx"), 1, func(c cursor, _ int) {
		a, b, had := g.get(x, c), g.get(y, c), g.get(given, c)
		d := g.when(equal, a, b, g.get(dy, c), zero)
		g.put(g.add(g.get(dx, c), g.when(equal, had, zero, d, zero)), dx, c)
		g.put(g.when(equal, a, b, one, had), given, c)
	})
}

func lerp(g *gen) {
	dst, src, t := g.list("dst"), g.list("src"), g.param("t")
	g.sweep(g.length("dst"), 4, func(c cursor, _ int) {
		d, s := g.get(dst, c), g.get(src, c)
		g.VSUBPS(d, s, s)
		g.VFMADD231PS(s, t, d)
		g.put(d, dst, c)
	})
}

// reduce emits a sum over the slice x: step adds to the accumulator. Masked elements arrive as zero.
func (g *gen) reduce(x string, step func(x, acc vec, c cursor)) {
	lx := g.list(x)
	acc := g.sums(4)
	g.sweep(g.length(x), 4, func(c cursor, u int) { step(g.get(lx, c), acc[u], c) })
	g.result(g.fold(g.merge(acc, g.VADDPS), g.VADDPS), g.ReturnIndex(0))
}

func dot(g *gen) {
	y := g.list("y")
	g.reduce("x", func(x, acc vec, c cursor) { g.VFMADD231PS(g.get(y, c), x, acc) })
}

func sum(g *gen) {
	g.reduce("x", func(x, acc vec, _ cursor) { g.VADDPS(x, acc, acc) })
}

func sumSq(g *gen) {
	g.reduce("x", func(x, acc vec, _ cursor) { g.VFMADD231PS(x, x, acc) })
}

func sumZero(g *gen) {
	zero := g.zero()
	g.reduce("x", func(x, acc vec, _ cursor) { g.VFMADD231PS(zero, x, acc) })
}

func sumExp(g *gen) {
	x, m, e := g.list("x"), g.param("m"), g.newExp()
	acc, zero := g.zero(), g.zero()
	g.sweep(g.length("x"), 1, func(c cursor, _ int) {
		t := g.get(x, c)
		g.VSUBPS(m, t, t)
		t = g.pick(c.mask, e.coarse(t), zero)
		g.VADDPS(t, acc, acc)
	})
	g.result(g.fold(acc, g.VADDPS), g.ReturnIndex(0))
}

// maxima reduces x by maximum from start on. The accumulator is the instruction's second source, which it returns
// when the other is NaN.
func (g *gen) maxima(start mem, op func(x vec) vec) {
	x, none := g.list("x"), g.keep(start)
	acc := make([]vec, 4)
	for i := range acc {
		acc[i] = g.vec()
		g.VMOVAPS(none, acc[i])
	}
	g.sweep(g.length("x"), 4, func(c cursor, u int) {
		t := g.pick(c.mask, op(g.get(x, c)), none)
		g.VMAXPS(acc[u], t, acc[u])
	})
	g.result(g.fold(g.merge(acc, g.VMAXPS), g.VMAXPS), g.ReturnIndex(0))
}

func maxOf(g *gen) { g.maxima(g.num(math.Inf(-1)), func(x vec) vec { return x }) }

func maxAbs(g *gen) {
	g.maxima(g.num(0), func(x vec) vec {
		g.VANDPS(g.word(math.MaxInt32), x, x)
		return x
	})
}
