package kernel

// gemmArgs is what a micro-kernel reads, by offset (_asm/gemm.go): a column of `tiles` tiles of one height, below one
// another, of one panel of nr columns. The kernel computes
//
//	c[i, j] = Σₖ a[i, k]·b[k, j]  (+ c[i, j] if beta)  (+ bias[j] if bias is not empty)
//
// Strides are in elements of 32 bits: a float32 or a group of narrower factors.
type gemmArgs struct {
	a, b, c, bias []float32
	pf            []float32 // the panel that comes next: one line is prefetched each pfs elements and k step
	k, tiles      int
	rs, ks, ts    int // a: from row to row, k to k, tile to tile
	bs            int // b: from k to k
	ldc           int // c: from row to row
	pfs           int
	cols          int // columns of the panel to store, 1…nr
	beta          int // 0 or 1
	lines         int // a: where AMX has a tile's rows line by line (tileLines), from a line of amxUnits to the row's next, else 0
}

// blocks computes rows [r0, r1) and columns [c0, c1) of the product.
func (p *product) blocks(buf *packBuf, r0, r1, c0, c1 int) {
	kc := kcMax
	if p.shape.kc > 0 && (p.shape.amx || p.strips()) {
		kc = p.shape.kc
	}
	kc = ceilDiv(p.units, ceilDiv(p.units, kc))
	kc = p.shape.padded(kc)
	if p.weights.int4 != nil {
		kc = ceilDiv(kc, int4Units) * int4Units
	}
	mc := mcMax
	if p.shape.amx {
		mc = amxRows
	}
	mblocks := ceilDiv(r1-r0, mc)
	for jc := c0; jc < c1; jc += ncMax {
		je := min(jc+ncMax, c1)
		for pc := 0; pc < p.units; pc += kc {
			k := min(kc, p.units-pc)
			panels := p.rhs(buf, pc, k, jc, je)
			for im := range mblocks {
				i0, i1 := r0+(r1-r0)*im/mblocks, r0+(r1-r0)*(im+1)/mblocks
				p.block(buf, panels, i0, i1, pc, k, jc, je)
				if pc+k == p.units {
					if p.scale != nil {
						p.decode(i0, i1, jc, je)
					}
					p.finish(i0, i1, jc, je)
				}
			}
		}
	}
}

// padded is tileShape's, but that operands which lie ready have no rows of zeros.
func (p *product) padded(k int) int {
	if p.ready {
		return k
	}
	return p.shape.padded(k)
}

// rhsPanels is a block of b, cut into panels of nr columns: row k of panel j starts at data[j*panel+k*row].
type rhsPanels struct {
	data       []float32
	panel, row int
	direct     bool // data is the caller's matrix: a last, narrow panel lies in tail instead
	tail       []float32
}

// rhs returns elements [pc, pc+k) and columns [jc, je) of b as panels.
func (p *product) rhs(buf *packBuf, pc, k, jc, je int) rhsPanels {
	nr := p.shape.nr
	panels := ceilDiv(je-jc, nr)
	size := p.padded(k) * nr
	switch {
	case p.packed != nil && p.packed.data == nil:
		return p.packed.widen(buf, pc, k, jc/nr, panels)
	case p.packed != nil:
		rows := p.padded(ceilDiv(p.packed.k, p.shape.group))
		return rhsPanels{data: p.packed.data[((p.packedN+jc)/nr*rows+p.packedK+pc)*nr:], panel: rows * nr, row: nr}
	case p.weights.any():
		return p.weights.panels(p, buf, pc, k, jc, je)
	case p.patchesRight:
		return p.patchPanels(buf, pc, k, jc, je)
	case p.shape.pairs() && !p.ready:
		data := grow(&buf.b, panels*size)
		first := 0
		if full := (je - jc) / nr; full > 1 && p.b.CS == 1 {
			pairPanels(data, p.b.Data[2*pc*p.b.RS+jc:], min(2*k, p.k-2*pc), p.b.RS, full, size)
			first = full
		}
		for j := range panels {
			to := data[j*size : (j+1)*size]
			if j >= first {
				pairPanel(to[:k*nr], p.b, pc, k, jc+j*nr, min(jc+(j+1)*nr, je), nr, &buf.pairs)
			}
			clear(to[k*nr:])
		}
		return rhsPanels{data: data, panel: size, row: nr}
	case p.ready || p.m <= 2*p.shape.mr && p.b.CS == 1: // or too few rows to pay for a copy
		r := rhsPanels{data: p.b.Data[pc*p.b.RS+jc:], panel: nr, row: p.b.RS, direct: true}
		if full := (je - jc) / nr * nr; full < je-jc {
			r.tail = grow(&buf.b, k*nr)
			packPanel(r.tail, p.b, pc, k, jc+full, je, nr)
		}
		return r
	}
	data := grow(&buf.b, panels*k*nr)
	for r := 0; r < k; r += packRun {
		n := min(packRun, k-r)
		for j := range panels {
			packPanel(data[(j*k+r)*nr:(j*k+r+n)*nr], p.b, pc+r, n, jc+j*nr, min(jc+(j+1)*nr, je), nr)
		}
	}
	return rhsPanels{data: data, panel: k * nr, row: nr}
}

