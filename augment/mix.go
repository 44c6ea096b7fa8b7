package augment

import (
	"math"
	"math/rand/v2"

	"fovea/dataset"
	"fovea/imageproc"
)

// Mixed is a picture made of two, with what it shows to which part.
type Mixed struct {
	Image  *imageproc.RGB
	Labels []Soft // one or two classes, the larger weight first; weights add up to 1
}

// Soft is a class that a picture belongs to in part.
type Soft struct {
	Class  string
	Weight float64 // (0, 1]
}

// MixUp blends two pictures of the same size (Zhang et al. 2018): λ·a + (1−λ)·b with λ from Beta(α, α), α = 0.8.
func MixUp(rng *rand.Rand, a, b *imageproc.RGB, classA, classB string) Mixed {
	k := uint32(math.Round(256 * beta(rng, .8)))
	out := imageproc.NewRGB(a.W, a.H)
	for i, v := range a.Pix {
		out.Pix[i] = uint8((k*uint32(v) + (256-k)*uint32(b.Pix[i]) + 128) >> 8)
	}
	return Mixed{out, soft(classA, classB, float64(k)/256)}
}

// CutMix puts a rectangle of b into a, two pictures of the same size (Yun et al. 2019). The rectangle has a's proportions
// and a share of its area that is uniform in [0, 1], as far as it lies inside; the weights are the shares in sight.
func CutMix(rng *rand.Rand, a, b *imageproc.RGB, classA, classB string) Mixed {
	side := math.Sqrt(rng.Float64())
	cut := func(n int) (lo, hi int) {
		mid, half := rng.Float64()*float64(n), side*float64(n)/2
		return max(int(math.Round(mid-half)), 0), min(int(math.Round(mid+half)), n)
	}
	x0, x1 := cut(a.W)
	y0, y1 := cut(a.H)
	out := a.Clone()
	for y := y0; y < y1; y++ {
		copy(out.Pix[3*(y*a.W+x0):3*(y*a.W+x1)], b.Pix[3*(y*a.W+x0):])
	}
	return Mixed{out, soft(classA, classB, 1-float64((x1-x0)*(y1-y0))/float64(max(a.W*a.H, 1)))}
}

// soft gives a the weight k and b the rest; equal classes and weights of 0 become one class.
func soft(a, b string, k float64) []Soft {
	switch {
	case a == b || k >= 1:
		return []Soft{{a, 1}}
	case k <= 0:
		return []Soft{{b, 1}}
	case k < .5:
		return []Soft{{b, 1 - k}, {a, k}}
	}
	return []Soft{{a, k}, {b, 1 - k}}
}

// beta draws from Beta(a, a), 0 < a ≤ 1 (Jöhnk 1964).
func beta(rng *rand.Rand, a float64) float64 {
	for {
		u, v := math.Pow(rng.Float64(), 1/a), math.Pow(rng.Float64(), 1/a)
		if s := u + v; s <= 1 && s > 0 {
			return u / s
		}
	}
}

// mixable reports that a picture is for classification only, so that soft labels say everything about it.
func mixable(ex *dataset.Example) bool {
	return ex != nil && ex.Image != nil && ex.Class != "" && len(ex.Objects) == 0 && ex.Semantic == nil && !hasText(&ex.Picture)
}
