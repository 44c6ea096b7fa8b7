package augment

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/imageproc"
)

// odd is an example as broken data sets and hasty code make them.
func odd(rng *rand.Rand) *dataset.Example {
	size := func() int { return []int{0, 1, 2, 3, 17, 64, 200}[rng.IntN(7)] }
	number := func() float64 {
		return []float64{0, -1, 1, 5, 20, 1e300, -1e300, 1e-300, math.NaN(), math.Inf(1), math.Inf(-1), rng.Float64() * 100, rng.NormFloat64() * 100}[rng.IntN(13)]
	}
	text := func() string {
		return []string{"", "left", "what is left ?", "is it LEFT of the right one ?", "RiGhT", "\xff\xfeleft", "red", "left left right", "links 左"}[rng.IntN(9)]
	}
	w, h := size(), size()
	ex := &dataset.Example{Labels: dataset.Labels(rng.IntN(128))}
	if rng.IntN(10) > 0 {
		ex.Image = imageproc.NewRGB(w, h)
	}
	if rng.IntN(4) == 0 {
		ex.Class = text()
	}
	for range rng.IntN(5) {
		o := annotation.Object{Label: text(), Crowd: rng.IntN(4) == 0, Area: number(), Box: boxOf(number(), number(), number(), number())}
		switch rng.IntN(4) {
		case 0:
			o.Mask = annotation.NewBitmap(w, h)
			for i := range o.Mask.Pix {
				o.Mask.Pix[i] = uint8(rng.IntN(2))
			}
		case 1:
			o.Mask = &annotation.Bitmap{W: w, H: h}
		case 2:
			o.Mask = annotation.NewBitmap(size(), size())
		}
		if rng.IntN(2) == 0 {
			o.Joints = make([]annotation.Joint, []int{0, 1, 17, 20}[rng.IntN(4)])
			for i := range o.Joints {
				o.Joints[i] = annotation.Joint{X: number(), Y: number(), V: annotation.Visibility(rng.IntN(4))}
			}
			o.Skeleton = []*annotation.Skeleton{nil, annotation.COCO17, {}, {Flip: []int{7}}}[rng.IntN(4)]
		}
		ex.Objects = append(ex.Objects, o)
	}
	for range rng.IntN(3) {
		ex.Questions = append(ex.Questions, annotation.Question{Text: text(), Answers: []string{text()}, Type: text(),
			Mentions: []annotation.Mention{{Word: rng.IntN(9) - 4, X: number(), Y: number()}}})
	}
	if rng.IntN(3) == 0 {
		ex.Captions = []string{text(), text()}
	}
	if rng.IntN(3) == 0 {
		ex.Semantic = &annotation.LabelMap{W: w, H: h, Pix: make([]uint8, w*h)}
	}
	return ex
}

func TestTorture(t *testing.T) {
	rng := seeded(11)
	for i := range 1500 {
		c := Config{Flip: .5, Scale: [2]float64{.05, 20}, Aspect: 4, Rotate: 180, Translate: 1, Color: 1, Grey: .2, Noise: 90, Blur: .3, JPEG: .02,
			RandAugment: 10, Erase: .5, Mosaic: .3, CopyPaste: .3, MixUp: .5, CutMix: .5}
		if i%3 == 0 {
			c.Scale = [2]float64{}
		}
		p, err := New(c)
		if err != nil {
			t.Fatal(err)
		}
		ex := odd(rng)
		p.More = odd
		side := []int{0, 1, 2, 16, 33}[rng.IntN(5)]
		before := ex.Clone()
		img, pic := p.Apply(rng, ex, side)
		check(t, img, &pic, side)
		if len(before.Objects) != len(ex.Objects) {
			t.Fatal("the example was changed")
		}
		if m, ok := p.Mix(rng, ex, side); ok {
			check(t, m.Image, &annotation.Picture{W: side, H: side}, side)
		}
	}
}

func check(t *testing.T, img *imageproc.RGB, p *annotation.Picture, side int) {
	t.Helper()
	if img.W != side || img.H != side || len(img.Pix) != 3*side*side || p.W != side || p.H != side {
		t.Fatalf("a picture of %d×%d with annotations of %d×%d, want %d", img.W, img.H, p.W, p.H, side)
	}
	s := float64(side)
	for _, o := range p.Objects {
		if !o.Box.Finite() || o.Box.Empty() || o.Box.Clip(s, s) != o.Box {
			t.Fatalf("box %v in a square of %d", o.Box, side)
		}
		if o.Mask != nil && (o.Mask.W != side || o.Mask.H != side || len(o.Mask.Pix) != side*side || o.Mask.Bounds() != o.Box) {
			t.Fatalf("mask of %d×%d with bounds %v, box %v", o.Mask.W, o.Mask.H, o.Mask.Bounds(), o.Box)
		}
		for _, j := range o.Joints {
			if j.V != annotation.Absent && !(j.X >= 0 && j.Y >= 0 && j.X < s && j.Y < s) {
				t.Fatalf("joint %v in a square of %d", j, side)
			}
		}
	}
	for _, q := range p.Questions {
		for _, m := range q.Mentions {
			if !(m.X >= 0 && m.Y >= 0 && m.X < s && m.Y < s) {
				t.Fatalf("mention %v in a square of %d", m, side)
			}
		}
	}
	if p.Semantic != nil && len(p.Semantic.Pix) != side*side {
		t.Fatalf("label map of %d pixels", len(p.Semantic.Pix))
	}
}
