package scenes

import (
	"math"

	"fovea/imageproc"
)

// canvas is the picture while it is painted: 3·s·s components in [0, 255].
type canvas struct {
	s   int
	pix []float32
}

// background paints the canvas and says what it is in the words of a caption, for example "a striped background".
func (c *canvas) background(d dice, photos []*imageproc.RGB) string {
	if len(photos) > 0 && d.chance(.4) {
		c.photo(d, photos[d.IntN(len(photos))])
		return "a photo"
	}
	switch a := baseColor(d); d.pick(.16, .36, .14, .19, .15) {
	case 0:
		for i := range c.s * c.s {
			copy(c.pix[3*i:], a[:])
		}
		return colorName(a)
	case 1:
		c.clouds(d, a, 2+d.IntN(5), d.between(15, 38), false)
		if d.chance(.5) {
			c.clouds(d, rgb{}, 8+d.IntN(16), d.between(3, 14), true)
		}
		return "a cloudy background"
	case 2:
		c.gradient(d, a, baseColor(d))
		return "a shaded background"
	case 3:
		return c.stripes(d, a)
	default:
		c.room(d, a, baseColor(d))
		return "a shaded background"
	}
}

// baseColor is a muted colour: objects are more vivid.
func baseColor(d dice) rgb {
	grey := d.between(30, 225)
	var c rgb
	for i := range c {
		c[i] = float32(d.between(30, 225)*.6 + grey*.4)
	}
	return c
}

// photo fills the canvas with a square crop, mirrored half of the time.
func (c *canvas) photo(d dice, m *imageproc.RGB) {
	side := max(int(float64(min(m.W, m.H))*d.between(.5, 1)), 1)
	ox, oy := d.IntN(m.W-side+1), d.IntN(m.H-side+1)
	k := float64(side) / float64(c.s)
	flip := d.chance(.5)
	bright := float32(d.between(.8, 1.15))
	for y := range c.s {
		v := clamp((float64(y)+.5)*k-.5, 0, float64(side-1))
		y0 := int(v)
		fy := float32(v) - float32(y0)
		top := m.Pix[3*(oy+y0)*m.W:]
		low := m.Pix[3*(oy+min(y0+1, side-1))*m.W:]
		for x := range c.s {
			u := clamp((float64(x)+.5)*k-.5, 0, float64(side-1))
			x0 := int(u)
			fx := float32(u) - float32(x0)
			i, j := 3*(ox+x0), 3*(ox+min(x0+1, side-1))
			at := x
			if flip {
				at = c.s - 1 - x
			}
			p := c.pix[3*(y*c.s+at) : 3*(y*c.s+at)+3]
			for b := range p {
				t := float32(top[i+b]) + (float32(top[j+b])-float32(top[i+b]))*fx
				l := float32(low[i+b]) + (float32(low[j+b])-float32(low[i+b]))*fx
				p[b] = (t + (l-t)*fy) * bright
			}
		}
	}
}

// clouds is a smooth random surface: a lattice of n × n colours around base, joined by cubic B-splines.
func (c *canvas) clouds(d dice, base rgb, n int, spread float64, add bool) {
	m := n + 3
	knots := make([]rgb, m*m)
	grey := add && d.chance(.6) // fine structure is mostly light and dark
	for i := range knots {
		g := float32(d.normal(0, spread))
		for b := range 3 {
			if !grey {
				g = float32(d.normal(0, spread))
			}
			knots[i][b] = base[b] + g*1.4 // the spline evens out
		}
	}
	row := make([]rgb, m)
	for y := range c.s {
		v := (float64(y) + .5) * float64(n) / float64(c.s)
		j := int(v)
		wy := spline(float32(v) - float32(j))
		for x := range row {
			for b := range 3 {
				row[x][b] = wy[0]*knots[j*m+x][b] + wy[1]*knots[(j+1)*m+x][b] + wy[2]*knots[(j+2)*m+x][b] + wy[3]*knots[(j+3)*m+x][b]
			}
		}
		line := c.pix[3*y*c.s : 3*(y+1)*c.s]
		for x := range c.s {
			u := (float32(x) + .5) * float32(n) / float32(c.s)
			i := int(u)
			w := spline(u - float32(i))
			for b := range 3 {
				g := w[0]*row[i][b] + w[1]*row[i+1][b] + w[2]*row[i+2][b] + w[3]*row[i+3][b]
				if add {
					g += line[3*x+b]
				}
				line[3*x+b] = g
			}
		}
	}
}

