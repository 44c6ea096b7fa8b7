package augment

import (
	"image"
	"math"

	"fovea/annotation"
	"fovea/imageproc"
)

// one is 1 in the fixed-point numbers that walk through a picture.
const one = 1 << 32

// walk visits the source points of one row of the square: pixel x lies at (u + x·du, v + x·dv), in source pixels with 32
// fractional bits.
type walk struct{ u, v, du, dv int64 }

// row is the walk of row y under a map from the square to the source.
func (a Affine) row(y int) walk {
	u, v := a.Apply(.5, float64(y)+.5)
	return walk{int64(u * one), int64(v * one), int64(a.XX * one), int64(a.YX * one)}
}

// span is the part [x0, x1) of [lo, hi) at which the walk is inside a picture of w × h pixels.
func (k walk) span(lo, hi, w, h int) (x0, x1 int) {
	x0, x1 = bound(k.u, k.du, w, lo, hi)
	x0, x1 = bound(k.v, k.dv, h, x0, x1)
	// bound rounds; the ends settle it exactly, and what is between them follows.
	for x0 < x1 && !k.inside(x0, w, h) {
		x0++
	}
	for x0 < x1 && !k.inside(x1-1, w, h) {
		x1--
	}
	return x0, x1
}

func (k walk) inside(x, w, h int) bool {
	u, v := k.u+int64(x)*k.du, k.v+int64(x)*k.dv
	return u >= 0 && v >= 0 && u < int64(w)*one && v < int64(h)*one
}

// bound narrows [lo, hi) to about where 0 ≤ u + x·du < n, at most one too wide at either end.
func bound(u, du int64, n, lo, hi int) (int, int) {
	if du == 0 {
		if u < 0 || u >= int64(n)*one {
			return lo, lo
		}
		return lo, hi
	}
	a, b := -float64(u)/float64(du), (float64(n)*one-float64(u))/float64(du)
	if a > b {
		a, b = b, a
	}
	limit := func(v float64) int { return int(min(max(v, float64(lo)), float64(hi))) }
	return limit(math.Floor(a)), limit(math.Ceil(b) + 1)
}

// level is a part of a picture, made smaller by averaging blocks of kx × ky pixels so that points taken from it do not
// alias (a mip-map level, Williams 1983, with a factor for each axis). A cell holds its colour in lanes of 16 bits, which
// lets three channels be interpolated by one multiplication. Around the w × h cells lies a border that repeats the edge.
type level struct {
	cells  []uint64 // (w+2)·(h+2)
	w, h   int
	x0, y0 int // corner in the source, pixels
	kx, ky int
}

// lanes masks the bytes of a cell.
const lanes = 0x000000FF_00FF00FF

// build fills the level with what a map from a window of the square to the source touches.
func (l *level) build(img *imageproc.RGB, from Affine, win annotation.Box) {
	l.kx = max(int(math.Hypot(from.XX, from.XY)+.5), 1)
	l.ky = max(int(math.Hypot(from.YX, from.YY)+.5), 1)
	in := from.bounds(win)
	l.x0, l.w = cover(in.X0, in.X1, l.kx, img.W)
	l.y0, l.h = cover(in.Y0, in.Y1, l.ky, img.H)
	stride := l.w + 2
	if n := stride * (l.h + 2); cap(l.cells) < n {
		l.cells = make([]uint64, n)
	} else {
		l.cells = l.cells[:n]
	}
	for y := range l.h {
		row := l.cells[(y+1)*stride : (y+2)*stride]
		top := l.y0 + y*l.ky
		if l.kx == 1 && l.ky == 1 {
			p := img.Pix[3*(top*img.W+l.x0):]
			for x, q := 0, row[1:l.w+1]; x < len(q); x++ {
				c := p[3*x : 3*x+3 : 3*x+3]
				q[x] = uint64(c[0]) | uint64(c[1])<<16 | uint64(c[2])<<32
			}
		} else {
			l.reduce(row[1:l.w+1], img, top, min(top+l.ky, img.H))
		}
		row[0], row[stride-1] = row[1], row[stride-2]
	}
	copy(l.cells[:stride], l.cells[stride:2*stride])
	copy(l.cells[(l.h+1)*stride:], l.cells[l.h*stride:(l.h+1)*stride])
}

// cover is the start and number of blocks of k pixels of [0, n) that hold the range and a block around it.
func cover(lo, hi float64, k, n int) (start, blocks int) {
	limit := func(v float64) int { return int(min(max(v, 0), float64(n))) }
	a, b := limit(math.Floor(lo)-float64(k)), limit(math.Ceil(hi)+float64(k))
	if a >= b { // nothing is in view
		a, b = 0, 1
	}
	return a, (b - a + k - 1) / k
}

// maxSamples bounds the pixels along an axis that are averaged into one cell: 90·90·255 is what 21 bits hold.
const maxSamples = 90

