package serve

import (
	"testing"
	"time"
)

// atDoor is a queue of two runners that knows that an answer takes 40 ms and is strained, at a time that stands still.
func atDoor() (s *simulation, let func(key byte) *picture) {
	s = simulate(18, 2, 0, steady)
	s.q.cost, s.q.idle, s.q.decoding = steady(), steady(), 2*time.Millisecond
	s.q.strained = s.now.Add(time.Hour)
	return s, func(key byte) *picture {
		p := &picture{pixels: 1, key: [32]byte{key}}
		s.q.count(p, 1)
		return p
	}
}

// An answer may arrive, and its request leave, before or after its runner is free: until then what waits has to wait for it.
func TestLeavingBeforeTheRunner(t *testing.T) {
	s, let := atDoor()
	a, b := let(1), let(2)
	endA := s.q.begin([]*job{{pic: a}})
	s.now = s.now.Add(20 * time.Millisecond)
	endB := s.q.begin([]*job{{pic: b}})
	c := let(3)
	s.now = s.now.Add(10 * time.Millisecond)
	want := func(what string, wait time.Duration) {
		t.Helper()
		if got := s.q.wait(); got != wait {
			t.Errorf("%s: the next would wait for %v, want %v", what, got, wait)
		}
	}
	want("two at work, one waits for the first of them", 30*time.Millisecond)
	s.q.count(a, -1)
	want("one has left", 30*time.Millisecond)
	endA()
	s.q.cost = steady() // whatever was learnt
	want("its runner is free for the one who waits", 30*time.Millisecond)
	endC := s.q.begin([]*job{{pic: c}})
	want("who waited has it", 30*time.Millisecond)
	endB()
	want("a runner is free", 0)
	s.q.count(b, -1)
	endC()
	s.q.count(c, -1)
	if s.q.pending != 0 || len(s.q.asked) != 0 {
		t.Errorf("%d pending, %d pictures stay", s.q.pending, len(s.q.asked))
	}
}

// A client that goes does not make its runner free, and whose picture has gone before a runner took it up is work all the same.
func TestGoneAtWork(t *testing.T) {
	s, let := atDoor()
	a, b := let(1), let(2)
	s.q.count(b, -1) // before
	endA, endB := s.q.begin([]*job{{pic: a}}), s.q.begin([]*job{{pic: b}})
	s.q.count(a, -1) // while
	if got := s.q.wait(); got != steady() {
		t.Errorf("the next would wait for %v", got)
	}
	endA()
	endB()
	if s.q.pending != 0 || len(s.q.asked) != 0 {
		t.Errorf("%d pending, %d pictures stay", s.q.pending, len(s.q.asked))
	}
}
