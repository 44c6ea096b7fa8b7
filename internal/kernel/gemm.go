package kernel

import "fmt"

// Act is an activation that Gemm applies to its result.
type Act uint8

// The activations of an Epilogue.
const (
	ActNone    Act = iota
	ActReLU        // max(x, 0)
	ActGELU        // tanh form, see GELU
	ActSiLU        // x·σ(x)
	ActSigmoid     // σ(x)
	ActTanh        // tanh(x)
)

// Epilogue says what Gemm does besides multiplying. The zero value overwrites c with the plain product.
type Epilogue struct {
	Beta     float32   // 0 overwrites c (which may hold anything, NaN too), 1 adds to it
	Bias     []float32 // one for each column of c, or nil
	Act      Act
	Residual Mat // same size as c, columns adjacent (CS 1), added after Act; none when Data is nil; must not overlap c
}

// Gemm computes c = act(a·b + Beta·c + Bias) + Residual for a [M, K], b [K, N] and c [M, N]. c needs CS 1; a and b may have
// any strides, so that a.T() and b.T() give all four products. Blocking follows Goto and van de Geijn ("Anatomy of
// high-performance matrix multiplication", 2008): panels of b stay in the first-level cache while tiles of a pass by.
// It panics when sizes disagree.
func Gemm(w *Work, c, a, b Mat, ep Epilogue) {
	b.check("Gemm: b")
	if a.Cols != b.Rows || c.Cols != b.Cols {
		panicSizes("Gemm", c, a, b.Rows, b.Cols)
	}
	w.job.b, w.job.packed, w.job.weights = b, nil, weights{}
	w.multiply("Gemm", c, a, b.Cols, ep)
}

// GemmPacked is Gemm with a right-hand side that Pack prepared.
func GemmPacked(w *Work, c, a Mat, b *Packed, ep Epilogue) {
	if a.Cols != b.k || c.Cols != b.n {
		panicSizes("GemmPacked", c, a, b.k, b.n)
	}
	w.job.b, w.job.packed, w.job.weights = Mat{}, b, weights{}
	w.job.scale, w.job.shift = b.scale, b.shift
	w.multiply("GemmPacked", c, a, b.n, ep)
}

// GemmPart is GemmPacked by a part of b: rows [k0, k0+a.Cols) and columns [n0, n0+c.Cols), which Divides says may be cut out.
func GemmPart(w *Work, c, a Mat, b *Packed, k0, n0 int, ep Epilogue) {
	if k0 < 0 || n0 < 0 || k0+a.Cols > b.k || n0+c.Cols > b.n || !b.Divides(k0, n0) {
		panicSizes("GemmPart", c, a, b.k-k0, b.n-n0)
	}
	w.job.b, w.job.packed, w.job.weights = Mat{}, b, weights{}
	w.job.packedK, w.job.packedN = k0/b.shape.group, n0
	w.multiply("GemmPart", c, a, c.Cols, ep)
}

func panicSizes(fn string, c, a Mat, k, n int) {
	panic(fmt.Sprintf("kernel: %s: c %d×%d = a %d×%d · b %d×%d", fn, c.Rows, c.Cols, a.Rows, a.Cols, k, n))
}

// serialFlops is the size below which a product is not worth a fork: about 3 µs of work for one core.
const serialFlops = 200_000

