package kernel

// Product is y = x·wᵀ + bias for one of several matrices w by which the same few rows x are multiplied, see MulTogether.
type Product struct {
	Y    Mat
	Bias []float32 // or nil

	// w is one of these.
	Rows  Rows
	Int8  []int8 // with Scale, as for MulInt8
	Scale []float32
	Int4  *Int4
}

// MulTogether is MulRows, MulInt8 or MulInt4 for each of some products by the same x: as one job for w's pool, and with x rounded
// once. Small matrices are not worth a fork each: a text model's keys and values are read in the time that handing them out takes.
func MulTogether(w *Work, x Mat, products []Product) {
	g := &w.group
	g.jobs = g.jobs[:0]
	for len(g.few) < len(products) {
		g.few, g.quant = append(g.few, &few{}), append(g.quant, &quantized{})
	}
	rounded, like := false, (*few)(nil)
	for i := range products {
		p := &products[i]
		if p.Int8 == nil && p.Int4 == nil {
			if f := g.few[i]; f.prepare(p.Y, x, p.Rows, p.Bias, like) {
				g.add(f, f.size(f.rows.K), f.rows.N)
				if p.Rows.BF16 != nil {
					like = f
				}
			}
			continue
		}
		f := g.quant[i]
		if p.Int4 != nil {
			f.setInt4(p.Y, x, p.Int4)
		} else {
			f.setInt8(p.Y, x, p.Int8, p.Scale)
		}
		if !f.prepare(p.Y, x, p.Bias, &w.quant) {
			continue
		}
		if !rounded {
			f.quantizeRows(0, x.Rows)
			rounded = true
		}
		if p.Int4 != nil {
			g.add(f, ceilDiv(x.Cols, 2)*int4Rows, ceilDiv(p.Y.Cols, int4Rows))
		} else {
			g.add(f, x.Cols, p.Y.Cols)
		}
	}
	g.bytes = 0
	for i := range g.jobs {
		g.bytes += g.jobs[i].bytes
	}
	g.parts = min(w.pool.Workers()*partsEach, g.bytes/forkBytes)
	if w.pool.Workers() == 1 || g.parts < 2 {
		for _, j := range g.jobs {
			j.s.part(0, j.n)
		}
	} else {
		w.pool.Run(g.parts, w.groupPart)
	}
	for i := range products {
		g.few[i].done()
		g.quant[i].done()
	}
	clear(g.jobs)
}

// group is the products of MulTogether under way.
type group struct {
	few          []*few
	quant        []*quantized
	jobs         []groupJob
	bytes, parts int // of all jobs
}

// groupJob is n rows of bytes in all.
type groupJob struct {
	s        splitter
	bytes, n int
}

func (g *group) add(s splitter, bytes, n int) {
	g.jobs = append(g.jobs, groupJob{s: s, bytes: bytes * n, n: n})
}

// part does part i of all: rows of one job, or of several.
func (g *group) part(i int) {
	from, to := edge(g.bytes, i, g.parts), edge(g.bytes, i+1, g.parts)
	for k := range g.jobs {
		j := &g.jobs[k]
		if first, last := j.row(from), j.row(to); first < last {
			j.s.part(first, last)
		}
		from, to = from-j.bytes, to-j.bytes
	}
}

// row is the row that a byte belongs to, or the nearest end of all rows.
func (j *groupJob) row(at int) int { return max(min(at, j.bytes), 0) * j.n / j.bytes }
