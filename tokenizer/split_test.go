package tokenizer

import (
	"slices"
	"strings"
	"testing"
)

func splitWith(t *testing.T, spec, text string) string {
	t.Helper()
	s, err := parseSplitter([]byte(spec), 0)
	if err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	var out []string
	for _, w := range s.split(nil, word{text, true}) {
		out = append(out, w.text)
	}
	return strings.Join(out, "|")
}

func TestSplitters(t *testing.T) {
	split := func(behavior string) string {
		return `{"type":"Split","pattern":{"String":"-"},"behavior":"` + behavior + `","invert":false}`
	}
	const byteLevel = `{"type":"ByteLevel","add_prefix_space":false}`
	for _, c := range []struct{ spec, text, want string }{
		{split("Removed"), "the-final--countdown", "the|final|countdown"},
		{split("Isolated"), "the-final--countdown", "the|-|final|-|-|countdown"},
		{split("MergedWithPrevious"), "the-final--countdown", "the-|final-|-|countdown"},
		{split("MergedWithNext"), "the-final--countdown", "the|-final|-|-countdown"},
		{split("Contiguous"), "the-final--countdown", "the|-|final|--|countdown"},
		{split("MergedWithNext"), "-a-", "-a|-"},
		{split("MergedWithPrevious"), "-a-", "-|a-"},
		{`{"type":"Split","pattern":{"Regex":"[a-z]+"},"behavior":"Removed","invert":true}`, "ab, cd", "ab|cd"},
		{byteLevel, "Hello  it's 12 é", "Hello|Ġ|Ġit|'s|Ġ12|ĠÃ©"},
		{`{"type":"ByteLevel","add_prefix_space":true}`, "a b", "Ġa|Ġb"},
		{`{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}`, "a b", "aĠb"},
		{`{"type":"Digits","individual_digits":true}`, "a12½", "a|1|2|½"},
		{`{"type":"Digits","individual_digits":false}`, "a12½b", "a|12½|b"},
		{`{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},` + byteLevel + `]}`, " 12", "Ġ|1|2"},
		{`{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"}`, "a  b", "▁a|▁|▁b"},
		{`{"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":false}`, "a b", "a▁b"},
		{`{"type":"Metaspace","replacement":"▁","add_prefix_space":false}`, "a b", "a|▁b"},
		{`{"type":"BertPreTokenizer"}`, "don't  stop!", "don|'|t|stop|!"},
		{`{"type":"Whitespace"}`, "a_b, c!?", "a_b|,|c|!?"},
		{`{"type":"WhitespaceSplit"}`, " a,\tb ", "a,|b"},
		{`{"type":"Punctuation"}`, "a.b", "a|.|b"},
		{`{"type":"CharDelimiterSplit","delimiter":"é"}`, "aébé", "a|b"},
		{`{"type":"Sequence","pretokenizers":[]}`, "a b", "a b"},
	} {
		if got := splitWith(t, c.spec, c.text); got != c.want {
			t.Errorf("%s\n splits %q into %q, want %q", c.spec, c.text, got, c.want)
		}
	}
}

// TestMetaspaceFirst puts the mark only where the text begins, not after an added piece.
func TestMetaspaceFirst(t *testing.T) {
	m := &metaspace{mark: "▁", prepend: "first", cut: true}
	got := m.split(m.split(nil, word{"a b", true}), word{"a b", false})
	want := []word{{"▁a", true}, {"▁b", false}, {"a", false}, {"▁b", false}}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSplitterErrors(t *testing.T) {
	deep := strings.Repeat(`{"type":"Sequence","pretokenizers":[`, 20) + strings.Repeat(`]}`, 20)
	for _, spec := range []string{
		`{"type":"Nonsense"}`, `[]`, `{"type":"Split","pattern":{},"behavior":"Isolated"}`, deep,
		`{"type":"Split","pattern":{"String":"-"},"behavior":"Sideways"}`, `{"type":"CharDelimiterSplit","delimiter":""}`,
		`{"type":"Metaspace","replacement":"ab"}`, `{"type":"Metaspace","replacement":"▁","prepend_scheme":"often"}`,
	} {
		if _, err := parseSplitter([]byte(spec), 0); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: ") {
			t.Errorf("%.80s: error %v", spec, err)
		}
	}
}
