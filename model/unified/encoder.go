package unified

import (
	"errors"
	"fmt"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/internal/kernel"
	"fovea/nn"
	"fovea/task"
)

// FromEncoder makes a model whose stack is that of a published vision transformer: its patch embedding, positions, blocks and
// last norm. The tables of words and coordinates, the read-outs and the convolutions that masks and joints need are fresh, a
// function of the seed. pixels is how the encoder wants its pictures; the difference from how this model has them is taken
// into the patch embedding. post is the last norm of encoders that keep it outside their stack (CLIP), or nil.
//
// like says everything that does not follow from the encoder, and the size of pictures; with Size 0 it is the encoder's own,
// or the next one that works. Positions are fitted to it as the encoder fits them.
func FromEncoder(v *nn.Vision, post *nn.LayerNorm, pixels *imageproc.Processor, name string, like Config, vocab *task.Vocabulary, seed uint64) (*Model, error) {
	e := &v.Config
	switch {
	case e.Detection > 0 || e.PatchPad > 0:
		return nil, errors.New("unified: an encoder with detection tokens or a margin around its pictures cannot become a trunk")
	case v.Stack.Norm != nil:
		post = v.Stack.Norm
	case post == nil:
		return nil, errors.New("unified: the encoder has no last norm")
	}
	c := like
	c.Stride, c.Width, c.Layers, c.Heads, c.MLPRatio = e.Patch[0], e.Width, e.Layers, e.Heads, max(1, e.Inner/e.Width)
	c.Trunk = &Trunk{From: name, PreNorm: e.PreNorm, Inner: e.Inner, Act: e.Act, Eps: e.Eps, QKVBias: e.QKVBias, Scaled: e.Scaled, Gated: e.Gated}
	if e.ClassToken {
		c.Trunk.Before = 1 + e.Registers
	}
	if step := lcm(c.Stride, 4); c.Size == 0 {
		c.Size = max((min(e.Image[0], 1024)+step-1)/step, (32+step-1)/step) * step
	}
	m, err := New(c, vocab, seed)
	if err != nil {
		return nil, err
	}
	return m, m.take(v, post, pixels)
}

// take copies the encoder's weights.
func (m *Model) take(v *nn.Vision, post *nn.LayerNorm, pixels *imageproc.Processor) error {
	s, c := m.Stem.Trunk, m.Config
	for _, part := range []any{v, post} {
		for p := range nn.Walk(part) {
			if *p.Slot != nil {
				if err := (*p.Slot).Load(); err != nil {
					return fmt.Errorf("unified: %s of the encoder: %w", p.Name, err)
				}
			}
		}
	}
	foldPixels(s.Patch, v.Patch, pixels)
	t := autograd.NewTape(kernel.NewWork(nil), 0, false)
	first, grid, _ := v.Positions(t.Use(v.Pos), c.Grid(), c.Grid())
	copy(s.Table.Data, grid.Data)
	switch {
	case v.Class != nil:
		copy(s.Before.Data, v.Class.Data)
		for i, p := range first.Data {
			s.Before.Data[i] += p
		}
		if v.Registers != nil {
			copy(s.Before.Data[c.Width:], v.Registers.Data)
		}
	case v.Config.SharedPos:
		for i := range s.Table.Data {
			s.Table.Data[i] += first.Data[i%c.Width]
		}
	}
	if s.Pre != nil {
		copyNorm(s.Pre, v.Pre)
	}
	copyNorm(m.Stack.Norm, post)
	for i, b := range v.Stack.Blocks {
		to := map[string]*autograd.Param{}
		for p := range nn.Walk(m.Stack.Blocks[i]) {
			if *p.Slot != nil {
				to[p.Name] = *p.Slot
			}
		}
		for p := range nn.Walk(b) {
			from := *p.Slot
			if from == nil {
				continue
			}
			if q := to[p.Name]; q == nil || !q.Shape.Equal(from.Shape) {
				return fmt.Errorf("unified: the trunk has no place for %s %v of the encoder's block %d", p.Name, from.Shape, i)
			}
			copy(to[p.Name].Data, from.Data)
			delete(to, p.Name)
		}
		if len(to) > 0 {
			return fmt.Errorf("unified: the encoder's block %d lacks %d weights of the trunk's", i, len(to))
		}
	}
	return nil
}

func copyNorm(to, from *nn.LayerNorm) {
	copy(to.Gain.Data, from.Gain.Data)
	copy(to.Bias.Data, from.Bias.Data)
	to.Eps = from.Eps
}

// foldPixels copies a patch embedding so that it takes pixels as this model has them, (byte/255 − pixelMean)/pixelStd, and
// gives what the encoder's gives for (byte·Rescale − Mean)/Std: both are affine, channel by channel.
func foldPixels(to, from *nn.PatchEmbed, p *imageproc.Processor) {
	d, n := from.Weight.Shape[0], from.Weight.Shape[2]*from.Weight.Shape[3]
	for o := range d {
		bias := 0.
		if from.Bias != nil {
			bias = float64(from.Bias.Data[o])
		}
		for c := range 3 {
			bytes := 255 * p.Rescale // what a pixel value of 1 is rescaled to
			a, b := bytes*pixelStd/float64(p.Std[c]), (bytes*pixelMean-float64(p.Mean[c]))/float64(p.Std[c])
			at := (o*3 + c) * n
			for i, w := range from.Weight.Data[at : at+n] {
				to.Weight.Data[at+i] = float32(float64(w) * a)
				bias += float64(w) * b
			}
		}
		to.Bias.Data[o] = float32(bias)
	}
}
