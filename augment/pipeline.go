package augment

import (
	"math/rand/v2"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/imageproc"
)

// Padding is the grey around letterboxed pictures, the same as where the model is used (imageproc.Config).
const Padding = 114

// Pipeline turns examples into square pictures with annotations. It is safe for use by several goroutines.
type Pipeline struct {
	geometric Geometric
	color     Color
}

// New makes a pipeline; a value out of range is an error that names it.
func New(c Config) (*Pipeline, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	p := &Pipeline{
		geometric: Geometric{Flip: c.Flip, Scale: c.Scale, Aspect: c.Aspect, Rotate: c.Rotate, Translate: c.Translate, Fill: [3]uint8{Padding, Padding, Padding}, MinVisible: c.MinVisible},
		color:     ColorJitter(c.Color),
	}
	p.color.Grey, p.color.Noise, p.color.Blur, p.color.JPEG = c.Grey, c.Noise, c.Blur, c.JPEG
	return p, nil
}

// Apply makes a new side × side picture with its annotations from an example, which stays as it is. The result is a
// function of the generator's state, the example and the pipeline.
func (p *Pipeline) Apply(rng *rand.Rand, ex *dataset.Example, side int) (*imageproc.RGB, annotation.Picture) {
	s := pool.Get().(*scratch)
	defer pool.Put(s)
	t := p.geometric.Sample(rng, ex, side)
	img := t.image(ex.Image, s)
	p.recolor(rng, img, &ex.Picture, s)
	var w, h int
	if ex.Image != nil {
		w, h = ex.Image.W, ex.Image.H
	}
	return img, t.Picture(&ex.Picture, w, h)
}

func (p *Pipeline) recolor(rng *rand.Rand, img *imageproc.RGB, pic *annotation.Picture, s *scratch) {
	c := p.color
	if c != (Color{}) && speaksOfColor(pic) {
		c = c.mildly()
	}
	c.apply(rng, img, s)
}
