package tokenizer

import "testing"

func TestCleanApply(t *testing.T) {
	for _, c := range []struct {
		clean      Clean
		text, want string
	}{
		{Clean{}, " A\x00\te\u0301 \xff", " A\x00\te\u0301 \uFFFD"},
		{Clean{Controls: true}, "a\x00\x1b\x7f\u0085\u0080b\t\n", "a\u0085b\t\n"},
		{Clean{NFC: true}, "cafe\u0301 \u212B", "café Å"},
		{Clean{Spaces: true}, "\u3000 a \t\n b\u00a0", "a b"},
		{Clean{Lowercase: true}, "ÀΣ İ ẞ", "àσ i\u0307 ß"},
		{CleanAll(), "  What\x00 is\n\nTHIS?  ", "what is this?"},
		{CleanAll(), "", ""},
		{CleanAll(), " \n ", ""},
		{CleanAll(), "a \x01 b", "a b"},
	} {
		if got := c.clean.Apply(c.text); got != c.want {
			t.Errorf("%+v.Apply(%q) = %q, want %q", c.clean, c.text, got, c.want)
		}
	}
}

// TestCleanSpec requires the normalizer that is saved to do what Clean does.
func TestCleanSpec(t *testing.T) {
	texts := texts(t, "clip", "gpt2")
	for bits := range 16 {
		c := Clean{bits&1 > 0, bits&2 > 0, bits&4 > 0, bits&8 > 0}
		n, err := parseNormalizer(c.spec(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if n == nil {
			n = normalizers{}
		}
		for _, text := range texts {
			if got, want := n.normalize(text), c.Apply(text); got != want {
				t.Errorf("%+v: the saved normalizer makes %q of %q, want %q", c, got, text, want)
			}
		}
		if again := c.Apply(c.Apply(texts[40])); again != c.Apply(texts[40]) {
			t.Errorf("%+v is not idempotent on %q", c, texts[40])
		}
	}
}
