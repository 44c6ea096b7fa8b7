package scenes

import (
	"math"

	"fovea/imageproc"
)

// thing is one object of a scene while it is drawn.
type thing struct {
	class, color int
	box          [4]int // x0, y0, x1, y1 of its visible pixels
	whole        [4]int // the same before anything covered it
	area         int    // visible pixels
	joint        [17]vec
	seen         [17]bool
	cx, cy       float64 // centre of box
}

// studio holds the buffers that drawing a scene needs, so that pictures after the first allocate little.
type studio struct {
	canvas
	layer
	ids    []uint8 // object number of every pixel, from 1; 0 is background
	things []thing
	shadow shadow
	light  vec
	scale  float64 // pixels of this canvas per pixel of a 128-pixel one
}

func newStudio(size int) *studio {
	return &studio{canvas: canvas{size, make([]float32, 3*size*size)}, ids: make([]uint8, size*size), scale: float64(size) / 128}
}

const (
	maxObjects  = 6
	maxPeople   = 3
	minVisible  = 30  // pixels at size 128 that an object must show
	maxOverlap  = .3  // of the smaller box
	minContrast = 45. // between an object and what is behind it, distance in RGB
)

// draw paints one scene. It returns the caption's words for the background, and false when the scene came out with an
// object that hardly shows, in which case the caller draws another.
func (s *studio) draw(d dice, photos []*imageproc.RGB) (string, bool) {
	clear(s.ids)
	s.things = s.things[:0]
	backdrop := s.background(d, photos)
	s.light = polar(d.between(-.9, -.1) * math.Pi)
	s.shadow = newShadow(d, s.scale)
	n, people := 1+d.pick(.22, .18, .17, .16, .14, .13), 0
	for range n {
		p := .45
		if people > 0 {
			p = .25
		}
		if people < maxPeople && d.chance(p) {
			if s.place(d, n == 1, true) {
				people++
			}
		} else {
			s.place(d, n == 1, false)
		}
	}
	s.finish(d)
	return backdrop, s.measure()
}

// place draws an object where it leaves the others mostly uncovered, or gives up after twelve tries.
func (s *studio) place(d dice, alone, person bool) bool {
	t := thing{class: personClass, color: d.IntN(len(Colors))}
	if !person {
		t.class = d.IntN(len(Shapes))
		if n := len(s.things); n > 0 && d.chance(.3) { // repeat a class or a colour, so that there is something to count
			o := s.things[d.IntN(n)]
			if o.class != personClass {
				t.class = o.class
			}
			if d.chance(.4) {
				t.color = o.color
			}
		}
	}
	fig, color := (*figure)(nil), rgb{}
	for try := range 12 {
		if try%4 == 0 {
			color = d.jitter(paint[t.color], 9)
			fig = s.sketch(d, &t, alone, color)
		}
		ox, oy := s.position(d, t.box, person)
		if !s.fits(&t, ox, oy) || try < 9 && s.contrast(color, t.whole) < minContrast {
			continue
		}
		if fig != nil {
			for i, j := range fig.at {
				t.joint[i] = j.add(vec{float64(ox), float64(oy)})
			}
			if fig.upright {
				s.shadow.ground(&s.canvas, fig, ox, oy)
			}
		}
		if s.shadow.drop {
			s.shadow.cast(&s.canvas, &s.layer, ox, oy)
		}
		s.put(ox, oy)
		s.things = append(s.things, t)
		return true
	}
	return false
}

// sketch paints the object into the layer.
func (s *studio) sketch(d dice, t *thing, alone bool, color rgb) *figure {
	var fig *figure
	if t.class == personClass {
		h := d.between(36, 95)
		switch {
		case alone:
			h = d.between(60, 120)
		case d.chance(.12):
			h = d.between(95, 120)
		}
		fig, t.seen = s.drawPerson(d, h*s.scale, color, s.light)
	} else {
		size := d.between(30, 90)
		if !alone {
			size = [...]float64{d.between(13, 19), d.between(22, 32), d.between(36, 54)}[d.IntN(3)]
		}
		s.drawShape(d, t.class, size*s.scale, color, s.light)
	}
	x0, y0, x1, y1 := s.bounds()
	t.box = [4]int{x0, y0, x1, y1} // in the layer for now
	return fig
}

