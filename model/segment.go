package model

import (
	"fovea/annotation"
)

// A Segmenter is a View that divides a picture among labels or objects by itself. The objects of other views have masks
// that may overlap.
type Segmenter interface {
	View
	// Semantic gives every pixel one label: the labels that occur, that of most pixels first, and the pixels of each. Of a
	// query, only what is asked for is told. Pictures that are too long and thin are an error.
	Semantic(query []string) (labels []string, pixels []annotation.RLE, err error)
	// Panoptic divides the picture among objects, best first, whose masks do not overlap (Kirillov et al. 2019). Labels that
	// are stuff, such as sky, have one object each. Of an object at least the share Overlap of its own mask must be left to
	// it; 0 means .3.
	Panoptic(o DetectOptions, stuff []string) []Object
}

// Mark is a place in a picture, pixels, that belongs to what is meant, or, with Out, does not.
type Mark struct {
	X, Y float64
	Out  bool
}

// Pointed is a View that outlines what is pointed at.
type Pointed interface {
	View
	// Point outlines one thing in each box, whichever of its readings the model is surest of. The marks are all of one thing,
	// which is the box's if there is one box; with several boxes there are none.
	Point(marks []Mark, boxes []annotation.Box) []Object
}

// Share cuts masks of one picture down so that every pixel belongs to the first of those that cover it.
func Share(masks []annotation.RLE) {
	var taken annotation.RLE
	for i, m := range masks {
		if i > 0 {
			masks[i] = without(m, taken)
			m = Join(taken, m)
		}
		taken = m
	}
}

// Join is the pixels in either of two masks of one picture.
func Join(a, b annotation.RLE) annotation.RLE {
	u, err := a.Union(b)
	if err != nil {
		panic(err) // masks of one picture have one size
	}
	return u
}

// without is the pixels of a that are not in b.
func without(a, b annotation.RLE) annotation.RLE {
	n, err := a.Intersect(invert(b))
	if err != nil {
		panic(err)
	}
	return n
}

// invert swaps inside and outside: runs start with 0s, so a first run of none is put in front or taken away.
func invert(r annotation.RLE) annotation.RLE {
	if len(r.Counts) > 1 && r.Counts[0] == 0 {
		return annotation.RLE{H: r.H, W: r.W, Counts: r.Counts[1:]}
	}
	return annotation.RLE{H: r.H, W: r.W, Counts: append([]uint32{0}, r.Counts...)}
}

// Strokes collects the pixels of a mask in the order of COCO's run lengths: down each column, column after column.
type Strokes struct{ r runs }

// Add puts pixel number at = x·height + y inside; numbers ascend.
func (s *Strokes) Add(at int) {
	s.r.to(at)
	s.r.pixels(true, 1)
}

// Mask is what was collected, of a picture of w × h pixels. Nothing can be added after it.
func (s *Strokes) Mask(w, h int) annotation.RLE {
	s.r.to(w * h)
	return annotation.RLE{H: h, W: w, Counts: append(s.r.counts, uint32(s.r.n))}
}
