package augment

import (
	"math/rand/v2"
	"strings"
	"testing"

	"fovea/annotation"
)

func TestMirrorText(t *testing.T) {
	for _, c := range []struct {
		in, out string
		ok      bool
	}{
		{"is the star left of the ring ?", "is the star right of the ring ?", true},
		{"Right of the person, left of the tree", "Left of the person, right of the tree", true},
		{"left", "right", true},
		{"LEFT", "RIGHT", true},
		{"on the right", "on the left", true},
		{"to the far left", "to the far right", true},
		{"the left-hand side", "the right-hand side", true},
		{"the leftmost cup in her right hand", "the rightmost cup in her left hand", true},
		{"is he facing left or right?", "is he facing right or left?", true},
		{"the bright leftover copyright", "the bright leftover copyright", true},
		{"a dog", "a dog", true},
		{"", "", true},
		{"what is left on the plate?", "", false},
		{"is it on right now?", "", false},
		{"the man left", "", false},
		{"is this the right answer?", "", false},
	} {
		got, ok := mirrorText(c.in)
		want := c.out
		if !c.ok {
			want = c.in
		}
		if got != want || ok != c.ok {
			t.Errorf("%q: %q, %v, want %q, %v", c.in, got, ok, want, c.ok)
		}
		if back, _ := mirrorText(got); ok && back != c.in {
			t.Errorf("%q mirrored twice is %q", c.in, back)
		}
	}
}

func TestMirrorable(t *testing.T) {
	for _, c := range []struct {
		name string
		p    annotation.Picture
		want bool
	}{
		{"nothing", annotation.Picture{}, true},
		{"side in a question", annotation.Picture{Questions: []annotation.Question{{Text: "left of it ?", Answers: []string{"yes"}}}}, true},
		{"odd answer", annotation.Picture{Questions: []annotation.Question{{Text: "who ?", Answers: []string{"he", "the man who left early"}}}}, false},
		{"writing", annotation.Picture{Questions: []annotation.Question{{Text: "What does the sign say?"}}}, false},
		{"clock in a caption", annotation.Picture{Captions: []string{"a dog", "a large Clock"}}, false},
		{"label", annotation.Picture{Objects: []annotation.Object{{Label: "left_shoe"}}}, false},
		{"class", annotation.Picture{Class: "turn right"}, false},
		{"class that only looks alike", annotation.Picture{Class: "bright leftovers"}, true},
		{"joints without a skeleton", annotation.Picture{Objects: []annotation.Object{{Joints: make([]annotation.Joint, 3)}}}, false},
		{"joints", annotation.Picture{Objects: []annotation.Object{{Joints: make([]annotation.Joint, 17), Skeleton: annotation.COCO17}}}, true},
	} {
		if got := mirrorable(&c.p); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSpeaksOfColor(t *testing.T) {
	for _, c := range []struct {
		name string
		p    annotation.Picture
		want bool
	}{
		{"nothing", annotation.Picture{Class: "dog", Captions: []string{"a man with a bored look"}}, false},
		{"object", annotation.Picture{Objects: []annotation.Object{{Color: "red"}}}, true},
		{"question", annotation.Picture{Questions: []annotation.Question{{Text: "What Color is it?"}}}, true},
		{"type", annotation.Picture{Questions: []annotation.Question{{Type: "colour"}}}, true},
		{"answer", annotation.Picture{Questions: []annotation.Question{{Text: "Which one?", Answers: []string{"the left", "light blue"}}}}, true},
		{"caption", annotation.Picture{Captions: []string{"a dog", "a White dog"}}, true},
	} {
		if got := speaksOfColor(&c.p); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestDropWords(t *testing.T) {
	const text = "a man in a red  hat"
	rng := rand.New(rand.NewPCG(1, 2))
	if got := DropWords(rng, text, 0); got != text {
		t.Errorf("nothing dropped: %q", got)
	}
	if a, b := rng.Uint64(), rand.New(rand.NewPCG(1, 2)).Uint64(); a != b {
		t.Error("a share of 0 draws a number, so that older runs would go on differently")
	}
	kept, words := 0, strings.Fields(text)
	for range 2000 {
		got := strings.Fields(DropWords(rng, text, .4))
		kept += len(got)
		at := 0
		for _, w := range got { // in their order
			for at < len(words) && words[at] != w {
				at++
			}
			at++
		}
		if at > len(words) || len(got) == 0 {
			t.Fatalf("%q of %q", got, text)
		}
	}
	// Standard error .005; the one word that is always kept adds less than .001.
	if share := float64(kept) / float64(2000*len(words)); share < .58 || share > .62 {
		t.Errorf("%.3f of the words stay, want .6", share)
	}
	if got := DropWords(rng, text, 1); len(strings.Fields(got)) != 1 {
		t.Errorf("all dropped: %q, want one word", got)
	}
	if got := DropWords(rng, " ", .5); got != "" {
		t.Errorf("of nothing: %q", got)
	}
}

func FuzzMirrorText(f *testing.F) {
	for _, s := range []string{"is it left of the ring ?", "LEFT or right", "RiGhT", "what is left ?", "\xffleft-most", "the leftmost on the right", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, ok := mirrorText(s)
		if !ok {
			if m != s {
				t.Fatalf("%q is refused and changed to %q", s, m)
			}
			return
		}
		// Mirrored twice, only the case of oddly written sides may differ.
		back, ok := mirrorText(m)
		if !ok || !strings.EqualFold(back, s) || len(strings.Fields(m)) != len(strings.Fields(s)) {
			t.Fatalf("%q mirrored is %q, and again %q, %v", s, m, back, ok)
		}
	})
}
