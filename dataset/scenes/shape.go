package scenes

import "math"

// outlines are the shapes as polygons around the origin, in units of half their size. The ring's hole is cut when drawn.
var outlines = [][]vec{
	regular(48, 0, 1), regular(4, math.Pi/4, 1.1), regular(3, -math.Pi/2, 1), star(), heart(), regular(48, 0, 1),
	{{-.33, -1}, {.33, -1}, {.33, -.33}, {1, -.33}, {1, .33}, {.33, .33}, {.33, 1}, {-.33, 1}, {-.33, .33}, {-1, .33}, {-1, -.33}, {-.33, -.33}},
	{{-1, -.28}, {.1, -.28}, {.1, -.75}, {1, 0}, {.1, .75}, {.1, .28}, {-1, .28}},
	moon(), regular(6, 0, 1),
}

const ring = 5 // index in Shapes

// anyRotation: star, arrow, moon and hexagon turn freely, the others by at most 25°.
var anyRotation = []bool{3: true, 7: true, 8: true, 9: true}

func regular(n int, phase, r float64) []vec {
	p := make([]vec, n)
	for i := range p {
		p[i] = polar(phase + 2*math.Pi*float64(i)/float64(n)).mul(r)
	}
	return p
}

func star() []vec {
	p := regular(10, -math.Pi/2, 1)
	for i := 1; i < 10; i += 2 {
		p[i] = p[i].mul(.42)
	}
	return p
}

func heart() []vec {
	p := make([]vec, 48)
	for i := range p {
		t := 2 * math.Pi * float64(i) / float64(len(p))
		s := math.Sin(t)
		p[i] = vec{16 * s * s * s, -(13*math.Cos(t) - 5*math.Cos(2*t) - 2*math.Cos(3*t) - math.Cos(4*t))}.mul(1. / 17)
	}
	return p
}

// moon is a disc less a smaller one beside it.
func moon() []vec {
	const shift, r = .5, .8
	x := (1 - r*r + shift*shift) / (2 * shift) // where the two circles meet
	outer, inner := math.Acos(x), math.Acos((x-shift)/r)
	var p []vec
	for i := range 33 {
		p = append(p, polar(outer+(2*math.Pi-2*outer)*float64(i)/32))
	}
	for i := range 24 {
		p = append(p, polar(-inner-(2*math.Pi-2*inner)*float64(i+1)/25).mul(r).add(vec{shift, 0}))
	}
	return p
}

// drawShape paints a shape of the given size in pixels into the layer, which it resizes to fit.
func (l *layer) drawShape(d dice, class int, size float64, c rgb, light vec) {
	t := d.between(-25, 25) * math.Pi / 180
	if class < len(anyRotation) && anyRotation[class] {
		t = d.between(0, 2*math.Pi)
	}
	sin, cos := math.Sincos(t)
	wide := d.between(.92, 1.08)
	p := make([]vec, len(outlines[class]))
	lo, hi := vec{1e9, 1e9}, vec{-1e9, -1e9}
	for i, q := range outlines[class] {
		q = q.mul(size / 2)
		q.x *= wide
		p[i] = vec{q.x*cos - q.y*sin, q.x*sin + q.y*cos}
		lo, hi = vec{min(lo.x, p[i].x), min(lo.y, p[i].y)}, vec{max(hi.x, p[i].x), max(hi.y, p[i].y)}
	}
	shift := vec{1 + d.Float64() - lo.x, 1 + d.Float64() - lo.y}
	l.reset(int(math.Ceil(hi.x-lo.x))+3, int(math.Ceil(hi.y-lo.y))+3)
	for i := range p {
		p[i] = p[i].add(shift)
	}
	l.ras.polygon(p, false)
	if class == ring {
		k := d.between(.45, .65)
		for i := range p {
			p[i] = lerp(shift, p[i], k)
		}
		l.ras.polygon(p, true)
	}
	g := light.mul(d.between(0, .35) / size)
	l.fill(c, shade{float32(1 - g.dot(shift)), float32(g.x), float32(g.y)}, 1)
}
