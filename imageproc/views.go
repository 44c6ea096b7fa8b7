package imageproc

// MaxViews is how many views there are of a picture.
const MaxViews = 10

// viewShift is how far a view is moved, as a share of each side.
const viewShift = 1. / 16

// View is look i ∈ [0, MaxViews) at a picture, for answers that are averaged over several (the ten crops of Krizhevsky et al. 2012): the
// picture itself, then its mirror image, then the picture moved towards a corner by a sixteenth of its sides (at least a pixel), followed by the mirror image of that, for
// each of the four corners. Edge pixels are repeated where nothing is left. View 0 is m itself, not a copy.
func (m *RGB) View(i int) *RGB {
	if i == 0 {
		return m
	}
	dx, dy := 0, 0
	if k := i/2 - 1; k >= 0 {
		dx, dy = max(1, int(viewShift*float64(m.W)+.5)), max(1, int(viewShift*float64(m.H)+.5))
		if k == 1 || k == 2 { // opposite corners first: a few views lie evenly about the middle
			dx = -dx
		}
		if k == 1 || k == 3 {
			dy = -dy
		}
	}
	out := NewRGB(m.W, m.H)
	for y := range m.H {
		src := m.Pix[3*m.W*min(max(y-dy, 0), m.H-1):]
		dst := out.Pix[3*m.W*y : 3*m.W*(y+1)]
		for x := range m.W {
			u := min(max(x-dx, 0), m.W-1)
			at := x
			if i%2 == 1 {
				at = m.W - 1 - x
			}
			copy(dst[3*at:3*at+3], src[3*u:3*u+3])
		}
	}
	return out
}
