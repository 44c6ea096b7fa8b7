package tokenizer

import "strings"

// Bounds of the memory that an encoder keeps between texts.
const (
	cacheWords    = 1 << 13 // words remembered; the table starts afresh when it is full
	cacheWordLen  = 64      // bytes of a word worth remembering
	scratchRetain = 1 << 16 // elements; larger work slices are left to the garbage collector
)

// scratch is the working memory of one Encode call, pooled so that calls in parallel do not share it. Its cache maps a
// word, after normalising and splitting, to its ids: most words of a text are repetitions.
type scratch struct {
	words   []word
	symbols []ID
	next    []int32
	prev    []int32
	heap    minHeap
	path    []best
	cuts    []int32
	cache   map[string][]ID
}

func newScratch() *scratch { return &scratch{cache: make(map[string][]ID)} }

// encodeWord appends the ids of a word, from the cache if it has them.
func (s *scratch) encodeWord(dst []ID, m model, w string) []ID {
	if len(w) > cacheWordLen {
		return m.tokenize(dst, w, s)
	}
	if ids, ok := s.cache[w]; ok {
		return append(dst, ids...)
	}
	start := len(dst)
	dst = m.tokenize(dst, w, s)
	if len(s.cache) >= cacheWords {
		clear(s.cache)
	}
	s.cache[strings.Clone(w)] = append([]ID(nil), dst[start:]...)
	return dst
}

// links returns the doubly linked list 0 ↔ 1 ↔ … ↔ n-1; its ends point to n and -1.
func (s *scratch) links(n int) (next, prev []int32) {
	if cap(s.next) < n {
		s.next, s.prev = make([]int32, n), make([]int32, n)
	}
	next, prev = s.next[:n], s.prev[:n]
	for i := range next {
		next[i], prev[i] = int32(i+1), int32(i-1)
	}
	return next, prev
}

// table returns n empty Viterbi entries.
func (s *scratch) table(n int) []best {
	if cap(s.path) < n {
		s.path = make([]best, n)
	}
	path := s.path[:n]
	for i := range path {
		path[i].start = -1
	}
	return path
}

// release drops the work slices of an exceptionally long text.
func (s *scratch) release() {
	if max(cap(s.words), cap(s.symbols), cap(s.next), cap(s.heap), cap(s.path), cap(s.cuts)) > scratchRetain {
		*s = scratch{cache: s.cache}
	}
}
