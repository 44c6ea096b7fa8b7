package tokenizer

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func randomText(r *rand.Rand, alphabet string, n int) string {
	runes := []rune(alphabet)
	var b strings.Builder
	for range n {
		b.WriteRune(runes[r.IntN(len(runes))])
	}
	return b.String()
}

func TestTrieAgainstSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		keys := map[string]ID{}
		for range r.IntN(40) {
			keys[randomText(r, "abcé▁", r.IntN(5))] = ID(len(keys))
		}
		tr := newTrie(keys)
		text := randomText(r, "abcdé▁", 30)
		from := r.IntN(len(text))
		wantStart, wantEnd := -1, -1
		for i := from; i < len(text) && wantStart < 0; i++ {
			for k := range keys {
				if k != "" && strings.HasPrefix(text[i:], k) && i+len(k) > wantEnd {
					wantStart, wantEnd = i, i+len(k)
				}
			}
		}
		id, start, end := tr.find(text, from)
		if start != wantStart || end != wantEnd {
			t.Fatalf("find(%q, %d) in %v = %d:%d, want %d:%d", text, from, keys, start, end, wantStart, wantEnd)
		}
		if start >= 0 && keys[text[start:end]] != id {
			t.Fatalf("find gives %d for %q, want %d", id, text[start:end], keys[text[start:end]])
		}
	}
}

func TestTrieWide(t *testing.T) {
	keys := map[string]ID{}
	for b := range 128 {
		keys["x"+string(rune(b))] = ID(b)
	}
	tr := newTrie(keys)
	for k, id := range keys {
		if got, n := tr.longest(0, k+"tail"); got != id || n != 2 {
			t.Errorf("longest(%q) = %d, %d; want %d, 2", k, got, n, id)
		}
	}
	if tr.walk("y") >= 0 || tr.walk("x") <= 0 {
		t.Error("walk finds y, or misses x")
	}
}
