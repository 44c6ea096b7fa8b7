package main

import "github.com/mmcloughlin/avo/operand"

// channels emits a walk over n rows of c channels for each register of channels: before, then row for every row, then after. The lists
// named by rows move from row to row, c elements; those named by once hold c elements. at gives the addresses
// of the channels.
func (g *gen) channels(rows, once []string, before, row, after func(at func(name string) mem, m *mask)) {
	base, walk := map[string]gp{}, map[string]gp{}
	for _, name := range append(append([]string(nil), rows...), once...) {
		base[name] = g.list(name).base
	}
	size := g.intParam("c")
	g.SHLQ(imm(2), size)
	register := func(m *mask) {
		for _, name := range rows {
			walk[name] = g.GP64()
			g.MOVQ(base[name], walk[name])
		}
		at := func(name string) mem {
			if p, ok := walk[name]; ok {
				return mem{Base: p}
			}
			return mem{Base: base[name]}
		}
		before(at, m)
		left, loop := g.intParam("n"), g.label("row")
		g.Label(loop)
		row(at, m)
		for _, name := range rows {
			g.ADDQ(size, walk[name])
		}
		g.DECQ(left)
		g.JNZ(ref(loop))
		after(at, m)
	}
	g.registers(g.intParam("c"), register, func() {
		for _, name := range append(append([]string(nil), rows...), once...) {
			g.ADDQ(operand.U32(4*g.lanes), base[name])
		}
	}, func() {})
}

// registers emits step for each register of left elements, with on after it, and then step with a mask for those that do not fill one,
// with end after it, where left is how many they are.
func (g *gen) registers(left gp, step func(m *mask), on, end func()) {
	loop, tail, out := g.label("loop"), g.label("tail"), g.label("out")
	g.SUBQ(operand.U32(g.lanes), left)
	g.JLT(ref(tail))
	g.Label(loop)
	step(nil)
	on()
	g.SUBQ(operand.U32(g.lanes), left)
	g.JGE(ref(loop))
	g.Label(tail)
	g.ADDQ(operand.U32(g.lanes), left)
	g.JZ(ref(out))
	step(g.tailMask(left))
	end()
	g.Label(out)
}

func noRows(func(string) mem, *mask) {}

// channelMoments adds Σ (x − shift) to sum and Σ (x − shift)² to squares.
func channelMoments(g *gen) {
	shift, s, q := g.vec(), g.vec(), g.vec()
	g.channels([]string{"x"}, []string{"sum", "squares", "shift"}, func(at func(string) mem, m *mask) {
		load := g.load(at("shift"), m)
		g.VMOVAPS(load, shift)
		g.VXORPS(s, s, s)
		g.VXORPS(q, q, q)
	}, func(at func(string) mem, m *mask) {
		d := g.load(at("x"), m)
		g.VSUBPS(shift, d, d)
		g.VADDPS(d, s, s)
		g.VFMADD231PS(d, d, q)
	}, func(at func(string) mem, m *mask) {
		g.VADDPS(g.loaded(at("sum"), m), s, s)
		g.store(s, at("sum"), m)
		g.VADDPS(g.loaded(at("squares"), m), q, q)
		g.store(q, at("squares"), m)
	})
}

// channelAffine is y = max(x·mul + add, floor), or of that and res. NaN stays.
func channelAffine(shortcut bool) func(g *gen) {
	return func(g *gen) {
		mul, add, floor := g.vec(), g.vec(), g.param("floor")
		rows := []string{"y", "x"}
		if shortcut {
			rows = append(rows, "res")
		}
		g.channels(rows, []string{"mul", "add"}, func(at func(string) mem, m *mask) {
			a, b := g.load(at("mul"), m), g.load(at("add"), m)
			g.VMOVAPS(a, mul)
			g.VMOVAPS(b, add)
		}, func(at func(string) mem, m *mask) {
			t := g.load(at("x"), m)
			g.VFMADD213PS(add, mul, t)
			if shortcut {
				g.VADDPS(g.loaded(at("res"), m), t, t)
			}
			g.VMAXPS(t, floor, t)
			g.store(t, at("y"), m)
		}, noRows)
	}
}

// channelGradSums adds Σ g to sum and Σ g·(x − mean) to dot, where g is dy where y > floor, else 0.
func channelGradSums(g *gen) {
	mean, s, d, floor, zero := g.vec(), g.vec(), g.vec(), g.param("floor"), g.zero()
	g.channels([]string{"x", "y", "dy"}, []string{"sum", "dot", "mean"}, func(at func(string) mem, m *mask) {
		load := g.load(at("mean"), m)
		g.VMOVAPS(load, mean)
		g.VXORPS(s, s, s)
		g.VXORPS(d, d, d)
	}, func(at func(string) mem, m *mask) {
		dy := g.when(less, floor, g.load(at("y"), m), g.load(at("dy"), m), zero)
		x := g.load(at("x"), m)
		g.VSUBPS(mean, x, x)
		g.VADDPS(dy, s, s)
		g.VFMADD231PS(x, dy, d)
	}, func(at func(string) mem, m *mask) {
		g.VADDPS(g.loaded(at("sum"), m), s, s)
		g.store(s, at("sum"), m)
		g.VADDPS(g.loaded(at("dot"), m), d, d)
		g.store(d, at("dot"), m)
	})
}

