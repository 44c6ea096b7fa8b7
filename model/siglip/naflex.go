package siglip

import (
	"fmt"
	"math"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
	"fovea/tensor"
)

// Flex is a vision transformer over pictures of any shape, each with as many patches as it has: the square table of
// positions is fitted to every picture's grid.
type Flex struct {
	Patch *nn.Dense       `weight:"patch"` // [D, P·P·3]: rows, columns and channels of a patch, from outer to inner
	Pos   *autograd.Param `weight:"pos"`   // [side², D]
	Stack *nn.Stack       `weight:"encoder"`

	patch, side int
}

// NewFlex makes a blank one.
func NewFlex(c *VisionConfig) (*Flex, error) {
	side := int(math.Sqrt(float64(c.Patches)))
	if c.Patches < 1 || c.Patches > nn.MaxTokens || side*side != c.Patches {
		return nil, fmt.Errorf("siglip: num_patches %d is not a square within 1 … %d", c.Patches, nn.MaxTokens)
	}
	p := c.Patch[0]
	c.Image = nn.Size{side * p, side * p}
	if err := c.Check(); err != nil {
		return nil, err
	}
	stack, err := nn.NewEncoder(c.EncoderConfig)
	if err != nil {
		return nil, err
	}
	return &Flex{Patch: nn.BlankDense(p*p*3, c.Width, true), Pos: nn.Blank(autograd.Table, c.Patches, c.Width), Stack: stack, patch: p, side: side}, nil
}

// process cuts pictures into patches: pixel_values [B, N, P·P·3], filled up with zeros, pixel_attention_mask [B, N] and
// spatial_shapes [B, 2], the patches down and across.
func (f *Flex) process(in model.Inputs, pr *imageproc.Processor, pictures []*imageproc.RGB) error {
	n, d := pr.MaxPatches, f.patch*f.patch*3
	rows, mask, shapes := make([]float32, len(pictures)*n*d), make([]float32, len(pictures)*n), []float32{}
	for i, img := range pictures {
		x, w, h, _, err := pr.Apply(img)
		if err != nil {
			return err
		}
		gw, gh, line := w/f.patch, h/f.patch, f.patch*3
		if gw*gh > n {
			return fmt.Errorf("siglip: %d × %d patches, at most %d", gw, gh, n)
		}
		for y := range h {
			for px := range gw {
				patch := i*n + y/f.patch*gw + px
				copy(rows[patch*d+y%f.patch*line:][:line], x[(y*gw+px)*line:])
				mask[patch] = 1
			}
		}
		shapes = append(shapes, float32(gh), float32(gw))
	}
	in.Put("pixel_values", rows, len(pictures), n, d)
	in.Put("pixel_attention_mask", mask, len(pictures), n)
	in.Put("spatial_shapes", shapes, len(pictures), 2)
	return nil
}

// Forward maps patches [B, N, P·P·3] to the tokens of those that are there, picture after picture, and how many each has.
func (f *Flex) Forward(p *nn.Pass, x *autograd.Value, shapes *tensor.Tensor) (*autograd.Value, []int) {
	t, d := x.Tape(), f.Pos.Shape.Last()
	table := t.View(t.Use(f.Pos), 1, f.side, f.side, d)
	var refs, places []ops.Ref
	var tables []*autograd.Value
	var lens []int
	p.Layout = &ops.Layout{}
	for b := range x.Shape[0] {
		h, w := int(shapes.Data[2*b]), int(shapes.Data[2*b+1])
		tables = append(tables, ops.Resize(table, nn.Taps(f.side, h, imageproc.Bilinear, true), nn.Taps(f.side, w, imageproc.Bilinear, true)))
		p.Layout.Groups = append(p.Layout.Groups, ops.Group{Image: -1, Start: len(refs), Len: h * w})
		for i := range h * w {
			refs = append(refs, ops.Ref{Row: int32(b*x.Shape[1] + i)})
			places = append(places, ops.Ref{Table: int32(b), Row: int32(i)})
		}
		lens = append(lens, h*w)
	}
	tokens := f.Patch.Forward(ops.Gather(t, refs, x))
	return f.Stack.Forward(p, ops.Add(tokens, ops.Gather(t, places, tables...))), lens
}
