package imageproc

// heatStops are colours of little to much heat: black, purple, red, orange, pale yellow, ever lighter, so that they are in
// order for eyes that see no colours, too.
var heatStops = [...][3]float64{{0, 0, 4}, {87, 16, 110}, {188, 55, 84}, {249, 142, 9}, {252, 255, 164}}

// HeatColor is the colour of a heat in [0, 1]; what lies beyond has the colour of the end.
func HeatColor(v float64) (c [3]uint8) {
	v = min(max(v, 0), 1) * float64(len(heatStops)-1)
	i := min(int(v), len(heatStops)-2)
	for k := range c {
		c[k] = uint8(heatStops[i][k] + (v-float64(i))*(heatStops[i+1][k]-heatStops[i][k]) + .5)
	}
	return c
}

// Heat lays a grid of values over the whole picture, rows × cols of them row by row, smoothly between their centres: the picture
// in grey, coloured and lighter where there is more. The least value has no heat and the largest all; with equal values there is none.
func Heat(img *RGB, rows, cols int, values []float64) *RGB {
	out := img.Clone()
	if rows < 1 || cols < 1 || len(values) != rows*cols {
		return out
	}
	lo, hi := values[0], values[0]
	for _, v := range values {
		lo, hi = min(lo, v), max(hi, v)
	}
	if !(hi > lo) {
		hi = lo + 1
	}
	xs, ys := between(img.W, cols), between(img.H, rows)
	for y := range img.H {
		a, b, v := values[ys[y].i*cols:], values[ys[y].j*cols:], ys[y].w
		for x := range img.W {
			c := xs[x]
			h := (1-v)*((1-c.w)*a[c.i]+c.w*a[c.j]) + v*((1-c.w)*b[c.i]+c.w*b[c.j])
			h = (h - lo) / (hi - lo)
			p := out.Pix[3*(y*img.W+x):]
			grey := float64(luma(rgb{p[0], p[1], p[2]}))
			hot, share := HeatColor(h), .15+.55*h
			for k := range 3 {
				p[k] = uint8((1-share)*grey*(.6+.4*h) + share*float64(hot[k]) + .5)
			}
		}
	}
	return out
}

// step is where a pixel lies between two of the grid's cells: the share w of j and the rest of i.
type step struct {
	i, j int
	w    float64
}

func between(pixels, cells int) []step {
	out := make([]step, pixels)
	for p := range out {
		at := min(max((float64(p)+.5)*float64(cells)/float64(pixels)-.5, 0), float64(cells-1))
		i := int(at)
		out[p] = step{i, min(i+1, cells-1), at - float64(i)}
	}
	return out
}
