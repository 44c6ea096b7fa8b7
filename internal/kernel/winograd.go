package kernel

import "fmt"

// A 3×3 convolution by Winograd's minimal filtering F(2×2, 3×3) (Lavin and Gray 2016, "Fast algorithms for convolutional neural
// networks"). A window d of 4×4 pixels gives a tile of 2×2 results, y = Aᵀ[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]A with
//
//	Bᵀ = [1 0 −1 0; 0 1 1 0; 0 −1 1 0; 0 −1 0 1], G = [1 0 0; ½ ½ ½; ½ −½ ½; 0 0 1], Aᵀ = [1 1 1 0; 0 1 −1 1],
//
// so that four results take 16 multiplications for a channel instead of 36. Over channels each of the 16 elements of a transformed
// window, a part, is a matrix product of its own: [tiles, C]·[C, Out]. Both gradients are exact: that of the pictures is a convolution
// by kernels turned by half a turn, which exchanges lines 0 and 3 of G·g·Gᵀ, and that of the kernels is the transpose of the above.
// With operands rounded to bfloat16 it is the transformed windows and kernels that are rounded.

// WinogradParts is the number of elements of a transformed window.
const WinogradParts = 16

// Winograd reports whether a convolution over these patches can go by Winograd's filtering: a 3×3 kernel of stride 1 over pictures that
// keep their size, of even height, a width that is a multiple of four, and an even number of channels.
func (p *Patches) Winograd() bool {
	return p.K == 3 && p.S == 1 && p.Pad == 1 && p.OH == p.H && p.OW == p.W && p.H > 0 && p.W > 0 && p.H%2 == 0 && p.W%4 == 0 && p.C > 0 && p.C%2 == 0
}

// WinogradKernels sets u [16, out, c] to the transformed kernels G·g·Gᵀ of w [out, 3·3·c].
func WinogradKernels(work *Work, u, w []float32, out, c int) {
	same("WinogradKernels", len(u), WinogradParts*out*c)
	same("WinogradKernels", len(w), 9*out*c)
	t := grow(&work.winograd.lines, 12*c)
	row := func(s []float32, i int) []float32 { return s[i*c : (i+1)*c] }
	for o := range out {
		g := w[o*9*c:]
		for x := range 3 { // down, then along
			kernelSpread(row(t, x), row(t, 3+x), row(t, 6+x), row(t, 9+x), row(g, x), row(g, 3+x), row(g, 6+x))
		}
		for y := range 4 {
			at := func(x int) []float32 { return row(u, (4*y+x)*out+o) }
			kernelSpread(at(0), at(1), at(2), at(3), row(t, 3*y), row(t, 3*y+1), row(t, 3*y+2))
		}
	}
}

// kernelSpread is G times a column.
func kernelSpread(y0, y1, y2, y3, a, b, c []float32) {
	copy(y0, a)
	copy(y3, c)
	add(y1, a, c)
	copy(y2, y1)
	addTo(y1, b)
	axpy(-1, b, y2)
	scale(y1, .5)
	scale(y2, .5)
}

// WinogradKernelsGrad adds to dw [out, 3·3·c] the gradient by the kernels that has du [16, out, c] by the transformed ones.
func WinogradKernelsGrad(work *Work, dw, du []float32, out, c int) {
	same("WinogradKernelsGrad", len(du), WinogradParts*out*c)
	same("WinogradKernelsGrad", len(dw), 9*out*c)
	t := grow(&work.winograd.lines, 13*c)
	row := func(s []float32, i int) []float32 { return s[i*c : (i+1)*c] }
	for o := range out {
		clear(t[:12*c])
		for y := range 4 {
			at := func(x int) []float32 { return row(du, (4*y+x)*out+o) }
			kernelGather(row(t, 3*y), row(t, 3*y+1), row(t, 3*y+2), at(0), at(1), at(2), at(3), row(t, 12))
		}
		g := dw[o*9*c:]
		for x := range 3 {
			kernelGather(row(g, x), row(g, 3+x), row(g, 6+x), row(t, x), row(t, 3+x), row(t, 6+x), row(t, 9+x), row(t, 12))
		}
	}
}

// kernelGather adds Gᵀ times a column; sum is scratch.
func kernelGather(a, b, c, y0, y1, y2, y3, sum []float32) {
	addTo(a, y0)
	addTo(c, y3)
	add(sum, y1, y2)
	axpy(.5, sum, a)
	axpy(.5, sum, c)
	axpy(.5, y1, b)
	axpy(-.5, y2, b)
}

