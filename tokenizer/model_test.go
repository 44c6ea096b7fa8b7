package tokenizer

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// table numbers pieces in order.
func table(pieces ...string) map[string]ID {
	ids := map[string]ID{}
	for _, p := range pieces {
		ids[p] = ID(len(ids))
	}
	return ids
}

func ptr[T any](v T) *T { return &v }

// tokens encodes a word and spells the ids.
func tokens(m model, w string) string {
	var out []string
	for _, id := range m.tokenize(nil, w, newScratch()) {
		out = append(out, m.vocab().piece(id))
	}
	return strings.Join(out, " ")
}

func TestBPEOptions(t *testing.T) {
	base := []string{"<unk>", "a", "b", "ab", "abab", "x</w>", "b</w>", "ab</w>", "##b", "xyz"}
	merges := [][2]string{{"a", "b"}, {"ab", "ab"}, {"a", "b</w>"}}
	for _, c := range []struct {
		name       string
		opt        bpeOptions
		extra      []string
		word, want string
	}{
		{"merges", bpeOptions{}, nil, "ababa", "abab a"},
		{"unknown dropped", bpeOptions{}, nil, "aqb", "ab"},
		{"unknown", bpeOptions{UnkToken: ptr("<unk>")}, nil, "aqrb", "a <unk> <unk> b"},
		{"unknown fused", bpeOptions{UnkToken: ptr("<unk>"), FuseUnk: true}, nil, "aqrbq", "a <unk> b <unk>"},
		{"suffix", bpeOptions{Suffix: ptr("</w>")}, nil, "aab", "a ab</w>"},
		{"prefix", bpeOptions{Prefix: ptr("##")}, nil, "ab", "ab"},
		{"byte fallback", bpeOptions{ByteFallback: true, UnkToken: ptr("<unk>")}, []string{"<0xC3>", "<0xA9>"}, "aé", "a <0xC3> <0xA9>"},
		{"byte missing", bpeOptions{ByteFallback: true, UnkToken: ptr("<unk>")}, []string{"<0xC3>"}, "aéb", "a <unk> b"},
		{"ignore merges", bpeOptions{IgnoreMerges: true}, nil, "xyz", "xyz"},
		{"no such piece by merges", bpeOptions{}, nil, "xyz", ""},
	} {
		ids := table(append(slices.Clone(base), c.extra...)...)
		use := merges
		if c.opt.Prefix != nil {
			use = [][2]string{{"a", "##b"}}
		}
		m, err := newBPE(ids, use, c.opt)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got := tokens(m, c.word); got != c.want {
			t.Errorf("%s: %q becomes %q, want %q", c.name, c.word, got, c.want)
		}
	}
}

// TestBPEAgainstNaive compares the heap with repeated search for the best pair.
func TestBPEAgainstNaive(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		ids := table("a", "b", "c")
		pieces := []string{"a", "b", "c"}
		var merges [][2]string
		rank := map[[2]string]int{}
		for range r.IntN(25) {
			p := [2]string{pieces[r.IntN(len(pieces))], pieces[r.IntN(len(pieces))]}
			if _, ok := rank[p]; ok || len(p[0]+p[1]) > 20 {
				continue
			}
			rank[p] = len(merges)
			merges = append(merges, p)
			if _, ok := ids[p[0]+p[1]]; !ok {
				ids[p[0]+p[1]] = ID(len(ids))
				pieces = append(pieces, p[0]+p[1])
			}
		}
		m, err := newBPE(ids, merges, bpeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w := randomText(r, "abc", 1+r.IntN(40))
		want := strings.Split(w, "")
		for {
			at, low := -1, math.MaxInt
			for i := range len(want) - 1 {
				if k, ok := rank[[2]string{want[i], want[i+1]}]; ok && k < low {
					at, low = i, k
				}
			}
			if at < 0 {
				break
			}
			want = slices.Replace(want, at, at+2, want[at]+want[at+1])
		}
		if got := tokens(m, w); got != strings.Join(want, " ") {
			t.Fatalf("merges %q: %q becomes %q, want %q", merges, w, got, want)
		}
	}
}

