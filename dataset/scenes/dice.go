package scenes

import "math/rand/v2"

// dice is the random generator of one picture.
type dice struct{ *rand.Rand }

// newDice derives the generator of picture i. PCG with close seeds gives unrelated streams only after its state is
// mixed, so both words go through splitmix64 (Steele et al. 2014).
func newDice(seed uint64, i int) dice {
	return dice{rand.New(rand.NewPCG(splitmix(seed), splitmix(seed^splitmix(uint64(i)+1))))}
}

func splitmix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (d dice) between(a, b float64) float64 { return a + (b-a)*d.Float64() }
func (d dice) normal(m, s float64) float64  { return m + s*d.NormFloat64() }
func (d dice) chance(p float64) bool        { return d.Float64() < p }

// pick is an index drawn with the given weights.
func (d dice) pick(weights ...float64) int {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	t := d.Float64() * sum
	for i, w := range weights {
		if t -= w; t < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// jitter adds the same kind of noise to each component and keeps them in [0, 255].
func (d dice) jitter(c rgb, s float64) rgb {
	for i := range c {
		c[i] = float32(clamp(float64(c[i])+d.normal(0, s), 0, 255))
	}
	return c
}
