package augment

import (
	"image"
	"math/rand/v2"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/imageproc"
)

// spatial are the labels that must be complete in all pictures which are put together, since the result claims them.
const spatial = dataset.HasBoxes | dataset.HasMasks | dataset.HasJoints | dataset.HasSemantic

// composable reports that other pictures may be put into this one: nothing is said about it as a whole.
func composable(ex *dataset.Example) bool {
	return ex.Image != nil && ex.Class == "" && !hasText(&ex.Picture)
}

// goesWith reports that other may be put into ex and the labels of ex still hold. The class and the texts of other are
// lost, which does no harm.
func goesWith(ex, other *dataset.Example) bool {
	return other != nil && other.Image != nil && ex.Labels&^other.Labels&spatial == 0
}

// Mosaic lays four pictures around a random point (Bochkovskiy et al. 2020), each placed by g into a square of its
// quadrant's longer side of which the middle shows. The annotations of all four are in the result; classes and texts are
// not. Semantic is set if the first picture's is.
func (g Geometric) Mosaic(rng *rand.Rand, four [4]*dataset.Example, side int) (*imageproc.RGB, annotation.Picture) {
	s := pool.Get().(*scratch)
	defer pool.Put(s)
	at := func() int { return int((.3 + .4*rng.Float64()) * float64(side)) }
	cx, cy := at(), at()
	img := imageproc.NewRGB(side, side)
	p := annotation.Picture{W: side, H: side}
	for i, win := range [4]image.Rectangle{
		image.Rect(0, 0, cx, cy), image.Rect(cx, 0, side, cy), image.Rect(0, cy, cx, side), image.Rect(cx, cy, side, side),
	} {
		if win.Empty() { // of pictures of a few pixels
			continue
		}
		ex := four[i]
		tile := max(win.Dx(), win.Dy())
		t := g.Sample(rng, ex, tile)
		mid := win.Min.Add(win.Max)
		t.Affine = t.Then(Affine{XX: 1, X0: float64(mid.X-tile) / 2, YY: 1, Y0: float64(mid.Y-tile) / 2})
		t.Side, t.Window, t.KeepAll = side, win, false
		t.draw(img, ex.Image, s)
		q := t.Picture(&ex.Picture, ex.Image.W, ex.Image.H)
		p.Objects = append(p.Objects, q.Objects...)
		switch {
		case i == 0:
			p.Semantic = q.Semantic
		case p.Semantic != nil && q.Semantic != nil:
			for y := win.Min.Y; y < win.Max.Y; y++ {
				copy(p.Semantic.Pix[y*side+win.Min.X:y*side+win.Max.X], q.Semantic.Pix[y*side+win.Min.X:])
			}
		}
	}
	return img, p
}
