package ops

import (
	"math"
	"slices"

	"fovea/internal/kernel"
)

// Past is a stretch of keys and values, [N, G·K] each, of a text that is being read or written: as float32 or as bfloat16, which
// several queries at once widen head by head.
type Past struct {
	K, V         []float32
	HalfK, HalfV []uint16
}

// Run is Rows rows of queries, from Row on, that stand at the end of a text.
type Run struct {
	Row, Rows int
	Text      []Past // all of the text, these rows included, in one or more stretches
	// A token sees those up to itself; the first Prefix tokens of the text see each other both ways besides.
	Prefix int
	Window int // tokens after the prefix see so many, themselves included; 0: all
}

// sees is the range of tokens that token i of the text sees.
func (r *Run) sees(i int) (from, to int) {
	if i < r.Prefix {
		return 0, r.Prefix
	}
	if r.Window > 0 {
		from = max(0, i+1-r.Window)
	}
	return from, i + 1
}

// queryRows is how many queries are looked at at once: it bounds the memory for scores.
const queryRows = 128

// CachedAttention returns softmax(soft(scale·q·kᵀ))·v, head by head, for texts that grow: queries are the new rows, keys and
// values those of the whole texts. q is [N, H·K]; groups G of heads share keys and values (Ainslie et al. 2023), H is a
// multiple of G. soft is limit·tanh(·/limit), which keeps scores within ±limit (Gemma 2, 2024), or nothing when limit is 0.
//
// It is for reading and writing, not for training: it has no gradient.
func CachedAttention(q *Value, heads, groups int, scale, limit float32, runs []Run) *Value {
	d := q.Shape.Last()
	mustBe(d%heads == 0 && heads%groups == 0, "cachedattention", "q [N, H·K] and H a multiple of G", q)
	t, kd := q.Tape(), d/heads
	y := t.New(false, q.Shape.Rows(), d)
	for i := range runs {
		r := &runs[i]
		n := 0
		for _, p := range r.Text {
			n += p.len() / (groups * kd)
		}
		c := cached{q, y, r, heads, groups, kd, n - r.Rows, scale, limit}
		if r.Rows == 1 && c.row() || c.rounded() {
			continue
		}
		for from := 0; from < r.Rows; from += queryRows {
			c.rows(from, min(from+queryRows, r.Rows))
		}
	}
	return y
}

// cached is one run of CachedAttention.
type cached struct {
	q, y              *Value
	r                 *Run
	heads, groups, kd int
	before            int // tokens before the run
	scale, limit      float32
}

// row computes a run of one query whose text is held in two bytes, and reports whether it is one.
func (c *cached) row() bool {
	if !kernel.AttendsRow(c.kd) || slices.ContainsFunc(c.r.Text, func(p Past) bool { return p.HalfK == nil }) {
		return false
	}
	d, w := c.heads*c.kd, c.groups*c.kd
	lo, hi := c.r.sees(c.before)
	var stretches [4]kernel.Stretch // more of them are a list on the heap
	text, at := stretches[:0], 0
	for _, p := range c.r.Text {
		n := p.len() / w
		if a, b := max(lo, at)-at, min(hi, at+n)-at; a < b {
			text = append(text, kernel.Stretch{K: p.HalfK[a*w : b*w], V: p.HalfV[a*w : b*w]})
		}
		at += n
	}
	row := c.r.Row * d
	kernel.AttendRow(c.q.Tape().Work, kernel.RowAttention{Q: c.q.Data[row : row+d], Y: c.y.Data[row : row+d], Heads: c.heads, Groups: c.groups, K: c.kd, Scale: c.scale, Limit: c.limit}, text)
	return true
}

// rows computes queries [from, to) of the run. The heads of a group are stacked, head after head, when there is one query.
func (c *cached) rows(from, to int) {
	t, d, n := c.q.Tape(), c.heads*c.kd, to-from
	lo, hi := c.r.sees(c.before + from)
	for i := from + 1; i < to; i++ {
		a, b := c.r.sees(c.before + i)
		lo, hi = min(lo, a), max(hi, b)
	}
	share, w := c.heads/c.groups, hi-lo
	stack, rs := 1, d // heads at once, distance of rows
	if n == 1 {
		stack, rs = share, c.kd
	}
	mark := t.Mark()
	s := kernel.M(t.Scratch(n*stack*w), n*stack, w)
	for h := 0; h < c.heads; h += stack {
		at := (c.r.Row+from)*d + h*c.kd
		q := kernel.Mat{Data: c.q.Data[at:], Rows: n * stack, Cols: c.kd, RS: rs, CS: 1}
		y := kernel.Mat{Data: c.y.Data[at:], Rows: n * stack, Cols: c.kd, RS: rs, CS: 1}
		c.each(h/share, lo, hi, false, func(col, rows int, k kernel.Mat) {
			kernel.Gemm(t.Work, s.Slice(0, s.Rows, col, col+rows), q, k.T(), kernel.Epilogue{})
		})
		scale := c.scale
		if c.limit > 0 {
			kernel.Scale(s.Data, c.scale/c.limit)
			kernel.Tanh(s.Data, s.Data)
			scale = c.limit
		}
		for i := range s.Rows {
			a, b := c.r.sees(c.before + from + i%n)
			row := s.Row(i)
			kernel.SoftmaxRows(row[a-lo:], 1, b-a, b-a, scale)
			clear(row[:a-lo])
			clear(row[b-lo:])
		}
		beta := float32(0)
		c.each(h/share, lo, hi, true, func(col, rows int, v kernel.Mat) {
			kernel.Gemm(t.Work, y, s.Slice(0, s.Rows, col, col+rows), v, kernel.Epilogue{Beta: beta})
			beta = 1
		})
	}
	t.Release(mark)
}

// each calls f for the stretches of tokens [lo, hi) with the column of scores where each begins, and its keys, or values, of
// group g.
func (c *cached) each(g, lo, hi int, values bool, f func(col, rows int, m kernel.Mat)) {
	t, d, at := c.q.Tape(), c.groups*c.kd, 0
	for _, p := range c.r.Text {
		n := p.len() / d
		a, b := max(lo, at), min(hi, at+n)
		wide, half := p.K, p.HalfK
		if values {
			wide, half = p.V, p.HalfV
		}
		switch {
		case a >= b:
		case half == nil:
			f(a-lo, b-a, head(wide, a-at, b-a, d, g, c.kd))
		default:
			mark := t.Mark()
			x := t.Scratch((b - a) * c.kd)
			for i := range b - a {
				from := (a-at+i)*d + g*c.kd
				kernel.FromBF16(x[i*c.kd:(i+1)*c.kd], half[from:from+c.kd])
			}
			f(a-lo, b-a, kernel.M(x, b-a, c.kd))
			t.Release(mark)
		}
		at += n
	}
}

// len is the number of elements of the keys.
func (p *Past) len() int { return max(len(p.K), len(p.HalfK)) }

// RootScale is 1/√n, the usual scale of scores of heads of n features.
func RootScale(n float64) float32 { return float32(1 / math.Sqrt(n)) }
