package grammar

import (
	"encoding/binary"
	"math"
	"slices"
)

// thread is one way to read what has been written: a place in a value, and who goes on after it.
type thread struct {
	n    *node
	at   int32 // place, by kind
	x, y int32 // how far there
	up   *frame
}

// frame is the state of a value while another one inside it is being written.
type frame struct {
	thread
	rest int // least bytes from there to the end of the text
}

// state is what may come next: a set of threads, and whether the text may end here.
type state struct {
	threads []thread
	done    bool
}

// maxThreads bounds the ways to read a text that are followed; those that take longest to complete are given up. A schema has
// to be very ambiguous for that.
const maxThreads = 256

// begin is the state before the first byte.
func (s *Schema) begin() (b state) {
	b.enter(s.root, nil)
	return b
}

// enter adds the beginnings of a value.
func (s *state) enter(n *node, up *frame) {
	if n.kind != choice {
		s.threads = append(s.threads, thread{n: n, y: int32(len(n.literals)), up: up})
		return
	}
	for _, o := range n.any {
		s.enter(o, up)
	}
}

// leave goes on after a value.
func (s *state) leave(up *frame) {
	if up == nil {
		s.done = true
		return
	}
	s.threads = append(s.threads, up.thread)
}

// push is a frame for a value inside t.
func push(t thread) *frame { return &frame{t, t.rest()} }

// next is the state after a byte; its threads are put into scratch. Without threads, and not done, b may not come.
func (s *state) next(b byte, scratch []thread) (out state) {
	out.threads = scratch[:0]
	for _, t := range s.threads {
		switch t.n.kind {
		case literal:
			t.literal(b, &out)
		case text:
			t.text(b, &out)
		case integer, number:
			t.number(b, &out)
		case object:
			t.object(b, &out)
		case array:
			t.array(b, &out)
		}
	}
	if len(out.threads) > maxThreads {
		slices.SortStableFunc(out.threads, func(a, b thread) int { return a.rest() - b.rest() })
		out.threads = out.threads[:maxThreads]
	}
	return out
}

// rest is the least number of bytes that complete the text.
func (s *state) rest() int {
	if s.done {
		return 0
	}
	least := never
	for i := range s.threads {
		least = min(least, s.threads[i].rest())
	}
	return least
}

// key tells states apart.
func (s *state) key() string {
	b := []byte{0}
	if s.done {
		b[0] = 1
	}
	for i := range s.threads {
		for t := &s.threads[i]; ; t = &t.up.thread {
			b = binary.AppendUvarint(b, uint64(t.n.id))
			b = binary.AppendVarint(b, int64(t.at))
			b = binary.AppendVarint(b, int64(t.x))
			b = binary.AppendVarint(b, int64(t.y))
			if t.up == nil {
				break
			}
		}
		b = append(b, math.MaxUint8)
	}
	return string(b)
}

// rest is the least number of bytes that complete the text by this thread.
func (t *thread) rest() int {
	here := 0
	switch t.n.kind {
	case literal:
		here = never
		for _, s := range t.n.literals[t.x:t.y] {
			here = min(here, len(s)-int(t.at))
		}
	case text:
		here = int(textRest[t.at])
	case integer, number:
		here = int(numberRest[t.at])
	case object:
		here = t.objectRest()
	case array:
		here = t.arrayRest()
	}
	if t.up == nil {
		return here
	}
	return plus(here, t.up.rest)
}
