package ops

import (
	"slices"

	"fovea/internal/kernel"
)

// roundedRows is the number of new rows from which laying out the keys for products of bfloat16 is worth it, and roundedKeys bounds
// the elements of a head's keys that are laid out: 8 MiB with the values, for each share of the work.
const (
	roundedRows = 16
	roundedKeys = 1 << 20
)

// rounded computes a run whose text is held as bfloat16 by products of bfloat16, where the processor has them, and reports whether it
// did. Tasks are some queries of the heads that share keys, those that see most first.
func (c *cached) rounded() bool {
	n := c.before + c.r.Rows
	cut, _ := c.r.sees(n - 1)
	if c.r.Rows < roundedRows || n*c.kd > roundedKeys || cut > 0 || c.limit > 0 || !kernel.FastBF16() || slices.ContainsFunc(c.r.Text, func(p Past) bool { return p.HalfK == nil }) {
		return false
	}
	roundedRun(*c, n)
	return true
}

// roundedRun computes a run that sees n keys. It takes a copy, as what SplitWork's function refers to lives on the heap: steps of a text, which
// are no such run, allocate nothing.
func roundedRun(c cached, n int) {
	t := c.q.Tape()
	blocks, size := (c.r.Rows+queryRows-1)/queryRows, 2*n*c.kd
	tasks := blocks * c.groups
	mark := t.Mark()
	wide := t.Scratch(t.Work.Parts(tasks) * size)
	t.Work.SplitWork(tasks, func(own *kernel.Work, part, from, to int) {
		for i := from; i < to; i++ {
			b := blocks - 1 - i/c.groups
			c.roundedTask(own, wide[part*size:(part+1)*size], i%c.groups, c.r.Rows*b/blocks, c.r.Rows*(b+1)/blocks)
		}
	})
	t.Release(mark)
}

// roundedTask computes queries [from, to) of the heads of group g.
func (c *cached) roundedTask(work *kernel.Work, wide []float32, g, from, to int) {
	_, n := c.r.sees(c.before + to - 1)
	n = min(n, c.before+c.r.Rows)
	k, v := kernel.M(wide[:n*c.kd], n, c.kd), kernel.M(wide[n*c.kd:2*n*c.kd], n, c.kd)
	c.widen(k, v, g)
	kernel.AttendKeys(work, k, v)
	d, share := c.heads*c.kd, c.heads/c.groups
	sight := kernel.Sight{First: c.before + from + 1, Least: c.r.Prefix}
	for h := g * share; h < (g+1)*share; h++ {
		kernel.AttendRows(work, head(c.y.Data, c.r.Row+from, to-from, d, h, c.kd), head(c.q.Data, c.r.Row+from, to-from, d, h, c.kd), c.scale, sight, nil, nil)
	}
}

// widen copies the first keys and values of group g.
func (c *cached) widen(k, v kernel.Mat, g int) {
	d, at := c.groups*c.kd, 0
	for _, p := range c.r.Text {
		for from := g * c.kd; from < p.len() && at < k.Rows; from += d {
			kernel.FromBF16(k.Row(at), p.HalfK[from:from+c.kd])
			kernel.FromBF16(v.Row(at), p.HalfV[from:from+c.kd])
			at++
		}
	}
}
