package augment

import (
	"math/rand/v2"

	"fovea/annotation"
	"fovea/imageproc"
)

// CopyPaste puts objects of another picture of the same size over img (Ghiasi et al. 2021, without blending, which they
// found to matter little). Each object that has a mask is taken with probability ½, crowds never. The annotations of what
// is covered are updated, those of what is pasted are added; both pictures' annotations are used up. It must not be used
// on pictures with texts.
func CopyPaste(rng *rand.Rand, img *imageproc.RGB, p *annotation.Picture, from *imageproc.RGB, q *annotation.Picture, minVisible float64) {
	hidden := annotation.NewBitmap(img.W, img.H)
	var taken []annotation.Object
	in := annotation.Box{X0: float64(img.W), Y0: float64(img.H)}
	for _, o := range q.Objects {
		take := rng.Float64() < .5
		if !take || o.Crowd || o.Mask == nil || o.Mask.W != img.W || o.Mask.H != img.H {
			continue
		}
		taken = append(taken, o)
		b := o.Box
		in = annotation.Box{X0: min(in.X0, b.X0), Y0: min(in.Y0, b.Y0), X1: max(in.X1, b.X1), Y1: max(in.Y1, b.Y1)}
		for i, v := range o.Mask.Pix {
			if v != 0 {
				hidden.Pix[i] = 1
				copy(img.Pix[3*i:3*i+3], from.Pix[3*i:3*i+3])
			}
		}
	}
	if len(taken) == 0 {
		return
	}
	occlude(p, hidden, in, minVisible)
	p.Objects = append(p.Objects, taken...)
}