func spline(t float32) [4]float32 {
	u := 1 - t
	return [4]float32{u * u * u / 6, (3*t*t*t - 6*t*t + 4) / 6, (3*u*u*u - 6*u*u + 4) / 6, t * t * t / 6}
}

func (c *canvas) gradient(d dice, a, b rgb) {
	dir := polar(d.between(0, 2*math.Pi))
	lo := min(0, dir.x) + min(0, dir.y)
	span := math.Abs(dir.x) + math.Abs(dir.y)
	k := 1 / (span * float64(c.s))
	for y := range c.s {
		for x := range c.s {
			t := float32((float64(x)*dir.x+float64(y)*dir.y)*k - lo/span)
			p := c.pix[3*(y*c.s+x):]
			p[0], p[1], p[2] = a[0]+t*(b[0]-a[0]), a[1]+t*(b[1]-a[1]), a[2]+t*(b[2]-a[2])
		}
	}
}

// stripes paints stripes or checks, with edges one pixel soft.
func (c *canvas) stripes(d dice, base rgb) string {
	check := d.chance(.4)
	dir := polar(d.between(0, 2*math.Pi))
	f := d.between(3, 12) / float64(c.s)
	step := d.jitter(rgb{128, 128, 128}, 35)
	soft := float32(.5 / f) // pixels from one edge to the next
	for y := range c.s {
		for x := range c.s {
			t := wave((float64(x)*dir.x+float64(y)*dir.y)*f, soft)
			if check {
				t *= wave((float64(y)*dir.x-float64(x)*dir.y)*f, soft)
			}
			p := c.pix[3*(y*c.s+x):]
			for b := range 3 {
				p[b] = base[b] + t*(step[b]-128)*.6
			}
		}
	}
	if check {
		return "a checked background"
	}
	return "a striped background"
}

// wave is a square wave of period 1 between −1 and 1; n is half its period in pixels.
func wave(t float64, n float32) float32 {
	f := float32(t - math.Floor(t))
	if f > .5 {
		return -min(1, min(f-.5, 1-f)*4*n)
	}
	return min(1, min(f, .5-f)*4*n)
}

// room is a wall and a floor, each a little darker towards the line where they meet.
func (c *canvas) room(d dice, wall, floor rgb) {
	line := d.between(.4, .8) * float64(c.s)
	slope := d.normal(0, .05)
	for y := range c.s {
		for x := range c.s {
			dist := float64(y) + .5 - line - slope*float64(x)
			t := float32(clamp(dist+.5, 0, 1))
			g := float32(.88 + .22*min(math.Abs(dist)/float64(c.s), .6))
			p := c.pix[3*(y*c.s+x):]
			for b := range 3 {
				p[b] = (wall[b] + t*(floor[b]-wall[b])) * g
			}
		}
	}
}

// colorName is the caption's word for a plain background.
func colorName(c rgb) string {
	hi, lo := max(c[0], c[1], c[2]), min(c[0], c[1], c[2])
	name := "grey"
	switch sat := hi - lo; {
	case sat < 28 && lo > 200:
		name = "white"
	case sat < 28 && hi < 50:
		name = "black"
	case sat >= 28:
		name = hueName(c, hi, lo)
	}
	return article(name) + " " + name + " background"
}

func hueName(c rgb, hi, lo float32) string {
	var h float32 // degrees
	switch hi {
	case c[0]:
		h = 60 * (c[1] - c[2]) / (hi - lo)
	case c[1]:
		h = 60 * (2 + (c[2]-c[0])/(hi-lo))
	default:
		h = 60 * (4 + (c[0]-c[1])/(hi-lo))
	}
	switch {
	case h < -60 || h >= 255:
		return "purple"
	case h < -15 && hi > 150:
		return "pink"
	case h < 12:
		return "red"
	case h < 42 && hi < 170:
		return "brown"
	case h < 42:
		return "orange"
	case h < 68:
		return "yellow"
	case h < 170:
		return "green"
	default:
		return "blue"
	}
}
