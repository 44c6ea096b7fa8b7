package unified

import (
	"math/rand/v2"

	"fovea/autograd"
	"fovea/nn"
)

// smallStem is the convolutional input embedding for small pictures, whose patches have 4 pixels a side: in pictures of 32 pixels
// edges lie too close for strides at once (Hassani et al. 2021, Escaping the Big Data Paradigm with Compact Transformers).
type smallStem struct {
	S1   *nn.Conv     `weight:"s1"`
	S2   *nn.Conv     `weight:"s2"`
	Res2 *nn.Residual `weight:"res2"`
	S4   *nn.Conv     `weight:"s4"`
	Res4 *nn.Residual `weight:"res4"`
	Out  *nn.Dense    `weight:"out"` // → D
}

func newSmallStem(rng *rand.Rand, c Config) *smallStem {
	a, b, e := c.Stem[0], c.Stem[1], c.Stem[2]
	s := &smallStem{
		S1: nn.NewConv(rng, 3, a, 3, 1), S2: nn.NewConv(rng, a, b, 3, 2), Res2: nn.NewResidual(rng, b),
		S4: nn.NewConv(rng, b, e, 3, 2), Res4: nn.NewResidual(rng, e), Out: nn.NewDense(rng, e, c.Width, true),
	}
	s.S1.Weight.Kind = autograd.Table // the first convolution sees pixels, not features
	return s
}

// forward maps pixels [B, S, S, 3] to what is at the patches, [B, S/4, S/4, D], and to features [B, S/4, S/4, Stem[2]].
func (s *smallStem) forward(x *Value) (patches, s4 *Value) {
	x = s.Res2.Forward(s.S2.Forward(s.S1.Forward(x, nil, true), nil, true))
	s4 = s.Res4.Forward(s.S4.Forward(x, nil, true))
	return s.Out.Forward(s4), s4
}
