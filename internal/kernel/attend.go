package kernel

import "fmt"

// attend is the memory of AttendRows: the keys and values of one head as its products read them, and what belongs to a tile of queries.
type attend struct {
	keys, values, q, scores, p, ends []float32
	pairs                            []float32
	n, inner, width                  int // keys, columns of a key and of a value
	args                             gemmArgs
	amx                              amxArgs
}

// Sight says how many keys, from the first on, each of some rows sees: the first row First of them, every further row one more, all
// at least Least and at most all. The zero value is all of them.
type Sight struct{ First, Least int }

func (s Sight) of(i, n int) int {
	if s.First == 0 {
		return n
	}
	return min(max(s.First+i, s.Least), n)
}

// Attend sets y = softmax(scale·q·kᵀ)·v, one head of attention, by AttendRows, and reports true: where RoundBF16 asks for it and a
// processor multiplies such numbers; otherwise it does nothing. top and inv receive what SoftmaxRowsAgain needs; both may be nil together.
func Attend(w *Work, y, q, k, v Mat, scale float32, top, inv []float32) bool {
	if !w.bf16 || q.Rows == 0 || !AttendKeys(w, k, v) {
		return false
	}
	AttendRows(w, y, q, scale, Sight{}, top, inv)
	return true
}

// AttendKeys prepares the keys and values of a head for AttendRows, rounded to bfloat16, and reports true; where no processor
// multiplies such numbers, or there are none, it does nothing. Columns are adjacent (CS 1).
func AttendKeys(w *Work, k, v Mat) bool {
	s, ok := bf16Shape()
	if !ok || k.Rows == 0 || k.Cols == 0 || v.Cols == 0 {
		return false
	}
	k.check("AttendKeys")
	v.check("AttendKeys")
	if k.Rows != v.Rows || k.CS != 1 || v.CS != 1 {
		panic(fmt.Sprintf("kernel: AttendKeys: k %d×%d and v %d×%d, columns %d and %d apart", k.Rows, k.Cols, v.Rows, v.Cols, k.CS, v.CS))
	}
	a := &w.attend
	a.n, a.inner, a.width = k.Rows, k.Cols, v.Cols
	a.layKeys(&s, k)
	a.layValues(&s, v)
	return true
}

// AttendRows sets y = softmax(scale·q·kᵀ)·v for the keys and values of the last AttendKeys, operands rounded to bfloat16. Scores
// stay in the first-level cache, tile of rows by tile, and are rounded as exponentials of which none exceeds 1; the results are divided
// by their sums (Dao et al. 2022, "FlashAttention"). Keys that no row of a tile sees are left out. Columns are adjacent (CS 1), y must
// not overlap q, and the scale is positive. top and inv are as in Attend.
func AttendRows(w *Work, y, q Mat, scale float32, sight Sight, top, inv []float32) {
	a := &w.attend
	q.check("AttendRows")
	y.check("AttendRows")
	if y.Rows != q.Rows || y.Cols != a.width || q.Cols != a.inner || q.CS != 1 || y.CS != 1 || !(scale > 0) {
		panic(fmt.Sprintf("kernel: AttendRows: y %d×%d, q %d×%d, columns %d and %d apart, keys of %d and values of %d, scale %g", y.Rows, y.Cols, q.Rows, q.Cols, y.CS, q.CS, a.inner, a.width, scale))
	}
	if top == nil {
		ends := grow(&a.ends, 2*q.Rows)
		top, inv = ends[:q.Rows], ends[q.Rows:]
	}
	same("AttendRows", len(top), q.Rows)
	same("AttendRows", len(inv), q.Rows)
	s, _ := bf16Shape()
	tiles := ceilDiv(q.Rows, s.mr)
	for t := range tiles {
		i, j := q.Rows*t/tiles, q.Rows*(t+1)/tiles
		part := sight
		if part.First > 0 {
			part.First += i
		}
		a.tile(&s, y.Slice(i, j, 0, y.Cols), q.Slice(i, j, 0, q.Cols), scale, part, top[i:j], inv[i:j])
	}
	a.args = gemmArgs{}
}

