package clipseg

import (
	"fmt"

	"fovea/autograd"
	"fovea/nn"
	"fovea/ops"
)

// Decoder turns what CLIP has seen, and a condition, into a map of logits.
type Decoder struct {
	Mul     *nn.Dense       `weight:"film_mul"` // of the condition (FiLM, Perez et al. 2018)
	Add     *nn.Dense       `weight:"film_add"`
	Reduces []*nn.Dense     `weight:"reduces"`
	Blocks  []*nn.PostBlock `weight:"encoder.blocks"`

	// The patches become pixels by Up0 alone, or by Conv, Up2 and Up4.
	Up0  *nn.ConvTranspose2D `weight:"up.0"`
	Conv *nn.Conv2D          `weight:"up.0"`
	Up2  *nn.ConvTranspose2D `weight:"up.2"`
	Up4  *nn.ConvTranspose2D `weight:"up.4"`

	film int
}

func newDecoder(c *Config) (*Decoder, error) {
	n := len(c.Extract)
	if n < 1 || n > c.Vision.Layers || c.Film < 0 || c.Film >= n {
		return nil, fmt.Errorf("clipseg: %d extract_layers and conditional_layer %d; want 1 … %d, and one of them", n, c.Film, c.Vision.Layers)
	}
	for _, l := range c.Extract {
		if l < 0 || l >= c.Vision.Layers {
			return nil, fmt.Errorf("clipseg: extract_layers %v are not within 0 … %d", c.Extract, c.Vision.Layers-1)
		}
	}
	e := nn.EncoderConfig{Width: c.Reduce, Layers: n, Heads: c.Heads, Inner: c.Inner, Act: "relu", Eps: c.Vision.Eps}
	if err := e.Check(); err != nil {
		return nil, fmt.Errorf("clipseg: decoder, of reduce_dim features: %w", err)
	}
	d := &Decoder{Mul: nn.BlankDense(c.Projection, c.Reduce, true), Add: nn.BlankDense(c.Projection, c.Reduce, true), film: c.Film}
	for range n {
		d.Reduces = append(d.Reduces, nn.BlankDense(c.Vision.Width, c.Reduce, true))
		d.Blocks = append(d.Blocks, nn.NewPostBlock(e, 0))
	}
	switch p := c.Vision.Patch[0]; {
	case !c.Complex:
		d.Up0 = nn.BlankConvTranspose2D(c.Reduce, 1, p, p, 0, true)
	case p%4 != 0 || c.Reduce%2 != 0:
		return nil, fmt.Errorf("clipseg: patch_size %d does not divide by 4, or reduce_dim %d by 2", p, c.Reduce)
	default:
		d.Conv = nn.BlankConv2D(c.Reduce, c.Reduce, 3)
		d.Up2 = nn.BlankConvTranspose2D(c.Reduce, c.Reduce/2, p/4, p/4, 0, true)
		d.Up4 = nn.BlankConvTranspose2D(c.Reduce/2, 1, p/4, p/4, 0, true)
	}
	return d, nil
}

// Forward maps the tokens of B square pictures, deepest layer first, [B·T, D] each, and a condition for each, [B, E], to
// logits [B, S, S]. tap, when not nil, sees the first block's input and every block's output.
func (d *Decoder) Forward(seen []*autograd.Value, condition *autograd.Value, tap func(int, *autograd.Value) *autograd.Value) *autograd.Value {
	t, b := condition.Tape(), condition.Shape.Rows()
	n := seen[0].Shape.Rows() / b
	p := &nn.Pass{Layout: &ops.Layout{Images: b, Patches: n}}
	if tap == nil {
		tap = func(_ int, x *autograd.Value) *autograd.Value { return x }
	}
	var h *autograd.Value
	for i, block := range d.Blocks {
		x := d.Reduces[i].Forward(seen[i])
		if h != nil {
			x = ops.Add(x, h)
		}
		if i == d.film {
			x = ops.Add(ops.Mul(x, each(d.Mul.Forward(condition), n)), each(d.Add.Forward(condition), n))
		}
		if i == 0 {
			x = tap(0, x)
		}
		h = tap(i+1, block.Forward(p, x, nil, nil))
	}
	side := 1
	for side*side < n-1 {
		side++
	}
	x := t.View(nn.RowsOfEach(h, b, 1, n), b, side, side, h.Shape.Last())
	if d.Up0 != nil {
		x = d.Up0.Forward(x)
	} else {
		x = d.Up4.Forward(ops.ReLU(d.Up2.Forward(ops.ReLU(d.Conv.Forward(x)))))
	}
	return t.View(x, b, x.Shape[1], x.Shape[2])
}

// each repeats every row of x [B, D] n times: [B·n, D].
func each(x *autograd.Value, n int) *autograd.Value {
	refs := make([]ops.Ref, x.Shape.Rows()*n)
	for i := range refs {
		refs[i].Row = int32(i / n)
	}
	return ops.Gather(x.Tape(), refs, x)
}