// position is where the layer's corner goes. Shapes stay inside; people are cut by the picture's edge now and then.
func (s *studio) position(d dice, box [4]int, person bool) (ox, oy int) {
	x0, y0, x1, y1 := box[0], box[1], box[2], box[3]
	var mx, my float64
	if person {
		k := .06
		if d.chance(.2) {
			k = .4
		}
		mx, my = k*float64(x1-x0), k*float64(y1-y0)
	}
	at := func(lo, n int, m float64) int {
		room := float64(s.canvas.s-n) + m
		return int(math.Floor(d.between(-m, max(room, -m+1)))) - lo
	}
	return at(x0, x1-x0, mx), at(y0, y1-y0, my)
}

// fits sets t.whole and reports whether enough of t is inside and it overlaps the others little.
func (s *studio) fits(t *thing, ox, oy int) bool {
	b := [4]int{max(t.box[0]+ox, 0), max(t.box[1]+oy, 0), min(t.box[2]+ox, s.canvas.s), min(t.box[3]+oy, s.canvas.s)}
	t.whole = b
	full := (t.box[2] - t.box[0]) * (t.box[3] - t.box[1])
	if area(b) < 4*full/10 {
		return false
	}
	for i := range s.things {
		q := s.things[i].whole
		common := [4]int{max(b[0], q[0]), max(b[1], q[1]), min(b[2], q[2]), min(b[3], q[3])}
		if float64(area(common)) > maxOverlap*float64(min(area(b), area(q))) {
			return false
		}
	}
	return true
}

func area(b [4]int) int { return max(b[2]-b[0], 0) * max(b[3]-b[1], 0) }

// contrast is the distance of a colour to the mean of what a box holds so far.
func (s *studio) contrast(c rgb, b [4]int) float64 {
	var sum rgb
	for i := range 5 {
		for j := range 5 {
			x, y := b[0]+(b[2]-1-b[0])*i/4, b[1]+(b[3]-1-b[1])*j/4
			p := s.canvas.pix[3*(y*s.canvas.s+x):]
			for k := range sum {
				sum[k] += p[k] / 25
			}
		}
	}
	return c.dist(sum)
}

// put composes the layer onto the canvas as the next object.
func (s *studio) put(ox, oy int) {
	id := uint8(len(s.things) + 1)
	size, l := s.canvas.s, &s.layer
	for y := max(0, -oy); y < min(l.h, size-oy); y++ {
		for x := max(0, -ox); x < min(l.w, size-ox); x++ {
			p := l.pix[4*(y*l.w+x) : 4*(y*l.w+x)+4]
			if p[3] == 0 {
				continue
			}
			at := (y+oy)*size + x + ox
			q := s.canvas.pix[3*at : 3*at+3]
			k := 1 - p[3]
			q[0], q[1], q[2] = q[0]*k+p[0], q[1]*k+p[1], q[2]*k+p[2]
			if p[3] > .5 {
				s.ids[at] = id
			}
		}
	}
}

// measure sets what is visible of each object, and reports whether all of them show enough.
func (s *studio) measure() bool {
	size := s.canvas.s
	for i := range s.things {
		s.things[i].box = [4]int{size, size, 0, 0}
	}
	for y := range size {
		for x, id := range s.ids[y*size : (y+1)*size] {
			if id != 0 {
				t := &s.things[id-1]
				t.area++
				b := &t.box
				b[0], b[1], b[2], b[3] = min(b[0], x), min(b[1], y), max(b[2], x+1), max(b[3], y+1)
			}
		}
	}
	for i := range s.things {
		t := &s.things[i]
		if float64(t.area) < minVisible*s.scale*s.scale {
			return false
		}
		t.cx, t.cy = float64(t.box[0]+t.box[2])/2, float64(t.box[1]+t.box[3])/2
	}
	return len(s.things) > 0
}
