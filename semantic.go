package fovea

import "fovea/annotation"

// semantic labels pixels with the classes of the objects that cover them; where several do, the highest score wins.
// Objects are in the order of their scores, best first.
func semantic(objects []Object, w, h int) *Semantic {
	s := &Semantic{Classes: []string{}, Map: []annotation.RLE{}}
	index, taken := map[string]int{}, empty(w, h)
	for _, o := range objects {
		k, ok := index[o.Label]
		if !ok {
			k = len(s.Classes)
			index[o.Label] = k
			s.Classes = append(s.Classes, o.Label)
			s.Map = append(s.Map, empty(w, h))
		}
		s.Map[k] = union(s.Map[k], without(*o.Mask, taken))
		taken = union(taken, *o.Mask)
	}
	return s
}

func empty(w, h int) annotation.RLE {
	return annotation.RLE{H: h, W: w, Counts: []uint32{uint32(w * h)}}
}

// union is the pixels in either mask; both are of one picture.
func union(a, b annotation.RLE) annotation.RLE {
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