func (w *Work) multiply(fn string, c, a Mat, n int, ep Epilogue) {
	a.check(fn)
	c.check(fn)
	r := ep.Residual
	switch {
	case c.Rows != a.Rows:
		panicSizes(fn, c, a, a.Cols, n)
	case c.CS != 1 || r.Data != nil && r.CS != 1:
		panic(fmt.Sprintf("kernel: %s: c and Residual need adjacent columns (CS 1)", fn))
	case ep.Beta != 0 && ep.Beta != 1:
		panic(fmt.Sprintf("kernel: %s: Beta %g is neither 0 nor 1", fn, ep.Beta))
	case ep.Bias != nil && len(ep.Bias) != n:
		panic(fmt.Sprintf("kernel: %s: bias of %d elements for %d columns", fn, len(ep.Bias), n))
	case r.Data != nil && (r.Rows != c.Rows || r.Cols != c.Cols):
		panic(fmt.Sprintf("kernel: %s: Residual %d×%d for c %d×%d", fn, r.Rows, r.Cols, c.Rows, c.Cols))
	}
	p, inner := &w.job, a.Cols
	if c.Rows == 0 || n == 0 {
		p.forget()
		return
	}
	if p.packed != nil && !p.packed.Fits() {
		panic("kernel: GemmPacked: b was packed for another implementation")
	}
	p.shape = gemmShape()
	if p.scale != nil {
		if ep.Beta != 0 {
			panic("kernel: " + fn + ": Beta with weights of one byte or less")
		}
		if s, ok := int8Shape(); ok {
			p.shape = s
		}
		if inner > 0 {
			a = w.quantized(a, p.shape)
		}
	}
	if p.packed == nil && p.scale == nil && (w.bf16 || p.weights.half != nil) || p.packed != nil && p.packed.bf16 {
		if s, ok := bf16Shape(); ok {
			p.shape = s
		} else {
			if p.patchesLeft {
				p.patches.rounded(w, &w.ra)
			} else {
				a = w.rounded(a, &w.ra)
			}
			switch {
			case p.patchesRight:
				p.patches.rounded(w, &w.rb)
			case p.packed == nil && !p.weights.any():
				p.b = w.rounded(p.b, &w.rb)
			}
		}
	}
	p.c, p.a, p.ep = c, a, ep
	p.m, p.n, p.k = a.Rows, n, inner
	p.units = ceilDiv(p.k, p.shape.group)
	p.split(w.pool.Workers())
	if p.parts == 1 {
		p.part(0)
	} else {
		w.pool.Run(p.parts, w.part)
	}
	p.forget()
}

// forget keeps nothing of the caller's alive, nor for the next product.
func (p *product) forget() {
	p.c, p.a, p.b, p.packed, p.weights, p.ep = Mat{}, Mat{}, Mat{}, nil, weights{}, Epilogue{}
	p.scale, p.shift = nil, nil
	p.packedK, p.packedN = 0, 0
}

// product is one multiplication under way.
type product struct {
	c, a, b                   Mat
	packed                    *Packed   // in place of b
	packedK, packedN          int       // where b begins in it, the first in elements of the shape's group
	weights                   weights   // the same
	scale, shift              []float32 // of weights of one byte or less, see Packed
	patches                   Patches   // in place of a or of b
	patchesLeft, patchesRight bool
	ready                     bool // a and b lie as the tiles read them, in elements of the shape's group
	ep                        Epilogue
	m, n, k                   int
	units                     int // k in elements of the shape's group
	coded                     *coded
	shape                     tileShape
	parts                     int
	byColumns                 bool // parts are ranges of columns, else of rows
	bufs                      []packBuf
}

// tileShape describes the micro-kernels of an implementation. A tile is at most mr rows by nr columns.
type tileShape struct {
	mr, nr int
	strip  int  // a packed strip of a is [k][strip], mr ≤ strip
	group  int  // factors, neighbours along k, that an element of 32 bits holds: one float32, two of 16 bits or four bytes
	words  bool // of 16 bits are integers, else bfloat16
	amx    bool // tiles are registers of AMX
	kc     int  // elements of k in a block when a is packed in strips, or for AMX, 0 for kcMax
}

// amxUnits is the number of elements along k that an instruction of AMX takes: a tile register's row of 64 bytes.
const amxUnits = 16

// padded is the number of rows that k elements along k take in a panel: AMX takes amxUnits at a time, and the rest are zero.
func (s *tileShape) padded(k int) int {
	if s.amx {
		return ceilDiv(k, amxUnits) * amxUnits
	}
	return k
}

// amxRows takes the place of mcMax: 256 rows of kc elements take 256 KiB of a second-level cache of 2 MiB.
const amxRows = 256

// pairs reports that factors are bfloat16.
func (s *tileShape) pairs() bool { return s.group == 2 && !s.words }

// Blocks, found by measuring on a Zen 3 core. A panel of b, kcMax·nr floats, streams from the second-level cache, one line
// for six cycles of work: long panels save passes over c and let rows of a be read in long runs. mcMax·kcMax elements of a
// stay in the second-level cache, kcMax·ncMax of b in the third.
const (
	kcMax = 768
	mcMax = 96
	ncMax = 1536
)

