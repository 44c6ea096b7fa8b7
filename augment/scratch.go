package augment

import (
	"sync"

	"fovea/imageproc"
)

// scratch holds what transforming a picture needs beside its result.
type scratch struct {
	level level
	spans []span
	lines []uint8
	noise []int16
}

var pool = sync.Pool{New: func() any { return new(scratch) }}

func (s *scratch) rows(n int) []span {
	if cap(s.spans) < n {
		s.spans = make([]span, n)
	}
	s.spans = s.spans[:n]
	return s.spans
}

// all makes the spans cover a picture.
func (s *scratch) all(img *imageproc.RGB) {
	for y := range s.rows(img.H) {
		s.spans[y] = span{0, img.W}
	}
}
