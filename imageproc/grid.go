package imageproc

import "math"

// Grid lays pictures out in rows of cols, each centred in its column and row, with its caption below (captions may be
// fewer). Columns are as wide as the widest picture, rows as high as their highest. A cols below 1 makes the sheet about as wide as
// high. No picture gives an empty sheet.
func Grid(cells []*RGB, captions []string, cols int) *RGB {
	cw, ch := 1, 1
	for _, c := range cells {
		cw, ch = max(cw, c.W), max(ch, c.H)
	}
	n := max(len(cells), 1)
	if cols < 1 {
		cols = int(math.Ceil(math.Sqrt(float64(n) * float64(ch) / float64(cw))))
	}
	cols = min(cols, n)
	size := max(math.Round(float64(cw)/30), 12)
	t := newTypeface(false, size)
	gap := max(cw/40, 4)
	type row struct{ y, h, text int }
	var rows []row
	y := gap
	for i := 0; i < len(cells); i += cols {
		r := row{y: y}
		for j, c := range cells[i:min(i+cols, len(cells))] {
			r.h = max(r.h, c.H)
			if i+j < len(captions) && captions[i+j] != "" {
				r.text = int(t.lines + .3*size)
			}
		}
		rows = append(rows, r)
		y += r.h + r.text + gap
	}
	out := canvas{NewRGB(gap+cols*(cw+gap), y)}
	out.fill(0, 0, out.W, out.H, paper)
	for i, c := range cells {
		x, r := gap+i%cols*(cw+gap), rows[i/cols]
		out.paste(c, x+(cw-c.W)/2, r.y+(r.h-c.H)/2)
		if i < len(captions) && captions[i] != "" {
			s := t.cut(captions[i], float64(cw))
			out.text(t, float64(x)+(float64(cw)-t.width(s))/2, float64(r.y+r.h)+.3*size+t.ascent, s, ink)
		}
	}
	return out.RGB
}