// winograd is the memory of a convolution under way.
type winograd struct {
	lines, windows, results, kernels []float32
	packed                           Packed
}

// winogradRows is the number of rows of tiles, of so many a row, that go at a time: their windows and results are as large as the
// kernels, roughly, as each block reads all kernels, or reads and writes all of their gradients.
func winogradRows(tiles, in, out int) int {
	return max(min(max(in*out/(in+out), 56), 128)/tiles, 1)
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// ConvWinograd sets y [places, n], or adds to it, the convolution of pictures x by u [16, n, x.C] of WinogradKernels, or, when turned,
// by the kernels u [16, x.C, n] with inputs and results exchanged and turned by half a turn: what gradients y of the results of a
// convolution give to its pictures. x.Winograd must hold. It is the work of one thread, whatever w's pool.
func ConvWinograd(w *Work, y []float32, x Patches, u []float32, n int, turned, add bool) {
	m := x.mat("ConvWinograd")
	same("ConvWinograd", len(y), m.Rows*n)
	same("ConvWinograd", len(u), WinogradParts*n*x.C)
	x.mustWinograd("ConvWinograd")
	if m.Rows == 0 || n == 0 {
		return
	}
	c, shape, units := x.C, gemmShape(), x.C
	s, pairs := bf16Shape()
	if pairs = pairs && w.bf16; pairs {
		shape, units = s, c/2
	}
	f := &w.winograd
	size := ceilDiv(n, shape.nr) * units * shape.nr
	kernels := grow(&f.kernels, WinogradParts*size)
	for p := range WinogradParts {
		b := Mat{u[p*n*c:], c, n, 1, c}
		if turned {
			b = M(u[turnedPart(p)*n*c:], c, n)
		}
		for j := 0; j < n; j += shape.nr {
			to := kernels[p*size+j*units:][:units*shape.nr]
			if pairs {
				pairPanel(to, b, 0, units, j, min(j+shape.nr, n), shape.nr, &w.bufs[0].pairs)
			} else {
				packPanel(to, b, 0, c, j, min(j+shape.nr, n), shape.nr)
			}
		}
	}
	if w.bf16 && !pairs {
		w.round(kernels)
	}
	across := x.W / 2
	block := winogradRows(across, c, n)
	ld := units
	if ld%256 == 0 {
		ld += 16 // see lhs
	}
	f.packed = Packed{k: c, n: n, shape: shape, bf16: pairs}
	for r, rows := 0, x.B*x.H/2; r < rows; r += block {
		end := min(r+block, rows)
		tiles := (end - r) * across
		windows, results := grow(&f.windows, WinogradParts*tiles*ld), grow(&f.results, WinogradParts*tiles*n)
		for i := r; i < end; i++ {
			lines, to := x.lines(&f.lines, i), windows[(i-r)*across*ld:]
			if pairs {
				winogradInPairs(to, lines, tiles*ld, ld, (x.W+2)*c, c, across)
			} else {
				winogradIn(to, lines, tiles*ld, ld, (x.W+2)*c, c, across)
			}
		}
		if w.bf16 && !pairs {
			w.round(windows)
		}
		for p := range WinogradParts {
			f.packed.data = kernels[p*size : (p+1)*size]
			w.tiles(M(results[p*tiles*n:], tiles, n), Mat{windows[p*tiles*ld:], tiles, units, ld, 1}, Mat{}, &f.packed, shape, 0)
		}
		for i := r; i < end; i++ {
			to, from := y[2*i*x.W*n:], results[(i-r)*across*n:]
			if add {
				winogradOutAdd(to, from, tiles*n, n, x.W*n, n, across)
			} else {
				winogradOut(to, from, tiles*n, n, x.W*n, n, across)
			}
		}
	}
}

// ConvWinogradGrad sets du [16, n, x.C] to the gradient by transformed kernels of a convolution of x whose results have gradients dy
// [places, n]. x.Winograd must hold, and n be even. It is the work of one thread.
func ConvWinogradGrad(w *Work, du, dy []float32, x Patches, n int) {
	m := x.mat("ConvWinogradGrad")
	same("ConvWinogradGrad", len(dy), m.Rows*n)
	same("ConvWinogradGrad", len(du), WinogradParts*n*x.C)
	x.mustWinograd("ConvWinogradGrad")
	if m.Rows == 0 || n == 0 {
		clear(du)
		return
	}
	c, shape, group := x.C, gemmShape(), 1
	s, pairs := bf16Shape()
	if pairs = pairs && w.bf16; pairs {
		shape, group = s, 2
	}
	f, across := &w.winograd, x.W/2
	block := winogradRows(across, c, n)
	if across > 0 && shape.amx { // as many pairs of tiles as AMX takes at a time
		whole := 2 * amxUnits / gcd(across, 2*amxUnits)
		block = ceilDiv(block, whole) * whole
	}
	for r, rows := 0, x.B*x.H/2; r < rows; r += block {
		end := min(r+block, rows)
		units := (end - r) * across / group // tiles, or pairs of them
		windows, grads := grow(&f.windows, WinogradParts*units*c), grow(&f.results, WinogradParts*units*n)
		for i := r; i < end; i++ {
			lines, at := x.lines(&f.lines, i), (i-r)*across/group
			from := dy[2*i*x.W*n:]
			if pairs {
				winogradInTiles(windows[at*c:], lines, units*c, c, (x.W+2)*c, c, across/2)
				winogradGradTiles(grads[at*n:], from, units*n, n, x.W*n, n, across/2)
			} else {
				winogradIn(windows[at*c:], lines, units*c, c, (x.W+2)*c, c, across)
				winogradGrad(grads[at*n:], from, units*n, n, x.W*n, n, across)
			}
		}
		if w.bf16 && !pairs {
			w.round(windows)
			w.round(grads)
		}
		for p := range WinogradParts {
			a, b := Mat{grads[p*units*n:], n, units, 1, n}, M(windows[p*units*c:], units, c)
			w.tiles(M(du[p*n*c:], n, c), a, b, nil, shape, min(float32(r), 1))
		}
	}
}

func (p *Patches) mustWinograd(fn string) {
	if !p.Winograd() {
		panic(fmt.Sprintf("kernel: %s: pictures of %d×%d×%d, a kernel of %d, stride %d, padding %d", fn, p.H, p.W, p.C, p.K, p.S, p.Pad))
	}
}

// turnedPart is the part of a transformed kernel that is part p of the kernel turned by half a turn.
func turnedPart(p int) int {
	turn := [4]int{3, 1, 2, 0}
	return 4*turn[p/4] + turn[p%4]
}

// lines are the four lines of pixels, with a zero pixel at each end, that row i of tiles sees, counted through all pictures.
func (p *Patches) lines(buf *[]float32, i int) []float32 {
	line, n := (p.W+2)*p.C, p.W*p.C
	out := grow(buf, 4*line)
	for l := range 4 {
		to, y := out[l*line:(l+1)*line], i%(p.H/2)*2+l-1
		if y < 0 || y >= p.H {
			clear(to)
			continue
		}
		clear(to[:p.C])
		copy(to[p.C:], p.Data[(i/(p.H/2)*p.H+y)*n:][:n])
		clear(to[p.C+n:])
	}
	return out
}

// round rounds x to bfloat16 in place.
func (w *Work) round(x []float32) {
	if len(w.halves) < 1024 {
		w.halves = make([]uint16, 1024)
	}
	for len(x) > 0 {
		n := min(len(x), len(w.halves))
		toBF16(w.halves[:n], x[:n])
		fromBF16(x[:n], w.halves[:n])
		x = x[n:]
	}
}

// tiles is a product of operands that lie as the tiles read them, in elements of the shape's group, on one thread: c = a·b + beta·c
// with a's rows or columns adjacent, and b packed or with adjacent columns.
func (w *Work) tiles(c, a, b Mat, packed *Packed, shape tileShape, beta float32) {
	p := &w.job
	p.c, p.a, p.b, p.packed, p.weights, p.shape = c, a, b, packed, weights{}, shape
	p.m, p.n, p.k, p.units = c.Rows, c.Cols, a.Cols*shape.group, a.Cols
	p.ep, p.ready = Epilogue{Beta: beta}, true
	p.blocks(&w.bufs[0], 0, p.m, 0, p.n)
	p.c, p.a, p.b, p.packed, p.ep, p.ready = Mat{}, Mat{}, Mat{}, nil, Epilogue{}, false
}
