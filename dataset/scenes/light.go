package scenes

import "math"

// shadow is how the objects of one scene darken what is behind them.
type shadow struct {
	drop     bool // a blurred copy of the silhouette, as of a cut-out above paper
	dx, dy   int
	radius   int
	strength float32
	floor    bool // a soft ellipse under people's feet
	alpha    []float32
	row      []float32
}

func newShadow(d dice, scale float64) shadow {
	k := d.between(1, 4) * scale
	dir := polar(d.between(.1, .9) * math.Pi)
	return shadow{drop: d.chance(.45), dx: int(math.Round(k * dir.x)), dy: int(math.Round(k * dir.y)), radius: max(int(d.between(1, 3)*scale), 1),
		strength: float32(d.between(.15, .5)), floor: d.chance(.6)}
}

// cast darkens the canvas by the layer's coverage, moved and blurred twice by a box of 2·radius+1 pixels.
func (s *shadow) cast(c *canvas, l *layer, ox, oy int) {
	m := 2 * s.radius
	w, h := l.w+2*m, l.h+2*m
	s.alpha = zeroed(s.alpha, w*h)
	for y := range l.h {
		for x := range l.w {
			s.alpha[(y+m)*w+x+m] = l.pix[4*(y*l.w+x)+3]
		}
	}
	for range 2 {
		s.box(w, h, 1, w)
		s.box(h, w, w, 1)
	}
	ox, oy = ox+s.dx-m, oy+s.dy-m
	for y := max(0, -oy); y < min(h, c.s-oy); y++ {
		for x := max(0, -ox); x < min(w, c.s-ox); x++ {
			if a := s.alpha[y*w+x]; a > 1e-3 {
				p := c.pix[3*((y+oy)*c.s+x+ox):]
				k := 1 - a*s.strength
				p[0], p[1], p[2] = p[0]*k, p[1]*k, p[2]*k
			}
		}
	}
}

// box averages runs of 2·radius+1 cells along lines of n cells that are step apart; there are m lines, next apart.
func (s *shadow) box(n, m, step, next int) {
	s.row = zeroed(s.row, n)
	r, inv := s.radius, 1/float32(2*s.radius+1)
	for j := range m {
		at := j * next
		for i := range n {
			s.row[i] = s.alpha[at+i*step]
		}
		var sum float32
		for i := range min(r, n) {
			sum += s.row[i]
		}
		for i := range n {
			if i+r < n {
				sum += s.row[i+r]
			}
			if i-r-1 >= 0 {
				sum -= s.row[i-r-1]
			}
			s.alpha[at+i*step] = max(sum, 0) * inv
		}
	}
}

// ground darkens an ellipse under the feet of an upright person.
func (s *shadow) ground(c *canvas, f *figure, ox, oy int) {
	if !s.floor {
		return
	}
	a, b := f.at[lAnkle], f.at[lAnkle+1]
	m := lerp(a, b, .5).add(vec{float64(ox), float64(oy)})
	m.y = max(a.y, b.y) + float64(oy) + .03*f.k
	rx, ry := math.Abs(a.x-b.x)/2+.13*f.k, .05*f.k
	for y := max(0, int(m.y-ry)); y < min(c.s, int(m.y+ry)+1); y++ {
		for x := max(0, int(m.x-rx)); x < min(c.s, int(m.x+rx)+1); x++ {
			u, v := (float64(x)+.5-m.x)/rx, (float64(y)+.5-m.y)/ry
			if q := 1 - u*u - v*v; q > 0 {
				k := 1 - float32(q)*s.strength
				p := c.pix[3*(y*c.s+x):]
				p[0], p[1], p[2] = p[0]*k, p[1]*k, p[2]*k
			}
		}
	}
}

// finish does what a camera does: slight blur in half of the pictures, sensor noise in most.
func (s *studio) finish(d dice) {
	if d.chance(.5) {
		s.soften(float32(d.between(.04, .22)))
	}
	if d.chance(.7) {
		s.grain(d, float32(d.between(0, 7)))
	}
}

// soften convolves with [k, 1−2k, k] along the rows and along the columns.
func (c *canvas) soften(k float32) {
	n := 3 * c.s
	for y := range c.s {
		row := c.pix[y*n : (y+1)*n]
		var before rgb
		copy(before[:], row)
		for x := 0; x < n-3; x++ {
			b := x % 3
			v := row[x]
			row[x] += k * (before[b] + row[x+3] - 2*v)
			before[b] = v
		}
	}
	above := make([]float32, n)
	copy(above, c.pix)
	for y := range c.s - 1 {
		row, next := c.pix[y*n:(y+1)*n], c.pix[(y+1)*n:(y+2)*n]
		for x, v := range row {
			row[x] += k * (above[x] + next[x] - 2*v)
			above[x] = v
		}
	}
}

// grain adds noise of the given deviation, the same to the three components of a pixel: sums of four random bytes, near
// enough to normal.
func (c *canvas) grain(d dice, sigma float32) {
	const four = 147.8 // deviation of the sum of four bytes: 2·√((256² − 1)/12)
	k := sigma / four
	var bits uint64
	for i := range c.s * c.s {
		if i&1 == 0 {
			bits = d.Uint64()
		} else {
			bits >>= 32
		}
		g := k * (float32(bits&255+bits>>8&255+bits>>16&255+bits>>24&255) - 510)
		p := c.pix[3*i : 3*i+3]
		p[0], p[1], p[2] = p[0]+g, p[1]+g, p[2]+g
	}
}
