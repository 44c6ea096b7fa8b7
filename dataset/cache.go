package dataset

import (
	"math/rand/v2"
	"slices"
	"sync"

	"fovea/annotation"
)

// Cached keeps decoded examples of a source in memory, up to about maxBytes. What came first stays: a set is read in
// shuffled epochs, so every example is as likely to be wanted next, and throwing one out for another would gain nothing.
// Masks are kept as run lengths. The source must give the same example each time, which readers of files do.
func Cached(src Source, maxBytes int64) Source {
	return &cached{Source: src, left: maxBytes, kept: map[int]*keptExample{}}
}

type cached struct {
	Source
	mu   sync.RWMutex
	left int64
	kept map[int]*keptExample
}

// keptExample is an example whose masks are coded.
type keptExample struct {
	ex    *Example
	masks []annotation.RLE // of the objects; H is 0 without a mask
}

// Report is that of the source, if it has one.
func (c *cached) Report() *Report {
	if r, ok := c.Source.(Reporter); ok {
		return r.Report()
	}
	return &Report{}
}

// At returns a copy of the example kept, or reads it.
func (c *cached) At(i int, rng *rand.Rand) (*Example, error) {
	c.mu.RLock()
	k := c.kept[i]
	room := c.left > 0
	c.mu.RUnlock()
	if k != nil {
		return k.restore(), nil
	}
	ex, err := c.Source.At(i, rng)
	if err != nil || !room {
		return ex, err
	}
	k, size := keep(ex)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept[i] == nil && size <= c.left {
		c.kept[i] = k
		c.left -= size
	}
	return ex, nil
}

// keep copies an example and says about how many bytes the copy takes.
func keep(ex *Example) (*keptExample, int64) {
	k := &keptExample{ex: &Example{ID: ex.ID, Image: ex.Image.Clone(), Labels: ex.Labels}, masks: make([]annotation.RLE, len(ex.Objects))}
	size := int64(len(ex.Image.Pix)) + 512
	bare := ex.Picture
	bare.Objects = slices.Clone(ex.Objects)
	for i := range bare.Objects {
		if m := bare.Objects[i].Mask; m != nil {
			k.masks[i] = m.RLE()
			size += int64(4 * len(k.masks[i].Counts))
		}
		bare.Objects[i].Mask = nil
		size += 256 + int64(32*len(bare.Objects[i].Joints))
	}
	for _, q := range ex.Questions {
		size += 256 + int64(len(q.Text)+32*len(q.Answers)+24*len(q.Mentions))
	}
	for _, t := range ex.Captions {
		size += 16 + int64(len(t))
	}
	if ex.Semantic != nil {
		size += int64(len(ex.Semantic.Pix))
	}
	k.ex.Picture = *bare.Clone()
	return k, size
}

func (k *keptExample) restore() *Example {
	ex := &Example{ID: k.ex.ID, Image: k.ex.Image.Clone(), Labels: k.ex.Labels, Picture: *k.ex.Picture.Clone()}
	ex.Captions = slices.Clone(ex.Captions)
	for i := range ex.Questions {
		ex.Questions[i].Answers = slices.Clone(ex.Questions[i].Answers)
	}
	for i, r := range k.masks {
		if r.H > 0 {
			ex.Objects[i].Mask, _ = r.Bitmap() // it was made from one
		}
	}
	return ex
}
