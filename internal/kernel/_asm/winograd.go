package main

import "github.com/mmcloughlin/avo/operand"

// winograd emits the walk of a transform over a line of n windows, every channel by itself: step is what happens to a register of
// channels. near has `across` columns of c channels in each of its lines, rs elements apart, and moves by two columns a window (four,
// where two windows go at a time); far has 16 parts, ds elements apart, and moves by ld. half says that an element of far is two
// channels.
func (g *gen) winograd(near, far string, lines, pairs int, half bool, step func(near func(line, column int) mem, far func(part int) mem, m *mask)) {
	ds := g.intParam("ds")
	bytes := func(x gp) gp { g.SHLQ(imm(2), x); return x }
	bytes(ds)
	ds3, cs := g.GP64(), bytes(g.intParam("c"))
	g.LEAQ(mem{Base: ds, Index: ds, Scale: 2}, ds3)
	// What moves from window to window lies on the stack.
	nearAt, farAt, left := g.AllocLocal(8), g.AllocLocal(8), g.AllocLocal(8)
	t := g.list(near).base
	g.MOVQ(t, nearAt)
	t = g.list(far).base
	g.MOVQ(t, farAt)
	t = g.intParam("n")
	g.MOVQ(t, left)

	window := g.label("window")
	g.Label(window)
	at := make([]gp, lines)
	for i := range at {
		at[i] = g.GP64()
		if i == 0 {
			g.MOVQ(nearAt, at[0])
		} else {
			g.MOVQ(at[i-1], at[i])
			rs := bytes(g.intParam("rs"))
			g.ADDQ(rs, at[i])
		}
	}
	to, channels := g.GP64(), g.intParam("c")
	g.MOVQ(farAt, to)
	register := func(m *mask) {
		group := to
		step(func(line, column int) mem {
			switch column {
			case 0:
				return mem{Base: at[line]}
			case 3, 5:
				p := g.GP64()
				g.LEAQ(mem{Base: at[line], Index: cs, Scale: 1}, p)
				return mem{Base: p, Index: cs, Scale: uint8(column - 1)}
			}
			return mem{Base: at[line], Index: cs, Scale: uint8(column)}
		}, func(part int) mem {
			if part%4 == 0 && part > 0 {
				p := g.GP64()
				g.LEAQ(mem{Base: group, Index: ds, Scale: 4}, p)
				group = p
			}
			switch part % 4 {
			case 0:
				return mem{Base: group}
			case 3:
				return mem{Base: group, Index: ds3, Scale: 1}
			}
			return mem{Base: group, Index: ds, Scale: uint8(part % 4)}
		}, m)
	}
	g.registers(channels, register, func() {
		for _, p := range at {
			g.ADDQ(operand.U32(4*g.lanes), p)
		}
		if half {
			g.ADDQ(operand.U32(2*g.lanes), to)
		} else {
			g.ADDQ(operand.U32(4*g.lanes), to)
		}
	}, func() {})
	t = g.GP64()
	g.MOVQ(nearAt, t)
	g.LEAQ(mem{Base: t, Index: cs, Scale: uint8(2 * pairs)}, t)
	g.MOVQ(t, nearAt)
	t = bytes(g.intParam("ld"))
	g.ADDQ(t, farAt)
	g.DECQ(left)
	g.JNZ(ref(window))
}

// winogradRow adds line i of Bᵀ to columns of a window: what each becomes.
func (g *gen) winogradRow(i, columns int, near func(line, column int) mem, m *mask) []vec {
	// The second line is added to the first, or taken from it.
	lines := [4][2]int{{0, 2}, {1, 2}, {2, 1}, {3, 1}}[i]
	t := make([]vec, columns)
	for j := range t {
		t[j] = g.load(near(lines[0], j), m)
		second := g.loaded(near(lines[1], j), m)
		if i == 1 {
			g.VADDPS(second, t[j], t[j])
		} else {
			g.VSUBPS(second, t[j], t[j])
		}
	}
	return t
}

// winogradColumns is the other half of Bᵀ·d·B: four sums of four neighbours.
func (g *gen) winogradColumns(t []vec) [4]vec {
	y := [4]vec{g.vec(), g.vec(), g.vec(), g.vec()}
	g.VSUBPS(t[2], t[0], y[0])
	g.VADDPS(t[2], t[1], y[1])
	g.VSUBPS(t[1], t[2], y[2])
	g.VSUBPS(t[1], t[3], y[3])
	return y
}

// winogradIn is Bᵀ·d·B of windows d of 4 × 4.
func winogradIn(g *gen) {
	g.winograd("src", "dst", 4, 1, false, func(near func(line, column int) mem, far func(part int) mem, m *mask) {
		for i := range 4 {
			for j, y := range g.winogradColumns(g.winogradRow(i, 4, near, m)) {
				g.store(y, far(4*i+j), m)
			}
		}
	})
}

