package autograd

import "reflect"

// slab hands out pointers to T that all die at reset. Blocks never move, so pointers stay valid while it grows.
type slab[T any] struct {
	blocks [][]T
	n      int
}

const slabBlock = 256

func (s *slab[T]) next() *T {
	b, i := s.n/slabBlock, s.n%slabBlock
	if b == len(s.blocks) {
		s.blocks = append(s.blocks, make([]T, slabBlock))
	}
	s.n++
	return &s.blocks[b][i]
}

func (s *slab[T]) reset() { s.n = 0 }

type resetter interface{ reset() }

// Node returns memory for one record of operation type T, reused after Reset. The record holds what it held before.
func Node[T any](t *Tape) *T {
	key := reflect.TypeFor[T]()
	s, ok := t.nodes[key].(*slab[T])
	if !ok {
		s = &slab[T]{}
		t.nodes[key] = s
	}
	return s.next()
}
