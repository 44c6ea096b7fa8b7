package autograd

import "sync"

// sides are tapes for work that goes side by side.
type sides struct {
	mu   sync.Mutex
	all  []*Tape
	free []*Tape
	lost any // what a call panicked with
}

// Side calls f once for each i < n, spread over the threads of a tape that does not train. Each call has a tape of its own; what
// it makes there dies when it returns. A panic of a call is the caller's, once all others are done.
func (t *Tape) Side(n int, f func(side *Tape, i int)) {
	s := &t.sides
	t.Work.Run(n, func(i int) {
		side := s.take(t)
		defer s.give(side)
		f(side, i)
	})
	if p := s.lost; p != nil {
		s.lost = nil
		panic(p)
	}
}

// take returns the tape that was used last, whose memory is most likely in a cache.
func (s *sides) take(t *Tape) *Tape {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.free); n > 0 {
		side := s.free[n-1]
		s.free = s.free[:n-1]
		return side
	}
	side := NewTape(t.Work.Alone(), t.Replica, false)
	s.all = append(s.all, side)
	return side
}

func (s *sides) give(side *Tape) {
	p := recover()
	side.Reset()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, side)
	if s.lost == nil {
		s.lost = p
	}
}

// held is the memory of all of them.
func (s *sides) held() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, t := range s.all {
		n += t.Held()
	}
	return n
}
