package kernel

import "fmt"

// attend is the memory of Attend.
type attend struct {
	keys, values, q, scores, p, ends []float32
	pairs                            []float32
	args                             gemmArgs
	amx                              amxArgs
}

// Attend sets y = softmax(scale·q·kᵀ)·v, one head of attention, from operands rounded to bfloat16, and reports true: where RoundBF16
// asks for it and a processor multiplies such numbers; otherwise it does nothing. Scores stay in the first-level cache, tile of rows
// by tile, and are rounded as exponentials of which none exceeds 1; the results are divided by their sums (Dao et al. 2022,
// "FlashAttention"). top and inv receive what SoftmaxRowsAgain needs; both may be nil together. Columns are adjacent (CS 1), y must
// not overlap the others, and the scale is positive.
func Attend(w *Work, y, q, k, v Mat, scale float32, top, inv []float32) bool {
	s, ok := bf16Shape()
	if !ok || !w.bf16 || q.Rows == 0 || k.Rows == 0 || q.Cols == 0 || v.Cols == 0 {
		return false
	}
	for _, m := range []*Mat{&y, &q, &k, &v} {
		m.check("Attend")
		if m.CS != 1 {
			panic("kernel: Attend: columns are not adjacent (CS 1)")
		}
	}
	if y.Rows != q.Rows || y.Cols != v.Cols || k.Rows != v.Rows || q.Cols != k.Cols {
		panic(fmt.Sprintf("kernel: Attend: y %d×%d, q %d×%d, k %d×%d, v %d×%d", y.Rows, y.Cols, q.Rows, q.Cols, k.Rows, k.Cols, v.Rows, v.Cols))
	}
	a := &w.attend
	if top == nil {
		ends := grow(&a.ends, 2*q.Rows)
		top, inv = ends[:q.Rows], ends[q.Rows:]
	}
	same("Attend", len(top), q.Rows)
	same("Attend", len(inv), q.Rows)
	if !(scale > 0) {
		panic(fmt.Sprintf("kernel: Attend: scale %g is not positive", scale))
	}
	keys := a.layKeys(&s, k)
	values := a.layValues(&s, v)
	tiles := ceilDiv(q.Rows, s.mr)
	for t := range tiles {
		i, j := q.Rows*t/tiles, q.Rows*(t+1)/tiles
		a.tile(&s, y.Slice(i, j, 0, y.Cols), q.Slice(i, j, 0, q.Cols), keys, values, k.Rows, scale, top[i:j], inv[i:j])
	}
	a.args = gemmArgs{}
	return true
}

// layKeys makes panels of s.nr keys, pairs of their elements one below another.
func (a *attend) layKeys(s *tileShape, k Mat) []float32 {
	units, panels := ceilDiv(k.Cols, 2), ceilDiv(k.Rows, s.nr)
	data := grow(&a.keys, panels*units*s.nr)
	for j := range panels {
		pairPanel(data[j*units*s.nr:][:units*s.nr], k.T(), 0, units, j*s.nr, min((j+1)*s.nr, k.Rows), s.nr, &a.pairs)
	}
	return data
}

// layValues makes panels of s.nr columns, pairs of values one below another, up to whole lines of pairs.
func (a *attend) layValues(s *tileShape, v Mat) []float32 {
	pairs, units, panels := ceilDiv(v.Rows, 2), attendUnits(v.Rows), ceilDiv(v.Cols, s.nr)
	data := grow(&a.values, panels*units*s.nr)
	for j := range panels {
		panel := data[j*units*s.nr:][:units*s.nr]
		pairPanel(panel, v, 0, pairs, j*s.nr, min((j+1)*s.nr, v.Cols), s.nr, &a.pairs)
		clear(panel[pairs*s.nr:])
	}
	return data
}

// attendUnits is the number of pairs of n probabilities, up to whole lines.
func attendUnits(n int) int { return ceilDiv(n, 2*amxUnits) * amxUnits }

// tile answers the queries of one tile of rows.
func (a *attend) tile(s *tileShape, y, q Mat, keys, values []float32, n int, scale float32, top, inv []float32) {
	g, h := &a.args, q.Rows
	units, panels := ceilDiv(q.Cols, 2), ceilDiv(n, s.nr)
	*g = gemmArgs{k: units, tiles: 1, ks: 1, bs: s.nr, ldc: panels * s.nr, cols: s.nr}
	rs := ceilDiv(units, amxUnits) * amxUnits
	g.a = grow(&a.q, h*rs)
	if s.amx {
		g.rs, g.lines = amxUnits, amxUnits*h
		pairTile(g.a, q.Data, h, q.RS, q.Cols)
	} else {
		g.rs = rs
		pairElements(g.a, q.Data, h, q.RS, q.Cols, rs)
	}
	scores := grow(&a.scores, h*g.ldc)
	for j := range panels {
		g.b, g.c = keys[j*units*s.nr:], scores[j*s.nr:]
		g.pf = g.b
		gemmTiles(s, h, g, &a.amx)
	}

	units = attendUnits(n)
	g.a, g.k = grow(&a.p, h*units), units
	if s.amx {
		g.rs, g.lines = amxUnits, amxUnits*h
		softmaxPairs(g.a, scores, top, inv, h, g.ldc, n, amxUnits, amxUnits*h, scale)
	} else {
		g.rs = units
		softmaxPairs(g.a, scores, top, inv, h, g.ldc, n, units, amxUnits, scale)
	}
	g.ldc = y.RS
	for j := 0; j < y.Cols; j += s.nr {
		g.b, g.c, g.cols = values[j*units:], y.Data[j:], min(s.nr, y.Cols-j)
		g.pf = g.b
		gemmTiles(s, h, g, &a.amx)
	}
	for i, r := range inv {
		Scale(y.Data[i*y.RS:][:y.Cols], r)
	}
}
