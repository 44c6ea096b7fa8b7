package tokenizer

import (
	"slices"
	"strings"
	"sync"
	"testing"
)

// spell encodes text and writes the pieces with spaces between them.
func spell(p *Pipeline, ids []ID) string {
	var out []string
	for _, id := range ids {
		out = append(out, p.Piece(id))
	}
	return strings.Join(out, " ")
}

// letters is a tokenizer with a piece for each letter a…e and for the space, and the stages of f.
func letters(t *testing.T, f file) *Pipeline {
	t.Helper()
	m, err := newBPE(table("a", "b", "c", "d", "e", " "), nil, bpeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := assemble(f, m)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAddedTokens(t *testing.T) {
	p := letters(t, file{
		Normalizer: []byte(`{"type":"Lowercase"}`),
		AddedTokens: []AddedToken{
			{ID: 6, Content: "<x>", Special: true},
			{ID: 7, Content: "<x><y>", Special: true},
			{ID: 8, Content: "word", SingleWord: true},
			{ID: 9, Content: "<l>", LStrip: true, Special: true},
			{ID: 10, Content: "<r>", RStrip: true, Special: true},
			{ID: 11, Content: "ABC", Normalized: true},
			{ID: 99, Content: "e"}, // the model's id counts
		},
	})
	for text, want := range map[string]string{
		"a<x>b":           "a <x> b",
		"<x><y><x>":       "<x><y> <x>", // the longest wins
		"a word b":        "a   word   b",
		"aword wordb":     "a d   d b",
		"a \t<l> b":       "a <l>   b",
		"a <r>\n b":       "a   <r> b",
		"<r>  <l>a":       "<r> <l> a",
		"abc aBcabc":      "ABC   ABC ABC", // found after lower-casing
		"a<X>":            "a",             // not found before it
		"c<x":             "c",
		"":                "",
		"\xffa<x>\xc3b":   "a <x> b",
		"word":            "word",
		"word<x>word éab": "word <x> word   a b",
	} {
		if got := spell(p, p.Encode(text)); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	if got := spell(p, p.EncodeLiteral("a<x>b word <l>")); got != "a b   word  " {
		t.Errorf("EncodeLiteral finds special pieces: %q", got)
	}
	if got := p.Decode([]ID{0, 6, 11, -1, 1000, 1}, true); got != "a abc b" {
		t.Errorf("Decode gives %q", got)
	}
	if id, ok := p.Token("e"); id != 4 || !ok {
		t.Errorf("Token(e) = %d, %v", id, ok)
	}
	if p.Size() != 12 || p.Special(8) || !p.Special(6) || p.Special(-1) || p.Piece(11) != "ABC" || p.Piece(12) != "" {
		t.Error("Size, Special or Piece is wrong")
	}
}

func TestAddedTokenErrors(t *testing.T) {
	m, err := newBPE(table("a", "b"), nil, bpeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tokens := range [][]AddedToken{
		{{ID: 0, Content: "x"}},
		{{ID: 2, Content: "x"}, {ID: 2, Content: "y"}},
		{{ID: -1, Content: "x"}},
		{{ID: 1 << 30, Content: "x"}},
		{{ID: 2, Content: strings.Repeat("x", maxPiece+1)}},
	} {
		if _, err := assemble(file{AddedTokens: tokens}, m); err == nil {
			t.Errorf("%+.40v was accepted", tokens)
		}
	}
}

func TestExtend(t *testing.T) {
	p := letters(t, file{AddedTokens: []AddedToken{{ID: 6, Content: "<x>", Special: true}}})
	q, err := p.Extend("<loc0>", "<loc1>", "<x>", "a", "<loc0>")
	if err != nil {
		t.Fatal(err)
	}
	if q.Size() != 9 || p.Size() != 7 {
		t.Errorf("sizes %d and %d, want 9 and 7", q.Size(), p.Size())
	}
	if got := q.Encode("<loc1>b<loc0><x>a"); !slices.Equal(got, []ID{8, 1, 7, 6, 0}) {
		t.Errorf("got %v", got)
	}
	if !q.Special(7) || !q.Special(0) || p.Special(0) {
		t.Error("Special is wrong after Extend")
	}
	for _, bad := range []string{"", "\xff"} {
		if _, err := p.Extend(bad); err == nil {
			t.Errorf("Extend(%q) was accepted", bad)
		}
	}
}

// TestConcurrent requires encoding in parallel to equal encoding alone.
func TestConcurrent(t *testing.T) {
	p := loadFixture(t, "qwen2")
	all := texts(t, "clip", "gpt2")
	want := make([][]ID, len(all))
	for i, text := range all {
		want[i] = p.Encode(text)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, text := range all {
				if got := p.Encode(text); !slices.Equal(got, want[i]) {
					t.Errorf("%q: got %v, want %v", text, got, want[i])
				}
			}
		})
	}
	wg.Wait()
}

// TestCacheBounded encodes more words than the cache holds, and words too long for it.
func TestCacheBounded(t *testing.T) {
	p := loadFixture(t, "qwen2")
	s := newScratch()
	for i := range 3 * cacheWords {
		w := "w" + strings.Repeat("x", i%200) + string(rune('a'+i%26)) + string(rune(0x4E00+i%5000))
		got := s.encodeWord(nil, p.model, byteLevel(w))
		if i%97 == 0 && !slices.Equal(got, p.model.tokenize(nil, byteLevel(w), newScratch())) {
			t.Fatalf("the cache changes %q", w)
		}
		if len(s.cache) > cacheWords {
			t.Fatalf("the cache holds %d words", len(s.cache))
		}
	}
	p.append(nil, strings.Repeat("a", scratchRetain*2), false)
	s.links(scratchRetain * 2)
	s.release()
	if cap(s.next) != 0 || len(s.cache) == 0 {
		t.Error("release keeps large slices, or drops the cache")
	}
}