// winogradInPairs is winogradIn rounded, two channels an element.
func winogradInPairs(g *gen) {
	g.winograd("src", "dst", 4, 1, true, func(near func(line, column int) mem, far func(part int) mem, m *mask) {
		for i := range 4 {
			for j, y := range g.winogradColumns(g.winogradRow(i, 4, near, m)) {
				half := g.YMM()
				g.VPMOVDW(y, half) // stands for VCVTNEPS2BF16, see raw.go
				if m == nil {
					g.VMOVDQU(half, far(4*i+j))
				} else {
					g.VMOVDQU16(half, m.k, far(4*i+j))
				}
			}
		}
	})
}

// pairUp rounds two registers to one of pairs, t. It is always the same one, as avo believes that the stand-in reads it.
func (g *gen) pairUp(a, b, order, t vec) vec {
	g.VPDPWSSDS(a, b, t) // stands for VCVTNE2PS2BF16: a in the lower half
	g.VPERMW(t, order, t)
	return t
}

// winogradInTiles is winogradIn rounded, two neighbouring windows an element.
func winogradInTiles(g *gen) {
	order, pair := g.keep(g.interleave()), g.zero()
	g.winograd("src", "dst", 4, 2, false, func(near func(line, column int) mem, far func(part int) mem, m *mask) {
		for i := range 4 {
			t := g.winogradRow(i, 6, near, m)
			a, b := g.winogradColumns(t[:4]), g.winogradColumns(t[2:])
			for j := range a {
				g.store(g.pairUp(a[j], b[j], order, pair), far(4*i+j), m)
			}
		}
	})
}

// winogradSpread is A·d of a column of two, down or along.
func (g *gen) winogradSpread(a, b vec) [4]vec {
	y := [4]vec{a, g.vec(), g.vec(), b}
	g.VADDPS(b, a, y[1])
	g.VSUBPS(b, a, y[2])
	return y
}

// winogradGrad is A·d·Aᵀ of windows d of 2 × 2.
func winogradGrad(g *gen) {
	g.winograd("src", "dst", 2, 1, false, func(near func(line, column int) mem, far func(part int) mem, m *mask) {
		left := g.winogradSpread(g.load(near(0, 0), m), g.load(near(1, 0), m))
		right := g.winogradSpread(g.load(near(0, 1), m), g.load(near(1, 1), m))
		for i := range left {
			for j, y := range g.winogradSpread(left[i], right[i]) {
				g.store(y, far(4*i+j), m)
			}
		}
	})
}

// winogradGradTiles is winogradGrad rounded, two neighbouring windows an element.
func winogradGradTiles(g *gen) {
	order, pair := g.keep(g.interleave()), g.zero()
	g.winograd("src", "dst", 2, 2, false, func(near func(line, column int) mem, far func(part int) mem, m *mask) {
		var columns [4][4]vec
		for j := range columns {
			columns[j] = g.winogradSpread(g.load(near(0, j), m), g.load(near(1, j), m))
		}
		for i := range 4 {
			a, b := g.winogradSpread(columns[0][i], columns[1][i]), g.winogradSpread(columns[2][i], columns[3][i])
			for j := range a {
				g.store(g.pairUp(a[j], b[j], order, pair), far(4*i+j), m)
			}
		}
	})
}

// winogradOut is Aᵀ·d·A of 16 parts, written to windows of 2 × 2, or added to them.
func winogradOut(add bool) func(g *gen) {
	return func(g *gen) {
		g.winograd("dst", "src", 2, 1, false, func(near func(line, column int) mem, far func(part int) mem, m *mask) {
			// Aᵀ = [1 1 1 0; 0 1 −1 1]. Part 4i+j is added to the sums of column j as line i of A says.
			var top, bottom [4]vec
			for i := range 4 {
				for j := range 4 {
					x := far(4*i + j)
					switch i {
					case 0:
						top[j] = g.load(x, m)
					case 1:
						bottom[j] = g.load(x, m)
						g.VADDPS(bottom[j], top[j], top[j])
					case 2:
						t := g.load(x, m)
						g.VADDPS(t, top[j], top[j])
						g.VSUBPS(t, bottom[j], bottom[j])
					case 3:
						g.VADDPS(g.loaded(x, m), bottom[j], bottom[j])
					}
				}
			}
			for line, s := range [][4]vec{top, bottom} {
				g.VADDPS(s[1], s[0], s[0])
				g.VADDPS(s[2], s[0], s[0])
				g.VSUBPS(s[2], s[1], s[1])
				g.VADDPS(s[3], s[1], s[1])
				for j := range 2 {
					if add {
						g.VADDPS(g.loaded(near(line, j), m), s[j], s[j])
					}
					g.store(s[j], near(line, j), m)
				}
			}
		})
	}
}
