package nn

import (
	"fmt"
	"math"
	"slices"

	"fovea/ops"
)

// RoPEConfig says how positions turn queries and keys (RoPE, Su et al. 2021), under the names that published
// configurations have: rope_parameters, or the older rope_theta and rope_scaling.
type RoPEConfig struct {
	Theta    float64 `json:"rope_theta"`
	Type     string  `json:"rope_type"`
	OldType  string  `json:"type"`
	Factor   float64 `json:"factor"` // "linear": positions are divided by it
	Sections []int   `json:"mrope_section"`
	// Interleaved says that pairs of features take the axes in turn; otherwise one axis follows the other.
	Interleaved bool `json:"mrope_interleaved"`
}

// Place is where a token stands: in time, down and across. Words stand at one number on all three axes; pictures have their
// rows and columns (M-RoPE, Wang et al. 2024, "Qwen2-VL").
type Place [3]int32

// Line are the places of n tokens of plain text, the first at from.
func Line(from, n int) []Place {
	p := make([]Place, n)
	for i := range p {
		v := int32(from + i)
		p[i] = Place{v, v, v}
	}
	return p
}

// RoPE turns places into angles.
type RoPE struct {
	freq []float32 // angle of each pair of features for a step of 1
	axis []uint8   // of a Place, for each pair
}

// NewRoPE makes the angles of heads of dim features.
func NewRoPE(c RoPEConfig, dim int) (*RoPE, error) {
	kind := c.Type
	if kind == "" {
		kind = c.OldType
	}
	factor := 1.
	switch kind {
	case "", "default", "mrope":
	case "linear":
		if factor = c.Factor; !(factor >= 1) || math.IsInf(factor, 0) {
			return nil, fmt.Errorf("nn: factor %g of rope_type linear is not 1 or more", factor)
		}
	default:
		return nil, fmt.Errorf("nn: rope_type %q is not supported; there are default, mrope and linear", kind)
	}
	if !(c.Theta > 1) || math.IsInf(c.Theta, 0) {
		return nil, fmt.Errorf("nn: rope_theta %g is not above 1", c.Theta)
	}
	if dim < 2 || dim%2 != 0 {
		return nil, fmt.Errorf("nn: rotary positions need heads of an even number of features, not %d", dim)
	}
	r := &RoPE{freq: make([]float32, dim/2), axis: make([]uint8, dim/2)}
	for i := range r.freq { // in single precision, as the reference computes it
		r.freq[i] = float32(1/float64(float32(math.Pow(c.Theta, float64(float32(2*i)/float32(dim)))))) / float32(factor)
	}
	return r, r.section(c)
}

// section gives the pairs their axes.
//
//	sections [4 2 2], in blocks:    t t t t h h w w
//	sections [4 2 2], interleaved:  t h w t h w t t
func (r *RoPE) section(c RoPEConfig) error {
	s := c.Sections
	if s == nil {
		return nil
	}
	if len(s) != 3 || slices.Min(s) < 0 || s[0] > len(r.axis) || s[1] > len(r.axis) || s[0]+s[1]+s[2] != len(r.axis) {
		return fmt.Errorf("nn: mrope_section %v does not divide %d pairs of features among three axes", s, len(r.axis))
	}
	for i := range r.axis {
		switch a := i % 3; {
		case c.Interleaved && a > 0 && i < 3*s[a]:
			r.axis[i] = uint8(a)
		case c.Interleaved || i < s[0]:
		case i < s[0]+s[1]:
			r.axis[i] = 1
		default:
			r.axis[i] = 2
		}
	}
	return nil
}

// At is the rotation of tokens at places.
func (r *RoPE) At(places []Place) *ops.Rotation {
	out := &ops.Rotation{}
	r.at(out, places)
	return out
}

// at makes out the rotation of tokens at places, in its memory.
func (r *RoPE) at(out *ops.Rotation, places []Place) {
	n := len(r.freq)
	out.Pairs = n
	out.Cos, out.Sin = slices.Grow(out.Cos[:0], n*len(places))[:n*len(places)], slices.Grow(out.Sin[:0], n*len(places))[:n*len(places)]
	for i, p := range places {
		for j, f := range r.freq {
			sin, cos := math.Sincos(float64(f * float32(p[r.axis[j]])))
			out.Cos[i*n+j], out.Sin[i*n+j] = float32(cos), float32(sin)
		}
	}
}
