package unified

import (
	"math/rand/v2"

	"fovea/autograd"
	"fovea/nn"
	"fovea/ops"
)

// Readout maps final tokens to answers. Words, names and coordinates are read out by dot products with the same tables
// that embed them; masks and joints by dot products with image features.
type Readout struct {
	Word   *nn.Dense       `weight:"word"`   // D → D, · words: the next word
	Class  *nn.Dense       `weight:"class"`  // D → D, · names: what is centred in this patch, what is this picture
	Box    *nn.Dense       `weight:"box"`    // D → 4·D, · coordinates: y0, x0, y1, x1 of the object
	Point  *nn.Dense       `weight:"point"`  // D → 2·D, · coordinates: y, x of a joint or a mentioned thing
	Mask   *nn.Dense       `weight:"mask"`   // D → C+1: the object's vector among the features, and an offset
	Joint  *nn.Dense       `weight:"joint"`  // D → C+1: the joint's vector
	Seen   *nn.Dense       `weight:"seen"`   // D → 3: absent, occluded, visible
	Image  *nn.Dense       `weight:"image"`  // D → E: the picture's vector in the joint space
	Text   *nn.Dense       `weight:"text"`   // D → E: a text's vector
	Scale  *autograd.Param `weight:"scale"`  // log of the sharpness of matching
	Offset *autograd.Param `weight:"offset"` // and its offset

	Up    *nn.Dense    `weight:"up"`    // D → r²·U: image tokens to stride-4 pixels
	Local *nn.Dense    `weight:"local"` // stem features → U
	Mix   *nn.Conv     `weight:"mix"`   // 3×3, U → U
	Fine  *nn.Residual `weight:"fine"`  // U → U, when Config.Refine
	Out   *nn.Dense    `weight:"out"`   // U → C
	Pixel *nn.Dense    `weight:"pixel"` // U → D, · names: the class of a cell, when Config.Pixels names any
}

// upChannels is U, the width of the feature pyramid's only level.
const upChannels = 48

func newReadout(rng *rand.Rand, c Config) *Readout {
	d, f, r := c.Width, c.Features+1, c.enlarge()
	o := &Readout{
		Word: nn.NewDense(rng, d, d, true), Class: nn.NewDense(rng, d, d, true),
		Box: nn.NewDense(rng, d, 4*d, true), Point: nn.NewDense(rng, d, 2*d, true),
		Mask: nn.NewDense(rng, d, f, true).As(autograd.Table), Joint: nn.NewDense(rng, d, f, true).As(autograd.Table),
		Seen:  nn.NewDense(rng, d, 3, true).As(autograd.Table),
		Image: nn.NewDense(rng, d, c.Embed, false), Text: nn.NewDense(rng, d, c.Embed, false),
		Scale: autograd.NewParam(autograd.Vector, 1), Offset: autograd.NewParam(autograd.Vector, 1),
		Up: nn.NewDense(rng, d, r*r*upChannels, true), Local: nn.NewDense(rng, c.Detail(), upChannels, true),
		Mix: nn.NewConv(rng, upChannels, upChannels, 3, 1), Out: nn.NewDense(rng, upChannels, c.Features, true),
	}
	if c.Refine {
		o.Fine = nn.NewResidual(rng, upChannels)
		clear(o.Fine.B.Gain.Data) // passes its input through at first
	}
	if len(c.Pixels) > 0 {
		o.Pixel = nn.NewDense(rng, upChannels, d, true)
	}
	o.Scale.Data[0], o.Offset.Data[0] = 2.3, -5 // SigLIP's start: sharpness 10, offset for few matches among many pairs
	return o
}

// features are the stride-4 image features [B, S/4, S/4, C] that masks and joints are retrieved from.
func (m *Model) features(tokens, s4 *Value) *Value {
	return m.Readout.Out.Forward(m.pyramid(tokens, s4))
}

// pyramid joins image tokens [B·P, D] and the stem's s4 at stride 4: [B, S/4, S/4, U].
func (m *Model) pyramid(tokens, s4 *Value) *Value {
	t, r := tokens.Tape(), m.Readout
	g, b := m.Config.Grid(), s4.Shape[0]
	up := r.Up.Forward(tokens)
	coarse := ops.PixelShuffle(t.View(up, b, g, g, up.Shape.Last()), m.Config.enlarge())
	if m.fit != nil {
		coarse = ops.Resize(coarse, m.fit, m.fit)
	}
	x := ops.ReLU(ops.Add(coarse, r.Local.Forward(s4)))
	x = r.Mix.Forward(x, nil, true)
	if r.Fine != nil {
		x = r.Fine.Forward(x)
	}
	return x
}

// tableLogits is map(x)·tableᵀ: x [N, D] through a layer D → k·D and against a table [V, D] gives [N·k, V].
func tableLogits(l *nn.Dense, x, table *Value) *Value {
	y := l.Forward(x)
	d := table.Shape.Last()
	return ops.Linear(x.Tape().View(y, len(y.Data)/d, d), table, nil)
}

// imageVector places pictures in the joint space: means of their tokens [B, D] → unit vectors [B, E].
func (m *Model) imageVector(mean *Value) *Value { return ops.Normalize(m.Readout.Image.Forward(mean)) }

// textVector places texts in the joint space: final states of their last pieces [N, D] → unit vectors [N, E].
func (m *Model) textVector(last *Value) *Value { return ops.Normalize(m.Readout.Text.Forward(last)) }
