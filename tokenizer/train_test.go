package tokenizer

import (
	"bytes"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func train(t *testing.T, opt TrainOptions, texts ...string) *Pipeline {
	t.Helper()
	p, err := Train(slices.Values(texts), opt)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// learnt is the pieces after the 256 bytes and the special pieces.
func learnt(p *Pipeline, specials int) string {
	return strings.Join(p.model.vocab().pieces[256+specials:], " ")
}

func TestTrain(t *testing.T) {
	for _, c := range []struct {
		name  string
		opt   TrainOptions
		texts []string
		want  string
	}{
		{"most frequent first", TrainOptions{VocabSize: 259}, []string{"abab abab", "ab xy"}, "ab abab xy"},
		{"ties to lower ids", TrainOptions{VocabSize: 258}, []string{"cd", "ab"}, "ab cd"},
		{"minimum", TrainOptions{VocabSize: 300, MinFrequency: 2}, []string{"ab", "ab", "cd"}, "ab"},
		{"text runs out", TrainOptions{VocabSize: 300}, []string{"abc"}, "ab abc"},
		{"overlap", TrainOptions{VocabSize: 258}, []string{"aaaaa"}, "aa aaa"},
		{"specials are not learnt", TrainOptions{VocabSize: 260, Specials: []string{"<x>"}}, []string{"<x><x><x>", "ab"}, "ab"},
		{"no pair becomes special", TrainOptions{VocabSize: 261, Specials: []string{"of"}, Clean: CleanAll()}, []string{"OFF OFF"}, "ff off Ġoff"},
		{"cleaned", TrainOptions{VocabSize: 257, Clean: CleanAll()}, []string{" AB ", "ab"}, "ab"},
		{"no room", TrainOptions{VocabSize: 256}, []string{"ab"}, ""},
	} {
		p := train(t, c.opt, c.texts...)
		if got := learnt(p, len(c.opt.Specials)); got != c.want {
			t.Errorf("%s: learnt %q, want %q", c.name, got, c.want)
		}
	}
}

// TestTrainReference holds training against the reference's trainer: the same vocabulary and merges. The fixture
// "trained" was made by tokenizers 0.23.3 from the texts of the fixture "clip".
func TestTrainReference(t *testing.T) {
	want, err := Load(filepath.Join(ownFixtures(t), "tokenizer", "trained"))
	if err != nil {
		t.Fatal(err)
	}
	got := train(t, TrainOptions{VocabSize: 500, MinFrequency: 2, Specials: []string{"<ask>", "<end>"}}, texts(t, "clip")...)
	a, b := got.model.(*bpe), want.model.(*bpe)
	if !slices.Equal(a.voc.pieces, b.voc.pieces) {
		t.Errorf("pieces\n got %q\nwant %q", a.voc.pieces, b.voc.pieces)
	}
	if x, y := rankOrder(a.merges), rankOrder(b.merges); !slices.Equal(x, y) {
		t.Errorf("merges differ: %d and %d", len(x), len(y))
	}
}

// TestTrainedSegmentation requires encoding a word of the training text to give the pieces that training left it with,
// and counts to be those of these pieces.
func TestTrainedSegmentation(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 100 {
		tr := newTrainer(table(alphabet()...))
		counts := map[string]int64{}
		for range 30 {
			counts[randomText(r, "aabcd", 1+r.IntN(12))] += int64(1 + r.IntN(20))
		}
		tr.addWords(counts)
		tr.learn(256+10+r.IntN(60), 1)
		m, err := newBPE(tr.ids, tr.merges, bpeOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(tr.merges) != len(m.merges) || len(tr.merges) != len(tr.pieces)-256 {
			t.Fatalf("a pair or a piece was made twice: %q", tr.merges)
		}
		left := map[uint64]int64{}
		for _, w := range tr.words {
			var text strings.Builder
			for i, id := range w.pieces {
				if i > 0 {
					left[pair(w.pieces[i-1], id)] += w.count
				}
				text.WriteString(tr.pieces[id])
			}
			if got := m.tokenize(nil, text.String(), newScratch()); !slices.Equal(got, w.pieces) {
				t.Fatalf("merges %q: %q becomes %v, training left %v", tr.merges, text.String(), got, w.pieces)
			}
		}
		for k, s := range tr.pairs {
			if s.count != left[k] {
				t.Fatalf("pair %x counts %d, is there %d times", k, s.count, left[k])
			}
		}
	}
}

func TestTrainDeterministic(t *testing.T) {
	opt := TrainOptions{VocabSize: 700, Specials: []string{"<pad>", "<end>"}, Clean: CleanAll()}
	all := texts(t, "clip", "gpt2")
	var first, second bytes.Buffer
	if err := train(t, opt, all...).Write(&first); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(all)
	if err := train(t, opt, all...).Write(&second); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the order of the texts changes the result")
	}
}

// TestTrainedRoundTrip goes the native model's way: train, extend, save, load, encode, decode.
func TestTrainedRoundTrip(t *testing.T) {
	specials := []string{"<pad>", "<classify>", "<detect>", "<pose>", "<ask>", "<caption>", "<match>", "<end>"}
	all := texts(t, "gpt2")
	p, err := train(t, TrainOptions{VocabSize: 600, Specials: specials}, all...).Extend("<loc0>", "<loc1>")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), fileJSON)
	if err := p.Save(path); err != nil {
		t.Fatal(err)
	}
	q, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range specials {
		if id, ok := q.Token(s); !ok || id != ID(i) || !q.Special(id) {
			t.Errorf("%s has id %d", s, id)
		}
	}
	if id, _ := q.Token("<loc1>"); q.Size() != 602 || id != 601 {
		t.Errorf("size %d, <loc1> is %d", q.Size(), id)
	}
	for _, text := range all {
		ids := q.EncodeLiteral(text)
		if !slices.Equal(ids, p.EncodeLiteral(text)) {
			t.Errorf("loaded, %q becomes %v", text, ids)
		}
		if got := q.Decode(ids, true); got != text {
			t.Errorf("%q comes back as %q", text, got)
		}
	}
	if got := spell(q, q.Encode("<detect><loc0>")); got != "<detect> <loc0>" {
		t.Errorf("got %q", got)
	}
}

