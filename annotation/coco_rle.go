package annotation

import (
	"fmt"
	"math"
)

// MaxMaskPixels is the largest picture that a mask may cover: 16384 × 16384 pixels. A run-length encoding of a few bytes
// can claim any size; readers refuse larger ones before they allocate.
const MaxMaskPixels = 1 << 28

// NewRLE makes a mask of h × w pixels from run lengths, as COCO's uncompressed {"size":[h,w],"counts":[…]} states them.
// Runs that do not fill the picture exactly, and pictures above MaxMaskPixels, are errors. The mask keeps counts.
func NewRLE(h, w int, counts []uint32) (RLE, error) {
	r := RLE{H: h, W: w, Counts: counts}
	return r, r.check()
}

// ParseRLE reads COCO's compressed run lengths, the string of {"size":[h,w],"counts":"…"} (pycocotools, maskApi.c).
//
// A number is cut into groups of five bits, the lowest first; each group is a character from '0' (48) on, with bit 5 set
// while more groups follow and bit 4 of the last group as the sign. From the fourth number on, the difference to the run
// two before is stored: runs of 1s in neighbouring columns have similar lengths.
func ParseRLE(h, w int, counts string) (RLE, error) {
	if err := checkSize(h, w); err != nil {
		return RLE{}, err
	}
	limit := int64(h) * int64(w)
	runs := make([]uint32, 0, len(counts)/2+1)
	var left = limit
	for p := 0; p < len(counts); {
		start := p
		var x int64
		for shift := 0; ; shift += 5 {
			if p == len(counts) {
				return RLE{}, fmt.Errorf("annotation: compressed run lengths end inside the number at character %d", start)
			}
			if shift > 30 { // 35 bits hold every difference of two 32-bit runs
				return RLE{}, fmt.Errorf("annotation: compressed run lengths: number at character %d is longer than 7 characters", start)
			}
			c := int64(counts[p]) - 48
			if c < 0 || c > 63 {
				return RLE{}, fmt.Errorf("annotation: compressed run lengths: character %q at %d is outside '0'…'o'", counts[p], p)
			}
			p++
			x |= c & 0x1f << shift
			if c&0x20 == 0 {
				if c&0x10 != 0 {
					x |= -1 << (shift + 5)
				}
				break
			}
		}
		if n := len(runs); n > 2 {
			x += int64(runs[n-2])
		}
		if left -= x; x < 0 || left < 0 {
			return RLE{}, fmt.Errorf("annotation: compressed run lengths: run %d of %d pixels does not fit in %d×%d (height×width)", len(runs), x, h, w)
		}
		runs = append(runs, uint32(x))
	}
	return NewRLE(h, w, runs)
}

// Compress writes the run lengths as COCO's compressed string; ParseRLE reads it back.
func (r RLE) Compress() string {
	s := make([]byte, 0, 2*len(r.Counts))
	for i, c := range r.Counts {
		x := int64(c)
		if i > 2 {
			x -= int64(r.Counts[i-2])
		}
		for more := true; more; {
			c := byte(x & 0x1f)
			x >>= 5
			if c&0x10 != 0 {
				more = x != -1
			} else {
				more = x != 0
			}
			if more {
				c |= 0x20
			}
			s = append(s, c+48)
		}
	}
	return string(s)
}

// Bounds is the tightest box around the mask in pixels, the zero box when the mask is empty. As in pycocotools 2.0, a
// run that goes on into the next column spans the picture's full height even if it only touches both columns' ends.
func (r RLE) Bounds() Box {
	h := int64(r.H)
	var at int64
	x0, y0, x1, y1 := int64(math.MaxInt64), int64(math.MaxInt64), int64(-1), int64(-1)
	for i, c := range r.Counts {
		start := at
		at += int64(c)
		if i%2 == 0 || c == 0 || h <= 0 {
			continue
		}
		xs, xe := start/h, (at-1)/h
		x0, x1 = min(x0, xs), max(x1, xe)
		if xs < xe {
			y0, y1 = 0, h-1
		} else {
			y0, y1 = min(y0, start%h), max(y1, (at-1)%h)
		}
	}
	if x1 < 0 {
		return Box{}
	}
	return Box{float64(x0), float64(y0), float64(x1 + 1), float64(y1 + 1)}
}

// Union is the mask of the pixels in either mask. Masks of different sizes are an error.
func (r RLE) Union(o RLE) (RLE, error) {
	return r.merge(o, func(a, b bool) bool { return a || b })
}

// Intersect is the mask of the pixels in both masks. Masks of different sizes are an error.
func (r RLE) Intersect(o RLE) (RLE, error) {
	return r.merge(o, func(a, b bool) bool { return a && b })
}

func (r RLE) merge(o RLE, keep func(a, b bool) bool) (RLE, error) {
	if r.H != o.H || r.W != o.W {
		return RLE{}, fmt.Errorf("annotation: merge a mask of %d×%d with one of %d×%d (height×width)", r.H, r.W, o.H, o.W)
	}
	out := RLE{H: r.H, W: r.W, Counts: make([]uint32, 0, max(len(r.Counts), len(o.Counts)))}
	var run uint32
	cur := false
	walk(r, o, func(n uint32, a, b bool) {
		if v := keep(a, b); v != cur {
			out.Counts = append(out.Counts, run)
			run, cur = 0, v
		}
		run += n
	})
	out.Counts = append(out.Counts, run)
	return out, nil
}

// IoU is the area of the intersection over the area of the union, in [0, 1]. With crowd set, o is a region of many
// objects and the intersection is divided by the area of r alone (COCO's rule). Masks of different sizes have nothing in
// common: 0.
func (r RLE) IoU(o RLE, crowd bool) float64 {
	if r.H != o.H || r.W != o.W {
		return 0
	}
	var both, either uint64
	walk(r, o, func(n uint32, a, b bool) {
		if a && b {
			both += uint64(n)
		}
		if a || b {
			either += uint64(n)
		}
	})
	switch {
	case both == 0:
		return 0
	case crowd:
		return float64(both) / r.Area()
	}
	return float64(both) / float64(either)
}

// walk calls f for each stretch of pixels over which neither mask changes.
func walk(r, o RLE, f func(n uint32, a, b bool)) {
	a, b := runs{counts: r.Counts, v: true}, runs{counts: o.Counts, v: true}
	a.skip(0)
	b.skip(0)
	for a.n > 0 && b.n > 0 {
		n := min(a.n, b.n)
		f(n, a.v, b.v)
		a.skip(n)
		b.skip(n)
	}
}

// runs is a position in a run-length encoding: n pixels of value v lie ahead, then counts. n is 0 at the end only.
type runs struct {
	counts []uint32
	n      uint32
	v      bool
}

func (r *runs) skip(n uint32) {
	r.n -= n
	for r.n == 0 && len(r.counts) > 0 {
		r.n, r.counts, r.v = r.counts[0], r.counts[1:], !r.v
	}
}

func checkSize(h, w int) error {
	if h < 0 || w < 0 || w > 0 && h > MaxMaskPixels/w {
		return fmt.Errorf("annotation: mask of %d×%d (height×width) pixels: want 0 to %d pixels", h, w, MaxMaskPixels)
	}
	return nil
}
