package scenes

import "math"

// rgb is a colour, components in [0, 255].
type rgb [3]float32

func (c rgb) scale(k float32) rgb { return rgb{c[0] * k, c[1] * k, c[2] * k} }

func (c rgb) dist(d rgb) float64 {
	s := 0.0
	for i := range c {
		s += float64((c[i] - d[i]) * (c[i] - d[i]))
	}
	return math.Sqrt(s)
}

// shade multiplies a colour by k + x·gx + y·gy: light that falls off across a surface.
type shade struct{ k, gx, gy float32 }

var flat = shade{k: 1}

// layer is one object before it is put into the picture: premultiplied colour with its coverage, and for every pixel the
// part that was painted there last.
type layer struct {
	w, h int
	pix  []float32 // 4·w·h: r, g, b times coverage, coverage
	part []uint8   // w·h
	ras  raster
	pts  []vec // scratch
}

func (l *layer) reset(w, h int) {
	l.w, l.h = w, h
	l.pix = zeroed(l.pix, 4*w*h)
	l.part = zeroed(l.part, w*h)
	l.ras.resize(w, h)
}

func zeroed[T float32 | uint8](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// fill paints the polygons given to the rasteriser over the layer.
func (l *layer) fill(c rgb, s shade, part uint8) {
	r := &l.ras
	for y := r.y0; y < r.y1; y++ {
		acc := r.acc[y*r.stride : (y+1)*r.stride]
		pix := l.pix[4*y*l.w : 4*(y+1)*l.w]
		parts := l.part[y*l.w : (y+1)*l.w]
		var sum float32
		k := s.k + s.gy*(float32(y)+.5) + s.gx*.5
		for x := range l.w {
			sum += acc[x]
			cov := sum
			if cov < 0 {
				cov = -cov
			}
			if cov < 1e-3 {
				continue
			}
			cov = min(cov, 1)
			g := (k + s.gx*float32(x)) * cov
			p := pix[4*x : 4*x+4 : 4*x+4]
			p[0] += g*c[0] - p[0]*cov
			p[1] += g*c[1] - p[1]*cov
			p[2] += g*c[2] - p[2]*cov
			p[3] += cov - p[3]*cov
			if cov > .5 {
				parts[x] = part
			}
		}
		clear(acc)
	}
	r.y0, r.y1 = r.h, 0
}

// polygon paints one polygon.
func (l *layer) polygon(p []vec, c rgb, s shade, part uint8) {
	l.ras.polygon(p, false)
	l.fill(c, s, part)
}

// ellipse paints an ellipse with half axes a (a vector) and b across it.
func (l *layer) ellipse(m, a vec, b float64, c rgb, s shade, part uint8) {
	n := vec{-a.y, a.x}.mul(b / max(a.len(), 1e-9))
	l.pts = l.pts[:0]
	steps := segments(max(a.len(), b))
	for i := range steps {
		t := polar(2 * math.Pi * float64(i) / float64(steps))
		l.pts = append(l.pts, m.add(a.mul(t.x)).add(n.mul(t.y)))
	}
	l.polygon(l.pts, c, s, part)
}

// capsule adds to the rasteriser the hull of two discs, a limb that tapers from radius ra at a to rb at b.
func (l *layer) capsule(a, b vec, ra, rb float64) {
	d := b.sub(a)
	n := d.len()
	if n <= math.Abs(ra-rb)+1e-6 { // one disc holds the other
		if rb > ra {
			a, ra = b, rb
		}
		b, rb, d, n = a, ra, vec{1, 0}, 1
	}
	axis := math.Atan2(d.y, d.x)
	open := math.Acos(clamp((ra-rb)/n, -1, 1)) // the common tangents touch at axis ± open
	l.pts = l.pts[:0]
	steps := segments(max(ra, rb)) / 2
	for i := range steps + 1 {
		t := axis + open + (2*math.Pi-2*open)*float64(i)/float64(steps)
		l.pts = append(l.pts, a.add(polar(t).mul(ra)))
	}
	for i := range steps + 1 {
		t := axis - open + 2*open*float64(i)/float64(steps)
		l.pts = append(l.pts, b.add(polar(t).mul(rb)))
	}
	l.ras.polygon(l.pts, false)
}

// segments is how many straight edges draw a circle of radius r pixels with an error below about 0.05 pixel.
func segments(r float64) int { return int(clamp(math.Ceil(10*math.Sqrt(r)), 8, 48)) }

// limb paints a capsule that is lit from the direction light.
func (l *layer) limb(a, b vec, ra, rb float64, c rgb, light vec, part uint8) {
	l.capsule(a, b, ra, rb)
	l.fill(c, across(a, b, max(ra, rb), light), part)
}

// across is the light on a cylinder from a to b of radius r: brighter on the side that faces the light.
func across(a, b vec, r float64, light vec) shade {
	const depth = .16
	d := b.sub(a)
	n := vec{-d.y, d.x}
	if k := d.len(); k > 1e-6 {
		n = n.mul(1 / k)
	} else {
		n = light
	}
	g := n.mul(depth * n.dot(light) / max(r, 1))
	return shade{float32(1 - g.dot(a)), float32(g.x), float32(g.y)}
}

// bounds is the tight rectangle of the pixels that are more than half covered.
func (l *layer) bounds() (x0, y0, x1, y1 int) {
	x0, y0 = l.w, l.h
	for y := range l.h {
		for x := range l.w {
			if l.pix[4*(y*l.w+x)+3] > .5 {
				x0, x1, y0, y1 = min(x0, x), max(x1, x+1), min(y0, y), max(y1, y+1)
			}
		}
	}
	return
}