// channelGrad sets dx to a·g + b·x + k, or adds it; g as for channelGradSums.
func channelGrad(add bool) func(g *gen) {
	return func(g *gen) {
		a, b, k, floor, zero := g.vec(), g.vec(), g.vec(), g.param("floor"), g.zero()
		g.channels([]string{"dx", "x", "y", "dy"}, []string{"a", "b", "k"}, func(at func(string) mem, m *mask) {
			x, y, z := g.load(at("a"), m), g.load(at("b"), m), g.load(at("k"), m)
			g.VMOVAPS(x, a)
			g.VMOVAPS(y, b)
			g.VMOVAPS(z, k)
		}, func(at func(string) mem, m *mask) {
			dy := g.when(less, floor, g.load(at("y"), m), g.load(at("dy"), m), zero)
			x := g.load(at("x"), m)
			g.VFMADD213PS(k, b, x)
			g.VFMADD231PS(a, dy, x)
			if add {
				g.VADDPS(g.loaded(at("dx"), m), x, x)
			}
			g.store(x, at("dx"), m)
		}, noRows)
	}
}

// maskedCopy sets dst to dy where y > floor, else to 0, or adds that.
func maskedCopy(add bool) func(g *gen) {
	return func(g *gen) {
		floor, zero := g.param("floor"), g.zero()
		dst, y, dy := g.list("dst"), g.list("y"), g.list("dy")
		g.sweep(g.length("dst"), 2, func(c cursor, _ int) {
			d := g.when(less, floor, g.get(y, c), g.get(dy, c), zero)
			if add {
				d = g.add(g.get(dst, c), d)
			}
			g.put(d, dst, c)
		})
	}
}

// pool emits a walk over n windows of 2 × 2 places of c channels: lists named by wide have two lines, rs elements apart, of 2n places,
// those named by narrow a place a window.
func (g *gen) pool(wide, narrow []string, step func(wide func(name string, i int) mem, narrow func(name string) mem, m *mask)) {
	first, second, at := map[string]gp{}, map[string]gp{}, map[string]gp{}
	rs, size := g.intParam("rs"), g.intParam("c")
	g.SHLQ(imm(2), size)
	var all []gp
	for _, name := range wide {
		first[name], second[name] = g.list(name).base, g.GP64()
		g.LEAQ(mem{Base: first[name], Index: rs, Scale: 4}, second[name])
		all = append(all, first[name], second[name])
	}
	two := len(all)
	for _, name := range narrow {
		at[name] = g.list(name).base
		all = append(all, at[name])
	}
	left := g.intParam("n")
	window := g.label("window")
	register := func(m *mask) {
		step(func(name string, i int) mem {
			p := first[name]
			if i >= 2 {
				p = second[name]
			}
			if i%2 == 1 {
				return mem{Base: p, Index: size, Scale: 1}
			}
			return mem{Base: p}
		}, func(name string) mem { return mem{Base: at[name]} }, m)
	}
	g.Label(window)
	channels := g.intParam("c")
	g.registers(channels, register, func() {
		for _, p := range all {
			g.ADDQ(operand.U32(4*g.lanes), p)
		}
	}, func() {
		for _, p := range all {
			g.LEAQ(mem{Base: p, Index: channels, Scale: 4}, p)
		}
	})
	for _, p := range all[:two] { // over the window's other column
		g.ADDQ(size, p)
	}
	g.DECQ(left)
	g.JNZ(ref(window))
}

// pool2 is the maximum of each window; NaN stays.
func pool2(g *gen) {
	g.pool([]string{"x"}, []string{"y"}, func(wide func(string, int) mem, narrow func(string) mem, m *mask) {
		t := g.load(wide("x", 0), m)
		for i := 1; i < 4; i++ {
			v, u := g.load(wide("x", i), m), g.vec()
			g.VMAXPS(t, v, u)
			t = g.when(unordered, v, v, v, u)
		}
		g.store(t, narrow("y"), m)
	})
}

// pool2Grad hands dy on to the first of a window that is its maximum, and 0 to the others, or adds that.
func pool2Grad(add bool) func(g *gen) {
	return func(g *gen) {
		zero := g.zero()
		g.pool([]string{"dx", "x"}, []string{"y", "dy"}, func(wide func(string, int) mem, narrow func(string) mem, m *mask) {
			y, d := g.load(narrow("y"), m), g.load(narrow("dy"), m)
			for i := range 4 {
				x := g.load(wide("x", i), m)
				now := g.when(equal, x, y, d, zero)
				d = g.when(equal, x, y, zero, d)
				if add {
					g.VADDPS(g.loaded(wide("dx", i), m), now, now)
				}
				g.store(now, wide("dx", i), m)
			}
		})
	}
}
