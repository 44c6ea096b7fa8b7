package cli

import (
	"math/rand/v2"

	"fovea/annotation"
	"fovea/augment"
	"fovea/dataset"
	"fovea/imageproc"
)

// shownTransforms are the parts of a recipe's augment section, each as strong as is usual or a little stronger, to be seen.
var shownTransforms = []struct {
	name   string
	config augment.Config
}{
	{"as it is", augment.Config{}},
	{"flip", augment.Config{Flip: 1}},
	{"scale", augment.Config{Scale: [2]float64{1.6, 1.8}, Translate: 1}},
	{"scale, down", augment.Config{Scale: [2]float64{.5, .6}, Translate: 1}},
	{"aspect", augment.Config{Aspect: .6}},
	{"rotate", augment.Config{Rotate: 30}},
	{"color", augment.Config{Color: .6}},
	{"grey", augment.Config{Grey: 1}},
	{"noise", augment.Config{Noise: 25}},
	{"blur", augment.Config{Blur: 1}},
	{"jpeg", augment.Config{JPEG: 1}},
	{"randaugment", augment.Config{RandAugment: 9}},
	{"erase", augment.Config{Erase: 1}},
	{"mosaic", augment.Config{Mosaic: 1}},
	{"copy_paste", augment.Config{CopyPaste: 1}},
	{"mixup", augment.Config{MixUp: 1}},
	{"cutmix", augment.Config{CutMix: 1}},
}

// augmentedSide is the side of the squares that transforms are shown in, pixels.
const augmentedSide = 192

// augmented draws a picture once for each transform that it can have, with the annotations after it. Questions and captions
// are left out, as transforms that would make them untrue do not happen to pictures that have any.
func augmented(src dataset.Source, ex *dataset.Example, seed uint64) (cells []*imageproc.RGB, titles []string, err error) {
	ex.Questions, ex.Captions = nil, nil
	more := func(rng *rand.Rand) *dataset.Example {
		other, err := src.At(rng.IntN(src.Len()), rng)
		if err != nil {
			return nil // the picture stays alone
		}
		other.Questions, other.Captions = nil, nil
		return other
	}
	for i, t := range shownTransforms {
		p, err := augment.New(t.config)
		if err != nil {
			return nil, nil, err
		}
		p.More = more
		rng := rand.New(rand.NewPCG(seed, uint64(i)))
		var img *imageproc.RGB
		var pic annotation.Picture
		if t.config.MixUp+t.config.CutMix > 0 {
			m, ok := p.Mix(rng, ex, augmentedSide)
			if !ok {
				continue
			}
			img, pic = m.Image, annotation.Picture{W: augmentedSide, H: augmentedSide, Class: m.Labels[0].Class}
		} else {
			img, pic = p.Apply(rng, ex, augmentedSide)
		}
		cells = append(cells, imageproc.Draw(img, pic, imageproc.DrawOptions{MinSide: augmentedSide + 64, Classes: src.Classes()}))
		titles = append(titles, t.name)
	}
	return cells, titles, nil
}
