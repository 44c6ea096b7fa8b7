package eomt

import (
	"math"

	"fovea/annotation"
	"fovea/internal/kernel"
	"fovea/model"
)

// tap says between which samples a sample lies: (1−w)·sample i + w·sample j.
type tap struct {
	i, j int
	w    float32
}

// taps resizes an axis linearly, as torch.nn.functional.interpolate does with align_corners=False.
func taps(in, out int) []tap {
	t := make([]tap, out)
	scale := float32(in) / float32(out)
	for o := range t {
		at := max((float32(o)+.5)*scale-.5, 0)
		i := min(int(at), in-1)
		t[o] = tap{i, min(i+1, in-1), at - float32(i)}
	}
	return t
}

// lerp resizes a line.
func lerp(dst, src []float32, ts []tap) {
	for o, t := range ts {
		dst[o] = (1-t.w)*src[t.i] + t.w*src[t.j]
	}
}

// axis leads from a mask to the pixels of a picture in two steps: a mask is enlarged to the square that the network looks
// at, of which the part that the picture covers is then resized to the picture.
type axis struct{ up, back []tap }

// frame is how a picture of w × h pixels lies in the square. Masks are read column by column, the order of run lengths.
type frame struct {
	w, h int
	x, y axis
}

// reader holds the lines that a mask passes through on its way to the pixels.
type reader struct {
	f         *frame
	thin, mid []float32
	line      []float32 // logits of the pixels of the column that was read last
}

func (f *frame) reader(side int) *reader {
	return &reader{f, make([]float32, side), make([]float32, len(f.y.up)), make([]float32, f.h)}
}

// read gives query q's logits at the pixels of column x; they last until the next read.
func (r *reader) read(s *seen, q, x int) []float32 {
	t := r.f.x.back[x]
	clear(r.thin)
	for _, c := range []struct {
		at int
		w  float32
	}{{t.i, 1 - t.w}, {t.j, t.w}} {
		u := r.f.x.up[c.at]
		kernel.Axpy(c.w*(1-u.w), s.column(q, u.i), r.thin)
		kernel.Axpy(c.w*u.w, s.column(q, u.j), r.thin)
	}
	lerp(r.mid, r.thin, r.f.y.up)
	lerp(r.line, r.mid, r.f.y.back)
	return r.line
}

// column is a column of a query's mask.
func (s *seen) column(q, x int) []float32 {
	at := (q*s.side + x) * s.side
	return s.masks[at : at+s.side]
}

// instance is the pixels that a query marks, and their mean probability.
func (s *seen) instance(q int, f *frame) (annotation.RLE, float32) {
	var strokes model.Strokes
	r := f.reader(s.side)
	sum, n := 0., 0
	for x := range f.w {
		for y, v := range r.read(s, q, x) {
			if v > 0 {
				strokes.Add(x*f.h + y)
				sum += 1 / (1 + math.Exp(-float64(v)))
				n++
			}
		}
	}
	return strokes.Mask(f.w, f.h), float32(sum / (float64(n) + 1e-6))
}

// segment is a part of a picture.
type segment struct {
	label int
	score float32 // probability of the label
	mask  annotation.RLE
}

// contender is a query that contends for pixels.
type contender struct {
	segment
	q         int
	read      *reader
	probs     []float32
	strokes   model.Strokes
	won, mine int // pixels at which it beats all others, and that it marks
}

// panoptic gives every pixel to the query of more than the least score whose label times mask is the most probable there, if
// it marks the pixel. Queries to which too small a share of what they mark is left have nothing.
func (s *seen) panoptic(f *frame, least, share float64) []segment {
	var all []*contender
	for q := range s.queries {
		if label, p := s.best(q, s.labels+1); label < s.labels && float64(p) > least {
			all = append(all, &contender{segment: segment{label: label, score: p}, q: q, read: f.reader(s.side), probs: make([]float32, f.h)})
		}
	}
	if len(all) == 0 {
		return nil
	}
	for x := range f.w {
		for _, c := range all {
			kernel.Sigmoid(c.probs, c.read.read(s, c.q, x))
		}
		for y := range f.h {
			best, top := all[0], float32(-1)
			for _, c := range all {
				if c.probs[y] >= .5 {
					c.mine++
				}
				if p := c.score * c.probs[y]; p > top {
					best, top = c, p
				}
			}
			if best.won++; best.probs[y] >= .5 {
				best.strokes.Add(x*f.h + y)
			}
		}
	}
	var out []segment
	for _, c := range all {
		if c.mask = c.strokes.Mask(f.w, f.h); c.mask.Area() > 0 && float64(float32(c.won)/float32(c.mine)) > share {
			out = append(out, c.segment)
		}
	}
	return out
}