// layKeys makes panels of s.nr keys, pairs of their elements one below another.
func (a *attend) layKeys(s *tileShape, k Mat) {
	units, panels := ceilDiv(k.Cols, 2), ceilDiv(k.Rows, s.nr)
	data := grow(&a.keys, panels*units*s.nr)
	for j := range panels {
		pairPanel(data[j*units*s.nr:][:units*s.nr], k.T(), 0, units, j*s.nr, min((j+1)*s.nr, k.Rows), s.nr, &a.pairs)
	}
}

// layValues makes panels of s.nr columns, pairs of values one below another, up to whole lines of pairs.
func (a *attend) layValues(s *tileShape, v Mat) {
	pairs, units, panels := ceilDiv(v.Rows, 2), attendUnits(v.Rows), ceilDiv(v.Cols, s.nr)
	data := grow(&a.values, panels*units*s.nr)
	for j := range panels {
		panel := data[j*units*s.nr:][:units*s.nr]
		pairPanel(panel, v, 0, pairs, j*s.nr, min((j+1)*s.nr, v.Cols), s.nr, &a.pairs)
		clear(panel[pairs*s.nr:])
	}
}

// attendUnits is the number of pairs of n probabilities, up to whole lines.
func attendUnits(n int) int { return ceilDiv(n, 2*amxUnits) * amxUnits }

// tile answers the queries of one tile of rows.
func (a *attend) tile(s *tileShape, y, q Mat, scale float32, sight Sight, top, inv []float32) {
	g, h := &a.args, q.Rows
	units, n := ceilDiv(q.Cols, 2), sight.of(h-1, a.n)
	panels := ceilDiv(n, s.nr)
	*g = gemmArgs{k: units, ks: 1, bs: s.nr, ldc: panels * s.nr, cols: s.nr}
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
		g.b, g.c = a.keys[j*units*s.nr:], scores[j*s.nr:]
		g.pf, g.tiles = g.b, 1 // which the micro-kernels count down
		gemmTiles(s, h, g, &a.amx)
	}

	g.k = attendUnits(n)
	g.a = grow(&a.p, h*g.k)
	line := amxUnits
	if g.rs = g.k; s.amx {
		g.rs, line = amxUnits, amxUnits*h
	}
	a.softmax(g, scores, line, n, scale, sight, top, inv)
	all := attendUnits(a.n)
	g.ldc = y.RS
	for j := 0; j < y.Cols; j += s.nr {
		g.b, g.c, g.cols = a.values[j*all:], y.Data[j:], min(s.nr, y.Cols-j)
		g.pf, g.tiles = g.b, 1 // which the micro-kernels count down
		gemmTiles(s, h, g, &a.amx)
	}
	for i, r := range inv {
		Scale(y.Data[i*y.RS:][:y.Cols], r)
	}
}

// softmax makes a tile's scores of n keys its left-hand side g.a, with lines so far apart. Of keys that a row does not see it has zeros.
func (a *attend) softmax(g *gemmArgs, scores []float32, line, n int, scale float32, sight Sight, top, inv []float32) {
	h := len(top)
	if sight.of(0, a.n) == n {
		softmaxPairs(g.a, scores, top, inv, h, g.ldc, n, g.rs, line, scale)
		return
	}
	for i := range h {
		own := sight.of(i, a.n)
		softmaxPairs(g.a[i*g.rs:], scores[i*g.ldc:], top[i:], inv[i:], 1, g.ldc, own, g.rs, line, scale)
		for at := attendUnits(own); at < g.k; at += amxUnits {
			clear(g.a[i*g.rs+at/amxUnits*line:][:amxUnits])
		}
	}
}