// TestTrainLongWords keeps pieces within the limit, so that a run of one character does not become a piece of its own.
func TestTrainLongWords(t *testing.T) {
	p := train(t, TrainOptions{VocabSize: 400}, strings.Repeat("-", 5000), strings.Repeat("-", 5000))
	longest := 0
	for _, piece := range p.model.vocab().pieces {
		longest = max(longest, len(piece))
	}
	if longest != maxTrained {
		t.Errorf("the longest piece has %d bytes, want %d", longest, maxTrained)
	}
}

func TestTrainErrors(t *testing.T) {
	for name, c := range map[string]struct {
		opt   TrainOptions
		texts []string
	}{
		"too small":     {TrainOptions{VocabSize: 256, Specials: []string{"<x>"}}, []string{"a"}},
		"twice":         {TrainOptions{VocabSize: 300, Specials: []string{"<x>", "<x>"}}, []string{"a"}},
		"a byte":        {TrainOptions{VocabSize: 300, Specials: []string{"a"}}, []string{"a"}},
		"empty special": {TrainOptions{VocabSize: 300, Specials: []string{""}}, []string{"a"}},
		"no UTF-8":      {TrainOptions{VocabSize: 300, Specials: []string{"\xff"}}, []string{"a"}},
		"long special":  {TrainOptions{VocabSize: 300, Specials: []string{strings.Repeat("x", 5000)}}, []string{"a"}},
		"no text":       {TrainOptions{VocabSize: 300}, nil},
		"empty text":    {TrainOptions{VocabSize: 300, Clean: CleanAll()}, []string{"", " \n"}},
	} {
		if _, err := Train(slices.Values(c.texts), c.opt); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: ") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
