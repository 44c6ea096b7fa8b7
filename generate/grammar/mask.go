package grammar

import (
	"fmt"
	"slices"
	"sync"
)

// mask is what may follow in a state.
type mask struct {
	plain bool // all tokens that stay within a text; they leave its rest as it is
	rest  int
	ids   []int32 // and these, ascending; some of the former may be among them, when they leave less
	rests []int   // after each
}

// masks remembers those of a schema.
type masks struct {
	mu   sync.Mutex
	of   map[maskKey]*mask
	size int // ids
}

type maskKey struct {
	v     *Vocabulary
	state string
}

// maxRemembered bounds the ids that the masks of one schema hold: 64 MB.
const maxRemembered = 4 << 20

// mask finds what may follow in a state.
func (s *Schema) mask(v *Vocabulary, at state) *mask {
	key := maskKey{v, at.key()}
	s.masks.mu.Lock()
	m := s.masks.of[key]
	s.masks.mu.Unlock()
	if m != nil {
		return m
	}
	m = newMask(v, at)
	s.masks.mu.Lock()
	defer s.masks.mu.Unlock()
	if s.masks.size += len(m.ids); s.masks.of == nil || s.masks.size > maxRemembered {
		s.masks.of, s.masks.size = map[maskKey]*mask{}, len(m.ids)
	}
	s.masks.of[key] = m
	return m
}

// newMask walks the vocabulary. Within texts, where nearly all of it may follow, only tokens that leave a text are walked, and
// for the other threads those that do not.
func newMask(v *Vocabulary, at state) *mask {
	m := &mask{rest: never}
	var inside, elsewhere state
	for _, t := range at.threads {
		if t.n.kind == text && t.at == textPlain {
			inside.threads = append(inside.threads, t)
		} else {
			elsewhere.threads = append(elsewhere.threads, t)
		}
	}
	least := map[int32]int{}
	see := func(ids []int32, after *state) {
		left := after.rest()
		for _, id := range ids {
			if was, ok := least[id]; !ok || left < was {
				least[id] = left
			}
		}
	}
	if m.plain = len(inside.threads) > 0; m.plain {
		m.rest = inside.rest()
		v.others.walk(inside, see)
	}
	if len(elsewhere.threads) > 0 {
		v.all.walk(elsewhere, see)
	}
	for id, left := range least {
		if left < never {
			m.ids = append(m.ids, id)
		}
	}
	slices.Sort(m.ids)
	for _, id := range m.ids {
		m.rests = append(m.rests, least[id])
	}
	return m
}

// Text is one text that is being written, or several of which each begins as another has: beams. It serves one goroutine.
type Text struct {
	schema *Schema
	v      *Vocabulary
	most   int // tokens
	ends   []int32

	ids  []int32 // the last prefix
	path []state // before each of ids, and after the last
	list []int32
}

// Text begins a text of at most so many tokens, which any of ends may end once it is complete. It says what is wrong when that
// cannot be.
func (s *Schema) Text(v *Vocabulary, maxTokens int, ends []int32) (*Text, error) {
	if maxTokens < s.Least() {
		return nil, fmt.Errorf("grammar: the shortest text of the schema has %d bytes, and at most %d tokens may be written", s.Least(), maxTokens)
	}
	for _, n := range s.nodes {
		list := n.literals
		for _, p := range n.props {
			list = append(list[:len(list):len(list)], p.key)
		}
		for _, l := range list {
			if !v.writes(l) {
				return nil, fmt.Errorf("grammar: the model cannot write %s: its vocabulary lacks a character of it", l)
			}
		}
	}
	return &Text{schema: s, v: v, most: maxTokens, ends: ends, path: []state{s.begin()}}, nil
}

// Allow gives the tokens that may follow prefix, ascending; none when the text is complete. The list is valid until the next
// call. It is a generate.Config.Allow.
func (t *Text) Allow(prefix []int32) []int32 {
	at := t.after(prefix)
	t.list = t.list[:0]
	if len(at.threads) > 0 {
		t.list = t.schema.mask(t.v, at).within(t.most-len(prefix)-1, t.v.plain, t.list)
		if at.done {
			t.list = append(t.list, t.ends...)
			slices.Sort(t.list)
		}
	}
	if t.list == nil {
		t.list = []int32{}
	}
	return t.list
}

// within appends the tokens after which the text can be completed with so many more.
func (m *mask) within(left int, plain, list []int32) []int32 {
	if !m.plain || m.rest > left {
		plain = nil
	}
	for i, id := range m.ids {
		if m.rests[i] > left {
			continue
		}
		for len(plain) > 0 && plain[0] <= id {
			if plain[0] < id {
				list = append(list, plain[0])
			}
			plain = plain[1:]
		}
		list = append(list, id)
	}
	return append(list, plain...)
}

// after is the state after some tokens; without threads when they do not fit the schema.
func (t *Text) after(prefix []int32) state {
	same := 0
	for same < min(len(prefix), len(t.ids)) && prefix[same] == t.ids[same] {
		same++
	}
	t.ids, t.path = append(t.ids[:same], prefix[same:]...), t.path[:same+1]
	for _, id := range prefix[same:] {
		s := t.path[len(t.path)-1]
		if id >= 0 && int(id) < len(t.v.tokens) {
			for _, b := range t.v.tokens[id] {
				s = s.next(b, nil)
			}
		}
		t.path = append(t.path, s)
	}
	return t.path[len(prefix)]
}

// Complete reports that a text fits the schema as far as this package writes it: see the package's comment.
func (s *Schema) Complete(text []byte) bool {
	at := s.begin()
	for _, b := range text {
		at = at.next(b, nil)
	}
	return at.done
}
