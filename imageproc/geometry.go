package imageproc

import "fovea/annotation"

// Geometry is how a source picture lies in a model's picture: model = source·Scale + Pad, in each direction. All
// coordinates are pixels with (0, 0) the top left corner of the top left pixel (see package annotation), so a scale needs
// no half-pixel correction.
type Geometry struct {
	SrcW, SrcH, DstW, DstH int     // pixels of the upright source and of the model's picture
	ScaleX, ScaleY         float64 // model pixels per source pixel, above 0
	PadX, PadY             float64 // model pixels left of and above the source; negative when it is cropped
}

// Identity is the geometry of a model that sees the picture as it is.
func Identity(w, h int) Geometry { return Geometry{w, h, w, h, 1, 1, 0, 0} }

// ToSource takes a point of the model's picture to pixels of the source. It does not clip: points in the margin come
// out beyond the source.
func (g Geometry) ToSource(x, y float64) (float64, float64) {
	return (x - g.PadX) / g.ScaleX, (y - g.PadY) / g.ScaleY
}

// ToModel takes a point of the source to the model's picture.
func (g Geometry) ToModel(x, y float64) (float64, float64) {
	return x*g.ScaleX + g.PadX, y*g.ScaleY + g.PadY
}

// BoxToSource takes a box of the model's picture to the source and clips it there; it is Empty when it lay in the margin.
func (g Geometry) BoxToSource(b annotation.Box) annotation.Box {
	x0, y0 := g.ToSource(b.X0, b.Y0)
	x1, y1 := g.ToSource(b.X1, b.Y1)
	return annotation.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}.Clip(float64(g.SrcW), float64(g.SrcH))
}

// BoxToModel takes a box of the source to the model's picture and clips it there.
func (g Geometry) BoxToModel(b annotation.Box) annotation.Box {
	x0, y0 := g.ToModel(b.X0, b.Y0)
	x1, y1 := g.ToModel(b.X1, b.Y1)
	return annotation.Box{X0: x0, Y0: y0, X1: x1, Y1: y1}.Clip(float64(g.DstW), float64(g.DstH))
}

// MaskToSource turns a map over the model's picture into a mask of the source. m holds mw × mh values, row by row, at any
// resolution: it covers the whole model picture, value (0, 0) the top left corner. A source pixel is inside when the map,
// interpolated linearly at the pixel's centre, is at least threshold; NaN is outside, and so are pixels that the model
// has not seen.
func (g Geometry) MaskToSource(m []float32, mw, mh int, threshold float32) *annotation.Bitmap {
	out := annotation.NewBitmap(g.SrcW, g.SrcH)
	if mw < 1 || mh < 1 || len(m) < mw*mh {
		return out
	}
	xs := g.taps(g.SrcW, mw, g.DstW, g.ScaleX, g.PadX)
	ys := g.taps(g.SrcH, mh, g.DstH, g.ScaleY, g.PadY)
	row := make([]float32, mw)
	for y, v := range ys {
		if v.outside {
			continue
		}
		a, b := m[v.lo*mw:][:mw], m[v.hi*mw:][:mw]
		for i := range row {
			row[i] = a[i] + v.t*(b[i]-a[i])
		}
		o := out.Pix[y*g.SrcW:][:g.SrcW]
		for x, h := range xs {
			if !h.outside && row[h.lo]+h.t*(row[h.hi]-row[h.lo]) >= threshold {
				o[x] = 1
			}
		}
	}
	return out
}

// BitmapToSource is MaskToSource for a binary mask; a source pixel is inside when at least half of it is.
func (g Geometry) BitmapToSource(b *annotation.Bitmap) *annotation.Bitmap {
	m := make([]float32, len(b.Pix))
	for i, v := range b.Pix {
		m[i] = float32(v)
	}
	return g.MaskToSource(m, b.W, b.H, .5)
}

// tap is a linear interpolation between two samples.
type tap struct {
	lo, hi  int
	t       float32 // weight of hi
	outside bool
}

// taps finds, for each of n source pixels, the two of m samples around its centre.
func (g Geometry) taps(n, m, dst int, scale, pad float64) []tap {
	out := make([]tap, n)
	for i := range out {
		p := (float64(i)+.5)*scale + pad // model pixels
		if p < 0 || p > float64(dst) {
			out[i].outside = true
			continue
		}
		q := min(max(p*float64(m)/float64(dst)-.5, 0), float64(m-1))
		lo := int(q)
		out[i] = tap{lo: lo, hi: min(lo+1, m-1), t: float32(q - float64(lo))}
	}
	return out
}