// split decides how many parts the product is cut into, and how. The result does not depend on it.
func (p *product) split(workers int) {
	p.parts, p.byColumns = 1, false
	flops := 2 * p.m * p.n * p.k
	if workers == 1 || flops < serialFlops {
		return
	}
	panels := ceilDiv(p.n, p.shape.nr)
	packsA := p.packsA()
	packsB := p.packed == nil || p.packed.data == nil
	// Columns first: then nobody packs the same part of b twice. But where a is packed and b is not, it is a that counts; for AMX,
	// which waits for memory, the larger of the two, as each worker reads all of the one that is not cut.
	aCounts := p.m >= 2*p.shape.mr*workers && !(p.shape.amx && 2*p.m < p.n)
	p.byColumns = p.m < 2*workers || panels >= 2*workers && !p.patchesLeft && (packsB || !packsA || !aCounts)
	p.parts = workers
	if p.byColumns {
		p.parts = min(workers, panels)
	}
	// Where a cut costs nothing, small parts keep a core that is slower for a while from being waited for; each worker has as
	// many of them.
	small := min(workers*partsEach, flops/partFlops)
	switch {
	case p.byColumns && !packsA:
		small = min(small, panels/4)
	case !p.byColumns && !packsB:
		small = min(small, p.m/(6*p.shape.mr))
	default:
		return
	}
	p.parts = max(p.parts, small/workers*workers)
}

// packsA reports whether rows of a are copied before they are multiplied.
func (p *product) packsA() bool {
	return !p.ready && (p.shape.pairs() || p.a.CS != 1 || p.collides())
} // patches have no CS

// strips reports whether columns of a are what lies side by side, so that they are packed in strips as high as a tile.
func (p *product) strips() bool { return !p.ready && !p.patchesLeft && p.a.CS != 1 }

// collides reports that the rows of a tile of a, a multiple of 4 KiB apart, would share the few lines of one set of the
// first-level cache.
func (p *product) collides() bool {
	const setBytes, ways = 4 << 10, 8
	return p.shape.group == 1 && p.a.CS == 1 && p.a.RS*4%setBytes == 0 && p.shape.mr > ways
}

// partFlops is the least work of a small part: 5 to 10 µs for one core.
const partFlops = 1_000_000

// part computes part i of the product.
func (p *product) part(i int) {
	r0, r1, c0, c1 := 0, p.m, 0, p.n
	if p.byColumns {
		panels := ceilDiv(p.n, p.shape.nr)
		c0, c1 = panels*i/p.parts*p.shape.nr, min(p.n, panels*(i+1)/p.parts*p.shape.nr)
	} else {
		r0, r1 = p.m*i/p.parts, p.m*(i+1)/p.parts
	}
	switch {
	case p.k == 0:
		p.empty(r0, r1, c0, c1)
	case p.m <= dotRows && p.packed == nil && p.shape.group == 1 && p.b.RS == 1 && p.a.CS == 1:
		p.dots(r0, r1, c0, c1)
	default:
		p.blocks(&p.bufs[i], r0, r1, c0, c1)
	}
}

// dotRows is the height up to which a·bᵀ is done as dot products: transposing b would cost more than the product.
const dotRows = 3

func (p *product) dots(r0, r1, c0, c1 int) {
	for i := r0; i < r1; i++ {
		x := p.a.Data[i*p.a.RS : i*p.a.RS+p.k]
		y := p.c.Data[i*p.c.RS : i*p.c.RS+p.n]
		for j := c0; j < c1; j++ {
			s := dot(x, p.b.Data[j*p.b.CS:j*p.b.CS+p.k])
			if p.ep.Beta != 0 {
				s += y[j]
			}
			if p.ep.Bias != nil {
				s += p.ep.Bias[j]
			}
			y[j] = s
		}
	}
	p.finish(r0, r1, c0, c1)
}

// empty is the product over no k.
func (p *product) empty(r0, r1, c0, c1 int) {
	for i := r0; i < r1; i++ {
		row := p.c.Row(i)[c0:c1]
		if p.ep.Beta == 0 {
			clear(row)
		}
		if p.ep.Bias != nil {
			addTo(row, p.ep.Bias[c0:c1])
		}
	}
	p.finish(r0, r1, c0, c1)
}

// finish applies what follows the bias, while the block of c is still in the cache.
func (p *product) finish(r0, r1, c0, c1 int) {
	if p.ep.Act == ActNone && p.ep.Residual.Data == nil {
		return
	}
	for i := r0; i < r1; i++ {
		row := p.c.Row(i)[c0:c1]
		switch p.ep.Act {
		case ActNone:
		case ActReLU:
			relu(row, row)
		case ActGELU:
			gelu(row, row)
		case ActSiLU:
			silu(row, row)
		case ActSigmoid:
			sigmoid(row, row)
		case ActTanh:
			tanh(row, row)
		default:
			panic(fmt.Sprintf("kernel: Gemm: unknown activation %d", p.ep.Act))
		}
		if p.ep.Residual.Data != nil {
			addTo(row, p.ep.Residual.Row(i)[c0:c1])
		}
	}
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
