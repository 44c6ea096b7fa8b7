package place

import (
	"math"
	"path/filepath"
	"testing"

	"fovea/annotation"
	"fovea/tokenizer"
)

// TestPaliGemma reads answers of the forms that the model gives, and broken ones.
func TestPaliGemma(t *testing.T) {
	words, err := tokenizer.Load(filepath.Join("..", "..", "testdata", "fixtures", "parity", "paligemma"))
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		label string
		box   annotation.Box
	}
	for text, want := range map[string][]object{
		"": nil,
		"<loc0000><loc0000><loc1023><loc1023> red car":               {{"red car", annotation.Box{X1: 1023, Y1: 2046}}},
		"<loc0100><loc0200><loc0700><loc0900> cat":                   {{"cat", annotation.Box{X0: 200, Y0: 200, X1: 900, Y1: 1400}}},
		"<loc0700><loc0900><loc0100><loc0200> cat":                   {{"cat", annotation.Box{X0: 200, Y0: 200, X1: 900, Y1: 1400}}},
		"<loc0100><loc0200><loc0700><loc0900><seg012><seg127> a cat": {{"a cat", annotation.Box{X0: 200, Y0: 200, X1: 900, Y1: 1400}}},
		"<loc0100><loc0200><loc0700><loc0900> cat ; <loc0001><loc0002><loc0003><loc0004> car<eos>": {
			{"cat", annotation.Box{X0: 200, Y0: 200, X1: 900, Y1: 1400}}, {"car", annotation.Box{X0: 2, Y0: 2, X1: 4, Y1: 6}},
		},
		"<loc0100><loc0200><loc0700> cat ; <loc0001><loc0002><loc0003><loc0004> car": {{"car", annotation.Box{X0: 2, Y0: 2, X1: 4, Y1: 6}}},
		"<loc0100><loc0200><loc0100><loc0900> cat":                                   nil, // empty
		"<loc0100><loc0200><loc0300><loc0900>":                                       nil,
		"a cat":                                                                      nil,
	} {
		ids := words.Encode(text)
		chances := make([]float64, len(ids))
		for i := range chances {
			chances[i] = .25
		}
		got := PaliGemma(words, ids, chances, 1023, 2046)
		if len(got) != len(want) {
			t.Errorf("%s: %v, want %v", text, got, want)
			continue
		}
		for i, w := range want {
			if g := got[i]; g.Label != w.label || g.Box != w.box || math.Abs(g.Score-.25) > 1e-9 {
				t.Errorf("%s: %v, want %v", text, g, w)
			}
		}
	}
}

// FuzzPaliGemma: whatever a model writes, places are within the picture and scores are probabilities.
func FuzzPaliGemma(f *testing.F) {
	words, err := tokenizer.Load(filepath.Join("..", "..", "testdata", "fixtures", "parity", "paligemma"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("<loc0100><loc0200><loc0700><loc0900> cat ; <loc0001><loc0002><loc0003><loc0004> car<eos>", .25)
	f.Add("<loc0100><seg001>;a<loc0200>", -1.)
	f.Fuzz(func(t *testing.T, text string, chance float64) {
		ids := words.Encode(text)
		chances := make([]float64, len(ids))
		for i := range chances {
			chances[i] = min(max(chance, 0), 1)
		}
		for _, r := range PaliGemma(words, ids, chances, 640, 480) {
			if b := r.Box; r.Label == "" || b.Empty() || b.X0 < 0 || b.Y0 < 0 || b.X1 > 640 || b.Y1 > 480 || r.Score < 0 || r.Score > 1 {
				t.Fatalf("%q: %+v", text, r)
			}
		}
	})
}
