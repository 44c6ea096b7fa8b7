package serve

import (
	"testing"
	"time"
)

// Many at a strained door are let in late, the one who came last first, and by the door's own clock when nothing else happens.
func TestCrowd(t *testing.T) {
	s, let := atDoor()
	s.q.begin([]*job{{pic: let(1)}})
	s.q.begin([]*job{{pic: let(2)}})
	free := s.now.Add(steady())
	var rung []int
	var at time.Time
	for i := range 8 {
		k := &knocker{came: s.now, most: holdMost, ring: func() { rung, at = append(rung, i), s.now }}
		if in, _, err := s.q.knock(k, &picture{key: [32]byte{byte(10 + i)}}); in || err != nil {
			t.Fatalf("number %d was let in, or away: %v, %v", i, in, err)
		}
		if s.run(time.Millisecond); i == 4 {
			s.run(steady() - s.q.lead() - 9*time.Millisecond) // all eight have come a millisecond before the door rings
		}
	}
	s.run(s.q.lead()) // a millisecond more until a runner is free
	if lead := s.q.lead(); len(rung) != 1 || rung[0] != 7 || free.Sub(at) != lead {
		t.Errorf("rang for %v, %v before a runner is free; want the last one, %v before", rung, free.Sub(at), lead)
	}
}
