package imageproc

import (
	"fmt"
	"math"
)

// owl prepares a picture as OWLv2's class does: black at the right or the bottom makes it square, a Gaussian blurs it as
// much as it will shrink, and it is sampled linearly at the pixels' centres (scipy.ndimage's gaussian_filter and zoom in
// grid mode, both with mirrored edges).
func (p *Processor) owl(img *RGB) (pixels []float32, w, h int, g Geometry, err error) {
	side := max(img.W, img.H)
	if w, h = p.Width, p.Height; w < 1 || h < 1 {
		return nil, 0, 0, g, fmt.Errorf("imageproc: OWLv2 needs a size to resize to")
	}
	g = Geometry{img.W, img.H, w, h, float64(w) / float64(side), float64(h) / float64(side), 0, 0}
	o := owlBlur{img: img, side: side, rescale: p.Rescale, down: gaussKernel(side, h), across: gaussKernel(side, w), rows: map[int][]float32{}}
	o.cols = owlTaps(side, w)
	lo, hi := o.limits()
	pixels = make([]float32, 0, 3*w*h)
	for _, v := range owlTaps(side, h) {
		a, b := o.row(v.at), o.row(v.next)
		for i := range a {
			x := float32(float64((1-v.t)*float64(a[i])) + float64(v.t*float64(b[i])))
			pixels = append(pixels, (min(max(x, lo), hi)-p.Mean[i%3])/p.Std[i%3])
		}
		for r := range o.rows { // rows are asked for in ascending order, up to the mirrored edge
			if r != v.at && r != v.next {
				delete(o.rows, r)
			}
		}
	}
	return pixels, w, h, g, nil
}

// owlTaps are the places of n samples among side ones, mirrored at the edges.
func owlTaps(side, n int) []warpTap {
	out := make([]warpTap, n)
	scale := float64(side) / float64(n)
	for i := range out {
		at := (float64(i)+.5)*scale - .5
		if last := float64(side - 1); last == 0 {
			at = 0
		} else if at = math.Abs(at); at > last {
			at = 2*last - at
		}
		f := math.Floor(at)
		out[i] = warpTap{int(f), mirror(int(f)+1, side), at - f}
	}
	return out
}

// mirror folds a place back into 0 … n−1 without repeating the edge: … 2 1 | 0 1 … n−1 | n−2 …
func mirror(i, n int) int {
	if n == 1 {
		return 0
	}
	m := 2 * (n - 1)
	i = (i%m + m) % m
	return min(i, m-i)
}

// gaussKernel is half a Gaussian kernel, from its middle on, whose deviation suits a shrinking from in to out samples.
func gaussKernel(in, out int) []float64 {
	sigma := max(0, (float64(in)/float64(out)-1)/2)
	if sigma <= 1e-15 {
		return []float64{1}
	}
	k := make([]float64, int(4*sigma+.5)+1)
	sum := 0.
	for i := range k {
		k[i] = math.Exp(-.5 / (sigma * sigma) * float64(i*i))
		sum += k[i]
		if i > 0 {
			sum += k[i]
		}
	}
	for i := range k {
		k[i] /= sum
	}
	return k
}

// owlBlur computes rows of the blurred picture when they are asked for, and of each row only the samples between the
// columns that are wanted.
type owlBlur struct {
	img          *RGB
	side         int
	rescale      float64
	down, across []float64
	cols         []warpTap
	rows         map[int][]float32 // row r, already sampled across: [w, 3]
	line         []float32         // a row blurred downwards: [side, 3]
}

// row is row r of the blurred picture, sampled linearly at the columns. Sampling is linear in each direction, so it may come
// before the rows are mixed; what is rounded differs in the last bit only.
func (o *owlBlur) row(r int) []float32 {
	if row, ok := o.rows[r]; ok {
		return row
	}
	n := 3 * o.img.W
	if o.line == nil {
		o.line = make([]float32, 3*o.side)
	}
	acc := make([]float64, n)
	for k, v := range o.down {
		for _, at := range [2]int{r - k, r + k} {
			if at = mirror(at, o.side); at < o.img.H {
				for i, p := range o.img.Pix[at*n : (at+1)*n] {
					acc[i] += v * float64(float32(float64(p)*o.rescale))
				}
			}
			if k == 0 {
				break
			}
		}
	}
	for i, v := range acc {
		o.line[i] = float32(v)
	}
	row := make([]float32, 0, 3*len(o.cols))
	for _, u := range o.cols {
		for c := range 3 {
			row = append(row, float32(float64((1-u.t)*float64(o.blurred(u.at, c)))+float64(u.t*float64(o.blurred(u.next, c)))))
		}
	}
	o.rows[r] = row
	return row
}

// blurred is sample x of a channel of the line, blurred across.
func (o *owlBlur) blurred(x, c int) float32 {
	s := o.across[0] * float64(o.line[3*x+c])
	for k := 1; k < len(o.across); k++ {
		s += o.across[k] * float64(o.line[3*mirror(x-k, o.side)+c]+o.line[3*mirror(x+k, o.side)+c])
	}
	return float32(s)
}

// limits are the least and the largest value of the square picture, which the result does not leave.
func (o *owlBlur) limits() (lo, hi float32) {
	a, b := uint8(255), uint8(0)
	if o.img.W != o.img.H {
		a = 0
	}
	for _, v := range o.img.Pix {
		a, b = min(a, v), max(b, v)
	}
	return float32(float64(a) * o.rescale), float32(float64(b) * o.rescale)
}