func TestBPEErrors(t *testing.T) {
	for name, build := range map[string]func() error{
		"merge of strangers": func() error { _, err := newBPE(table("a"), [][2]string{{"a", "b"}}, bpeOptions{}); return err },
		"result missing":     func() error { _, err := newBPE(table("a", "b"), [][2]string{{"a", "b"}}, bpeOptions{}); return err },
		"equal ids":          func() error { _, err := newBPE(map[string]ID{"a": 1, "b": 1}, nil, bpeOptions{}); return err },
		"negative id":        func() error { _, err := newBPE(map[string]ID{"a": -1}, nil, bpeOptions{}); return err },
		"sparse ids":         func() error { _, err := newBPE(map[string]ID{"a": math.MaxInt32}, nil, bpeOptions{}); return err },
		"long piece": func() error {
			_, err := newBPE(table(strings.Repeat("a", maxPiece+1)), nil, bpeOptions{})
			return err
		},
		"dropout": func() error { _, err := newBPE(table("a"), nil, bpeOptions{Dropout: ptr(.1)}); return err },
	} {
		if err := build(); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// TestUnigramAgainstSearch compares Viterbi's score with the best of all segmentations.
func TestUnigramAgainstSearch(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 200 {
		pieces, scores := []string{"<unk>"}, []float64{0}
		for i := range 3 + r.IntN(15) {
			p := randomText(r, "abé", 1+r.IntN(4))
			if i == 0 {
				p = "a"
			}
			if !slices.Contains(pieces, p) {
				pieces, scores = append(pieces, p), append(scores, -r.Float64()*8)
			}
		}
		m, err := newUnigram(pieces, scores, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		w := randomText(r, "abé", 1+r.IntN(9))
		var best func(string) float64
		best = func(s string) float64 {
			if s == "" {
				return 0
			}
			top := math.Inf(-1)
			first := string([]rune(s)[0])
			if !slices.Contains(pieces, first) {
				top = m.unkScore + best(s[len(first):])
			}
			for i, p := range pieces {
				if rest, ok := strings.CutPrefix(s, p); ok {
					top = max(top, scores[i]+best(rest))
				}
			}
			return top
		}
		path := m.viterbi(w, newScratch())
		if got, want := path[len(w)].score, best(w); math.Abs(got-want) > 1e-9 {
			t.Fatalf("%q with %q: score %g, want %g", w, pieces, got, want)
		}
	}
}

func TestUnigramUnknown(t *testing.T) {
	pieces, scores := []string{"<unk>", "▁", "a", "<0xC3>", "<0xA9>"}, []float64{0, -1, -2, -3, -3}
	for _, c := range []struct {
		unk        ID
		fallback   bool
		word, want string
	}{
		{0, false, "▁axya", "▁ a <unk> a"},
		{0, true, "aé", "a <0xC3> <0xA9>"},
		{0, true, "aéx", "a <unk>"}, // <0x78> is missing, and the run is one
		{-1, false, "axa", "a a"},
		{0, false, "<unk>", "<unk>"},
	} {
		m, err := newUnigram(pieces, scores, c.unk, c.fallback)
		if err != nil {
			t.Fatal(err)
		}
		if got := tokens(m, c.word); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
	if _, err := newUnigram(pieces, scores, 5, false); err == nil {
		t.Error("unk_id outside the vocabulary was accepted")
	}
	if m, err := newUnigram(nil, nil, -1, true); err != nil || tokens(m, "a") != "" {
		t.Errorf("an empty vocabulary: %v", err)
	}
}

func TestWordPiece(t *testing.T) {
	m, err := newWordPiece(table("[UNK]", "un", "##aff", "##able", "##a", "aff", "é"), "[UNK]", "##", 10)
	if err != nil {
		t.Fatal(err)
	}
	for w, want := range map[string]string{
		"unaffable": "un ##aff ##able", "aff": "aff", "una": "un ##a", "unx": "[UNK]", "able": "[UNK]", "é": "é", "éa": "é ##a",
		"unaaaaaaaa": "un ##a ##a ##a ##a ##a ##a ##a ##a", "unaaaaaaaaa": "[UNK]",
	} {
		if got := tokens(m, w); got != want {
			t.Errorf("%q becomes %q, want %q", w, got, want)
		}
	}
	if _, err := newWordPiece(table("a"), "[UNK]", "##", 10); err == nil {
		t.Error("a vocabulary without its unknown piece was accepted")
	}
	lone, err := newWordPiece(table("[UNK]", "a"), "[UNK]", "@@", 10)
	if err != nil || tokens(lone, "aa") != "[UNK]" {
		t.Errorf("without continuations aa becomes %q (%v)", tokens(lone, "aa"), err)
	}
}
