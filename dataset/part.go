package dataset

import "fmt"

// Part is examples skip, skip+1, … of a set on disk, at most limit of them; 0 means all. Of a source that is drawn only the
// beginning can be taken.
func Part(src Source, skip, limit int) (Source, error) {
	if skip < 0 || limit < 0 || skip >= src.Len() {
		return nil, fmt.Errorf("dataset: %s: a part after %d of %d examples", src.Name(), skip, src.Len())
	}
	n := src.Len() - skip
	if limit > 0 {
		n = min(n, limit)
	}
	s, ok := src.(*set)
	switch {
	case ok:
		part := *s
		part.records = s.records[skip : skip+n]
		return &part, nil
	case skip > 0:
		return nil, fmt.Errorf("dataset: %s: its pictures are drawn, take others by another seed", src.Name())
	}
	return beginning{src, n}, nil
}

// beginning is the first examples of a source.
type beginning struct {
	Source
	n int
}

func (b beginning) Len() int { return b.n }
