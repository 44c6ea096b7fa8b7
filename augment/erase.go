package augment

import (
	"math"
	"math/rand/v2"

	"fovea/annotation"
	"fovea/imageproc"
)

// Erase covers a random rectangle (Zhong et al. 2020): 2 to 20 % of the picture, between three times as wide as high and
// three times as high as wide, filled with noise or a plain colour. The annotations are told what is hidden: see
// minVisible in Transform. It must not be used on pictures with texts, which may be about what it hides.
func Erase(rng *rand.Rand, img *imageproc.RGB, p *annotation.Picture, minVisible float64) {
	area, ratio := (.02+.18*rng.Float64())*float64(img.W)*float64(img.H), math.Exp((2*rng.Float64()-1)*math.Log(3))
	w, h := min(int(math.Sqrt(area*ratio)+.5), img.W), min(int(math.Sqrt(area/ratio)+.5), img.H)
	if w == 0 || h == 0 {
		return
	}
	x0, y0 := rng.IntN(img.W-w+1), rng.IntN(img.H-h+1)
	noise, plain := rng.Float64() < .5, rng.Uint32()
	hidden := annotation.NewBitmap(img.W, img.H)
	for y := y0; y < y0+h; y++ {
		at := y*img.W + x0
		line := img.Pix[3*at : 3*(at+w)]
		if noise {
			for i := range line {
				line[i] = uint8(rng.Uint32())
			}
		} else {
			paint(line, [3]uint8{uint8(plain), uint8(plain >> 8), uint8(plain >> 16)})
		}
		for i := at; i < at+w; i++ {
			hidden.Pix[i] = 1
		}
	}
	occlude(p, hidden, annotation.Box{X0: float64(x0), Y0: float64(y0), X1: float64(x0 + w), Y1: float64(y0 + h)}, minVisible)
}