// reduce averages the pixels of rows [top, end) into one row of cells. Sums are kept in lanes of 21 bits.
func (l *level) reduce(row []uint64, img *imageproc.RGB, top, end int) {
	clear(row)
	dx, dy := (l.kx+maxSamples-1)/maxSamples, (l.ky+maxSamples-1)/maxSamples
	rows := 0
	full := (img.W - l.x0) / l.kx // cells that are not cut by the picture's edge
	full = min(full, len(row))
	for y := top; y < end; y += dy {
		rows++
		p := img.Pix[3*(y*img.W+l.x0) : 3*(y+1)*img.W]
		switch {
		case l.kx == 1:
			for x := range row[:full] {
				c := p[3*x : 3*x+3 : 3*x+3]
				row[x] += uint64(c[0]) | uint64(c[1])<<21 | uint64(c[2])<<42
			}
		case l.kx == 2:
			for x := range row[:full] {
				c := p[6*x : 6*x+6 : 6*x+6]
				row[x] += (uint64(c[0]) + uint64(c[3])) | (uint64(c[1])+uint64(c[4]))<<21 | (uint64(c[2])+uint64(c[5]))<<42
			}
		default:
			for x := range row[:full] {
				row[x] += sum(p[3*x*l.kx:3*(x+1)*l.kx], 3*dx)
			}
		}
		if full < len(row) {
			row[full] += sum(p[3*full*l.kx:], 3*dx)
		}
	}
	mean(row[:full], rows*((l.kx+dx-1)/dx))
	if full < len(row) {
		rest := img.W - l.x0 - full*l.kx
		mean(row[full:], rows*((rest+dx-1)/dx))
	}
}

// sum adds up every step/3-th pixel of p.
func sum(p []uint8, step int) uint64 {
	var r, g, b uint64
	if step == 3 {
		for ; len(p) >= 3; p = p[3:] {
			r, g, b = r+uint64(p[0]), g+uint64(p[1]), b+uint64(p[2])
		}
	}
	for i := 0; i+2 < len(p); i += step {
		r, g, b = r+uint64(p[i]), g+uint64(p[i+1]), b+uint64(p[i+2])
	}
	return r | g<<21 | b<<42
}

// mean divides sums of n pixels, rounding, and packs them as cells.
func mean(row []uint64, n int) {
	k := (uint64(1)<<24 + uint64(n)/2) / uint64(n)
	for i, c := range row {
		r, g, b := c&(1<<21-1), c>>21&(1<<21-1), c>>42
		row[i] = (r*k+1<<23)>>24 | (g*k+1<<23)>>24<<16 | (b*k+1<<23)>>24<<32
	}
}

// draw samples the level into a window of out by bilinear interpolation. spans[y] is what of row y the picture covers; the
// rest of the window is filled. from maps the square to the source of w × h pixels.
func (l *level) draw(out *imageproc.RGB, win image.Rectangle, from Affine, w, h int, fill [3]uint8, spans []span) {
	to := from.Then(Affine{XX: 1 / float64(l.kx), X0: .5 - float64(l.x0)/float64(l.kx), YY: 1 / float64(l.ky), Y0: .5 - float64(l.y0)/float64(l.ky)})
	stride := l.w + 2
	clear(spans)
	for y := win.Min.Y; y < win.Max.Y; y++ {
		x0, x1 := from.row(y).span(win.Min.X, win.Max.X, w, h)
		spans[y] = span{x0, x1}
		line := out.Pix[3*y*out.W : 3*(y+1)*out.W]
		paint(line[3*win.Min.X:3*x0], fill)
		paint(line[3*x1:3*win.Max.X], fill)
		k := to.row(y) // in cells, from half a cell outside the first: the border's middle is 0
		u, v := k.u+int64(x0)*k.du, k.v+int64(x0)*k.dv
		line = line[3*x0 : 3*x1]
		for ; len(line) >= 3; line = line[3:] {
			fx, fy := uint64(u>>24)&255, uint64(v>>24)&255
			at := int(v>>32)*stride + int(u>>32)
			p, q := l.cells[at:at+2:at+2], l.cells[at+stride:at+stride+2:at+stride+2]
			const half = 0x00000080_00800080
			a := (p[0]*(256-fx) + p[1]*fx + half) >> 8 & lanes
			b := (q[0]*(256-fx) + q[1]*fx + half) >> 8 & lanes
			c := (a*(256-fy) + b*fy + half) >> 8
			line[0], line[1], line[2] = uint8(c), uint8(c>>16), uint8(c>>32)
			u += k.du
			v += k.dv
		}
	}
}

// span is the part [X0, X1) of a row.
type span struct{ X0, X1 int }

func paint(line []uint8, c [3]uint8) {
	for ; len(line) >= 3; line = line[3:] {
		line[0], line[1], line[2] = c[0], c[1], c[2]
	}
}
