package florence2

import (
	"fovea/autograd"
	"fovea/nn"
	"fovea/ops"
)

// Projector makes rows that the encoder of texts can read of the map that the picture has become.
type Projector struct {
	Row    *autograd.Param `weight:"row"`    // [MaxSide, ⌊V/2⌋], added to the second half of a place's features
	Column *autograd.Param `weight:"column"` // [MaxSide, ⌈V/2⌉], added to the first
	Time   *autograd.Param `weight:"time"`   // [MaxFrames, V], of frames of a video; a picture is the first
	Norm   *nn.LayerNorm   `weight:"norm"`

	// One of these maps V features to D: older repositories store the matrix as x·W wants it.
	Map        *nn.Dense       `weight:"map"`
	Transposed *autograd.Param `weight:"transposed"` // [V, D]
}

func newProjector(c *Config) *Projector {
	v := c.Vision.Widths[len(c.Vision.Widths)-1]
	p := &Projector{
		Row: nn.Blank(autograd.Table, c.Vision.MaxSide, v/2), Column: nn.Blank(autograd.Table, c.Vision.MaxSide, v-v/2),
		Time: nn.Blank(autograd.Buffer, c.Vision.MaxFrames, v), Norm: nn.BlankNorm(c.Text.Width, 1e-5),
	}
	if c.Legacy {
		p.Transposed = nn.Blank(autograd.Matrix, v, c.Text.Width)
	} else {
		p.Map = nn.BlankDense(v, c.Text.Width, false)
	}
	return p
}

// Forward maps x [B, H, W, V] to [B·(1+H·W), D]: for each picture, the mean of all places, then the places row by row.
func (p *Projector) Forward(x *autograd.Value) *autograd.Value {
	t, b, h, w, v := x.Tape(), x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]
	n := h * w
	rows, columns, refs := make([]ops.Ref, n), make([]ops.Ref, n), make([]ops.Ref, 0, b*(1+n))
	for i := range n {
		rows[i].Row, columns[i].Row = int32(i/w), int32(i%w)
	}
	for i := range b {
		refs = append(refs, ops.Ref{Table: 1, Row: int32(i)})
		for j := range n {
			refs = append(refs, ops.Ref{Row: int32(i*n + j)})
		}
	}
	place := ops.Join(ops.Gather(t, columns, t.Use(p.Column)), ops.Gather(t, rows, t.Use(p.Row)))
	x = ops.Add(ops.Add(t.View(x, b*n, v), place), ops.Slice(t.Use(p.Time), 0, 1))
	x = ops.Gather(t, refs, x, ops.MeanRows(x, n))
	if p.Map != nil {
		return p.Norm.Forward(p.Map.Forward(x))
	}
	m := ops.ChannelsLast(t.View(t.Use(p.Transposed), 1, v, p.Transposed.Shape[1], 1)) // V channels of D pixels, pixels first
	return p.Norm.Forward(ops.Linear(x, t.View(m, p.Transposed.Shape[1], v), nil))
}
