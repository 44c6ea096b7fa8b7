package main

import "github.com/mmcloughlin/avo/operand"

// depthRow emits the loops of a depthwise convolution over a line of n places: for each register of channels the k taps of a line of
// the kernel stay in registers while the places pass by. place is what happens at one of them; at gives the address of tap i of the
// list whose places are step elements apart, and here that of the one whose places are c elements apart.
func (g *gen) depthRow(k int, near, far string, before func(taps list, at cursor), place func(at func(i int) mem, here mem, m *mask), after func(taps list, at cursor)) {
	taps, c, n := g.list("w"), g.intParam("c"), g.intParam("n")
	step := g.intParam("step")
	g.SHLQ(imm(2), step)
	row, row3 := g.GP64(), g.GP64()
	g.MOVQ(c, row)
	g.SHLQ(imm(2), row)
	g.LEAQ(mem{Base: row, Index: row, Scale: 2}, row3)
	nearAt, farAt := g.list(near).base, g.list(far).base
	g.sweep(c, 1, func(at cursor, _ int) {
		before(taps, at)
		x, y, left, loop := g.GP64(), g.GP64(), g.GP64(), g.label("place")
		g.LEAQ(mem{Base: farAt, Index: at.index, Scale: 4}, x)
		g.LEAQ(mem{Base: nearAt, Index: at.index, Scale: 4}, y)
		g.MOVQ(n, left)
		g.Label(loop)
		place(func(i int) mem {
			switch i {
			case 0:
				return mem{Base: x}
			case 3:
				return mem{Base: x, Index: row3, Scale: 1}
			}
			return mem{Base: x, Index: row, Scale: uint8(i)}
		}, mem{Base: y}, at.mask)
		g.ADDQ(step, x)
		g.ADDQ(row, y)
		g.DECQ(left)
		g.JNZ(ref(loop))
		after(taps, at)
	})
}

// tapsAt are the addresses of the k taps of the channels at a cursor.
func (g *gen) tapsAt(k int, taps list, at cursor) []mem {
	c := g.intParam("c")
	out, p := make([]mem, k), g.GP64()
	g.LEAQ(mem{Base: taps.base, Index: at.index, Scale: 4}, p)
	for i := range out {
		out[i] = mem{Base: p}
		if i < k-1 {
			next := g.GP64()
			g.LEAQ(mem{Base: p, Index: c, Scale: 4}, next)
			p = next
		}
	}
	return out
}

// keepTaps loads the taps of a cursor.
func (g *gen) keepTaps(k int, w []vec) func(taps list, at cursor) {
	return func(taps list, at cursor) {
		for i, m := range g.tapsAt(k, taps, at) {
			w[i] = g.load(m, at.mask)
		}
	}
}

func nothing(list, cursor) {}

func depthForward(k int) func(g *gen) {
	return func(g *gen) {
		w := make([]vec, k)
		g.depthRow(k, "y", "x", g.keepTaps(k, w), func(at func(int) mem, here mem, m *mask) {
			s := g.load(here, m)
			for i := range k {
				g.VFMADD231PS(g.loaded(at(i), m), w[i], s)
			}
			g.store(s, here, m)
		}, nothing)
	}
}

func depthSpread(k int) func(g *gen) {
	return func(g *gen) {
		w := make([]vec, k)
		g.depthRow(k, "dy", "dx", g.keepTaps(k, w), func(at func(int) mem, here mem, m *mask) {
			d := g.load(here, m)
			for i := range k {
				t := g.load(at(i), m)
				g.VFMADD231PS(d, w[i], t)
				g.store(t, at(i), m)
			}
		}, nothing)
	}
}

func depthGrad(k int) func(g *gen) {
	return func(g *gen) {
		s := make([]vec, k)
		g.depthRow(k, "dy", "x", func(list, cursor) {
			for i := range s {
				s[i] = g.zero()
			}
		}, func(at func(int) mem, here mem, m *mask) {
			d := g.load(here, m)
			for i := range k {
				g.VFMADD231PS(g.loaded(at(i), m), d, s[i])
			}
		}, func(taps list, at cursor) {
			for i, to := range g.tapsAt(k, taps, at) {
				g.VADDPS(g.load(to, at.mask), s[i], s[i])
				g.store(s[i], to, at.mask)
			}
		})
	}
}

// loaded is the vector at an address: the address itself where no mask is wanted, for an instruction that can read it.
func (g *gen) loaded(at mem, m *mask) operand.Op {
	if m == nil {
		return at
	}
	return g.load(at, m)
}
