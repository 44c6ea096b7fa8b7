package augment

import (
	"math/rand/v2"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/imageproc"
)

// Padding is the grey around letterboxed pictures. Where the model is used, imageproc.Config.Fill must be the same.
const Padding = 114

// Pipeline turns examples into square pictures with annotations. It is safe for use by several goroutines once More is
// set.
type Pipeline struct {
	// More draws another example of the same data set, for mosaics, pasted objects and mixing; when it is nil or returns
	// nil, these do not happen.
	More func(rng *rand.Rand) *dataset.Example

	config    Config
	geometric Geometric
	color     Color
}

// New makes a pipeline; a value out of range is an error that names it.
func New(c Config) (*Pipeline, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	p := &Pipeline{config: c, color: ColorJitter(c.Color)}
	p.geometric = Geometric{Flip: c.Flip, Scale: c.Scale, Aspect: c.Aspect, Rotate: c.Rotate, Translate: c.Translate, Shift: c.Shift,
		Fill: [3]uint8{Padding, Padding, Padding}, MinVisible: or(c.MinVisible, minVisible)}
	p.color.Grey, p.color.Noise, p.color.Blur, p.color.JPEG = c.Grey, c.Noise, c.Blur, c.JPEG
	return p, nil
}

// Apply makes a new side × side picture with its annotations from an example, which stays as it is. The result is a
// function of the generator's state, the example and the pipeline. What the example's Labels promise still holds, apart
// from objects that are dropped because too little of them is in sight (see Transform.Picture).
func (p *Pipeline) Apply(rng *rand.Rand, ex *dataset.Example, side int) (*imageproc.RGB, annotation.Picture) {
	s := pool.Get().(*scratch)
	defer pool.Put(s)
	join := p.More != nil && composable(ex)
	var ops [2]operation
	img, pic, done := p.mosaic(rng, ex, side, join && rng.Float64() < p.config.Mosaic)
	if done {
		s.all(img)
	} else {
		t := p.geometric.Sample(rng, ex, side)
		ops = RandAugment{p.config.RandAugment}.draw(rng, side)
		for _, op := range ops {
			if op.moves && !t.KeepAll {
				t.Affine = t.Then(op.shape)
			}
		}
		var w, h int
		if ex.Image != nil {
			w, h = ex.Image.W, ex.Image.H
		}
		img, pic = t.image(ex.Image, s), t.Picture(&ex.Picture, w, h)
	}
	if join && rng.Float64() < p.config.CopyPaste {
		p.paste(rng, ex, img, &pic)
	}
	p.recolor(rng, img, &ex.Picture, &pic, ops, s)
	if rng.Float64() < p.config.Erase && !hasText(&pic) {
		Erase(rng, img, &pic, p.geometric.MinVisible)
	}
	return img, pic
}

// mosaic makes one of ex and three others, if wanted and if three are found that go with it.
func (p *Pipeline) mosaic(rng *rand.Rand, ex *dataset.Example, side int, wanted bool) (*imageproc.RGB, annotation.Picture, bool) {
	if !wanted {
		return nil, annotation.Picture{}, false
	}
	four := [4]*dataset.Example{ex}
	for i := 1; i < 4; i++ {
		if four[i] = p.More(rng); !goesWith(ex, four[i]) {
			return nil, annotation.Picture{}, false
		}
	}
	img, pic := p.geometric.Mosaic(rng, four, side)
	return img, pic, true
}

// paste adds objects of another example.
func (p *Pipeline) paste(rng *rand.Rand, ex *dataset.Example, img *imageproc.RGB, pic *annotation.Picture) {
	other := p.More(rng)
	if !goesWith(ex, other) || other.Labels&dataset.HasMasks == 0 || len(other.Objects) == 0 {
		return
	}
	t := p.geometric.Sample(rng, other, img.W)
	q := t.Picture(&other.Picture, other.Image.W, other.Image.H)
	CopyPaste(rng, img, pic, t.Image(other.Image), &q, p.geometric.MinVisible)
}

// recolor changes colours as far as the annotations before and after joining pictures allow it.
func (p *Pipeline) recolor(rng *rand.Rand, img *imageproc.RGB, before, after *annotation.Picture, ops [2]operation, s *scratch) {
	c := p.color
	named := (c != (Color{}) || ops[0].colors || ops[1].colors) && (speaksOfColor(before) || speaksOfColor(after))
	if named {
		c = c.mildly()
	}
	c.apply(rng, img, s)
	for _, op := range ops {
		if op.pixels != nil && !(op.colors && named) {
			op.pixels(img, s)
		}
	}
}

// Mix joins an example with another one into a picture with soft labels, in the share of cases that mixup and cutmix ask
// for; false when not, and then the caller goes on with Apply. Only pictures with a class and nothing else are mixed.
func (p *Pipeline) Mix(rng *rand.Rand, ex *dataset.Example, side int) (Mixed, bool) {
	share := p.config.MixUp + p.config.CutMix
	if share == 0 || p.More == nil || !mixable(ex) {
		return Mixed{}, false
	}
	u := rng.Float64()
	if u >= share {
		return Mixed{}, false
	}
	other := p.More(rng)
	if !mixable(other) {
		return Mixed{}, false
	}
	a, _ := p.Apply(rng, ex, side)
	b, _ := p.Apply(rng, other, side)
	if u < p.config.MixUp {
		return MixUp(rng, a, b, ex.Class, other.Class), true
	}
	return CutMix(rng, a, b, ex.Class, other.Class), true
}