// packRun is the number of rows along k that are packed for all panels or strips before the next ones: a cache line that several of
// them share is still in the first-level cache then, and a row's page in the table of pages.
const packRun = 64

// block multiplies rows [i0, i1) of a by the panels of b.
func (p *product) block(buf *packBuf, b rhsPanels, i0, i1, pc, k, jc, je int) {
	nr := p.shape.nr
	rows := i1 - i0
	tiles := ceilDiv(rows, p.shape.mr)
	// Rows are spread evenly, tall tiles of h+1 rows first: no short tile wastes the machine at the end.
	h, tall := rows/tiles, rows%tiles

	g := &buf.args
	a := p.lhs(buf, g, i0, i1, pc, k, h, tall)
	g.k, g.ldc = p.padded(k), p.c.RS
	g.beta = 0
	if pc > 0 || p.ep.Beta != 0 {
		g.beta = 1
	}
	withBias := p.ep.Bias != nil && pc == 0 && p.scale == nil
	g.bias = nil
	for j, col := 0, jc; col < je; j, col = j+1, col+nr {
		g.cols = min(nr, je-col)
		if g.cols < nr && b.direct {
			g.b, g.bs = b.tail, nr
		} else {
			g.b, g.bs = b.data[j*b.panel:], b.row
		}
		g.pf, g.pfs = g.b, 0
		if col+nr < je && !b.direct {
			g.pf, g.pfs = b.data[(j+1)*b.panel:], nr/tiles
		}
		if withBias {
			g.bias = p.ep.Bias[col : col+g.cols]
		}
		c := p.c.Data[i0*p.c.RS+col:]
		if tall > 0 {
			g.a, g.c, g.tiles = a.data, c, tall
			g.ts, g.lines = a.tile(h+1), a.line*(h+1)
			gemmTiles(&p.shape, h+1, g, &buf.amx)
			if g.pfs > 0 {
				g.pf = g.pf[min(tall*k*g.pfs, len(g.pf)):]
			}
		}
		if tall < tiles {
			g.a, g.c, g.tiles = a.data[a.skip:], c[tall*(h+1)*p.c.RS:], tiles-tall
			g.ts, g.lines = a.tile(h), a.line*h
			gemmTiles(&p.shape, h, g, &buf.amx)
		}
	}
	g.a, g.b, g.c, g.bias, g.pf = nil, nil, nil, nil, nil
}

// lhsTiles is a block of a: the tall tiles start at data[0], the others at data[skip].
type lhsTiles struct {
	data []float32
	skip int
	strp int // elements of a packed strip, 0 when rows lie one below another
	rs   int // elements of a row, of all its lines when tiles are laid out in lines
	line int // amxUnits when they are, else 0
}

// tile returns the distance between tiles of h rows.
func (a lhsTiles) tile(h int) int {
	if a.strp > 0 {
		return a.strp
	}
	return h * a.rs
}

// lhs returns rows [i0, i1) and elements [pc, pc+k) of a in a form that the micro-kernels read, and sets the strides in g.
func (p *product) lhs(buf *packBuf, g *gemmArgs, i0, i1, pc, k, h, tall int) lhsTiles {
	a := p.a
	switch {
	case p.shape.amx && (p.packsA() || p.ready && a.CS != 1):
		return p.tileLines(buf, g, i0, i1, pc, k, h, tall)
	case p.patchesLeft || a.CS == 1 && p.packsA():
		rs := k
		if rs%256 == 0 {
			rs += 16 // rows a multiple of 1 KiB apart would share a few sets of the cache
		}
		data := grow(&buf.a, (i1-i0)*rs)
		g.rs, g.ks = rs, 1
		at := lhsTiles{data: data, skip: tall * (h + 1) * rs, rs: rs}
		switch {
		case p.patchesLeft:
			p.patchRows(buf, data, rs, i0, i1, pc, k)
		case p.shape.group == 1:
			for i := range i1 - i0 {
				copy(data[i*rs:i*rs+k], a.Data[(i0+i)*a.RS+pc:])
			}
		default:
			pairElements(data, a.Data[i0*a.RS+2*pc:], i1-i0, a.RS, min(2*k, p.k-2*pc), rs)
		}
		return at
	case a.CS == 1:
		g.rs, g.ks = a.RS, 1
		return lhsTiles{data: a.Data[i0*a.RS+pc:], skip: tall * (h + 1) * a.RS, rs: a.RS}
	case p.ready:
		g.rs, g.ks = 1, a.CS
		return lhsTiles{data: a.Data[i0+pc*a.CS:], skip: tall * (h + 1), rs: 1}
	}
	strip := p.shape.strip
	tiles := ceilDiv(i1-i0, p.shape.mr)
	data := grow(&buf.a, tiles*k*strip)
	for r := 0; r < k; r += packRun {
		n, row := min(packRun, k-r), i0
		for t := range tiles {
			next := row + h
			if t < tall {
				next++
			}
			if to := data[(t*k+r)*strip : (t*k+r+n)*strip]; p.shape.pairs() {
				pairPanel(to, a.T(), pc+r, n, row, next, strip, &buf.pairs)
			} else {
				packPanel(to, a.T(), pc+r, n, row, next, strip)
			}
			row = next
		}
	}
	g.rs, g.ks = 1, strip
	return lhsTiles{data: data, skip: tall * k * strip, strp: k * strip}
}
