package imageproc

import (
	"fovea/annotation"
)

// labels writes the names at the boxes, where they cover neither one another nor leave the picture.
func (d *drawing) labels(objects []annotation.Object) {
	faces := map[int]*typeface{}
	var taken []annotation.Box
	for i := len(objects) - 1; i >= 0; i-- { // small objects choose first: they have the least room
		o := &objects[i]
		b, ok := d.boxOf(o)
		text := labelText(o)
		if !ok || text == "" {
			continue
		}
		// Letters shrink with small boxes, but never below what can be read.
		size := int(max(min(d.letter, .5*max(b.W(), b.H())), .72*d.letter, 10) + .5)
		t := faces[size]
		if t == nil {
			t = newTypeface(true, float64(size))
			faces[size] = t
		}
		text = t.cut(text, float64(d.W)-t.ascent)
		r := d.place(b, t.width(text)+.7*t.ascent, t.ascent+t.descent+.25*t.ascent, taken)
		taken = append(taken, r)
		c := d.colors[o.Label]
		d.panel(r.X0, r.Y0, r.X1, r.Y1, .25*t.ascent, c, .92)
		d.text(t, r.X0+.35*t.ascent, r.Y0+.125*t.ascent+t.ascent, text, inkOn(c))
	}
}

// place finds room for a label of w × h pixels at a box: above, below, inside its corners, at its sides. Where every place
// is taken, the one that covers the least is used.
func (d *drawing) place(b annotation.Box, w, h float64, taken []annotation.Box) annotation.Box {
	pw, ph := float64(d.W), float64(d.H)
	try := [][2]float64{
		{b.X0, b.Y0 - h}, {b.X0, b.Y0}, {b.X1 - w, b.Y0 - h}, {b.X0, b.Y1}, {b.X1 - w, b.Y0},
		{b.X0, b.Y1 - h}, {b.X1 - w, b.Y1}, {b.X1 - w, b.Y1 - h}, {b.X1, b.Y0}, {b.X0 - w, b.Y0}, {b.X0, (b.Y0 + b.Y1 - h) / 2},
	}
	var best annotation.Box
	least := -1.0
	for i, p := range try {
		r := annotation.Box{X0: p[0], Y0: p[1], X1: p[0] + w, Y1: p[1] + h}
		outside := w*h - r.Clip(pw, ph).Area()
		x, y := max(min(r.X0, pw-w), 0), max(min(r.Y0, ph-h), 0)
		r = annotation.Box{X0: x, Y0: y, X1: x + w, Y1: y + h}
		cost := float64(i)*1e-3*w*h + outside
		for _, t := range taken {
			cost += 2 * r.Intersect(t).Area()
		}
		if least < 0 || cost < least {
			best, least = r, cost
		}
	}
	return best
}
