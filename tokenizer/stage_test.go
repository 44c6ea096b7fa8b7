package tokenizer

import (
	"encoding/base64"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

func TestNormalizers(t *testing.T) {
	for _, c := range []struct{ spec, text, want string }{
		{`{"type":"NFC"}`, "e\u0301", "é"},
		{`{"type":"NFD"}`, "é", "e\u0301"},
		{`{"type":"NFKC"}`, "ﬁ①e\u0301", "fi1é"},
		{`{"type":"NFKD"}`, "ﬁé", "fie\u0301"},
		{`{"type":"Lowercase"}`, "AΣİ", "aσi\u0307"},
		{`{"type":"StripAccents"}`, "e\u0301é", "eé"},
		{`{"type":"Strip","strip_left":true,"strip_right":false}`, "\u3000 a ", "a "},
		{`{"type":"Strip","strip_left":false,"strip_right":true}`, " a \n", " a"},
		{`{"type":"Prepend","prepend":"▁"}`, "a", "▁a"},
		{`{"type":"Prepend","prepend":"▁"}`, "", ""},
		{`{"type":"Replace","pattern":{"String":" "},"content":"▁"}`, " a  b", "▁a▁▁b"},
		{`{"type":"Replace","pattern":{"Regex":" {2,}"},"content":"▁"}`, "a b   c", "a b▁c"},
		{`{"type":"ByteLevel"}`, "é ", "Ã©Ġ"},
		{`{"type":"Nmt"}`, "a\x01b\tc\u200bd\u2581e", "ab c d e"},
		{`{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true}`,
			"É\x00\u00a0中a\u200d\ue000b\uFFFD", "e  中 ab"},
		{`{"type":"BertNormalizer","clean_text":false,"handle_chinese_chars":false,"strip_accents":false,"lowercase":true}`, "É\t中", "é\t中"},
		{`{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":false}`, "É中", "É 中 "},
		{`{"type":"Sequence","normalizers":[{"type":"Lowercase"},{"type":"Replace","pattern":{"String":"a"},"content":"b"}]}`, "Aa", "bb"},
		{`{"type":"Sequence","normalizers":[null]}`, "Aa", "Aa"},
	} {
		n, err := parseNormalizer([]byte(c.spec), 0)
		if err != nil {
			t.Errorf("%s: %v", c.spec, err)
			continue
		}
		if got := n.normalize(c.text); got != c.want {
			t.Errorf("%s\n makes %q of %q, want %q", c.spec, got, c.text, c.want)
		}
	}
	for _, spec := range []string{
		`{"type":"Nonsense"}`, `{}`, `7`, `{"type":"Replace","pattern":{"Regex":"(?<=a)"},"content":""}`, `{"type":"Precompiled"}`,
		strings.Repeat(`{"type":"Sequence","normalizers":[`, 20) + strings.Repeat(`]}`, 20),
	} {
		if _, err := parseNormalizer([]byte(spec), 0); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: ") {
			t.Errorf("%.80s: error %v", spec, err)
		}
	}
}

// TestPrecompiledHostile feeds the character map sizes, offsets and values that lead outside it.
func TestPrecompiledHostile(t *testing.T) {
	charsmap := func(size uint32, units []uint32, text string) []byte {
		b := binary.LittleEndian.AppendUint32(nil, size)
		for _, u := range units {
			b = binary.LittleEndian.AppendUint32(b, u)
		}
		return append(b, text...)
	}
	for _, b := range [][]byte{nil, {1, 2}, charsmap(0, nil, "a"), charsmap(8, []uint32{0}, ""), charsmap(3, []uint32{0}, ""), charsmap(1<<31, nil, "")} {
		if _, err := newPrecompiled(b); err == nil {
			t.Errorf("%x was accepted", b)
		}
	}
	for seed := range uint32(2000) { // units full of offsets and leaves in all directions
		units := make([]uint32, 256)
		for i := range units {
			seed = seed*1664525 + 1013904223
			units[i] = seed&^0xFF | uint32(i)
		}
		n, err := newPrecompiled(charsmap(1024, units, "x\x00\xFFy"))
		if err != nil {
			t.Fatal(err)
		}
		n.normalize("aé\r\n中e\u0301\u0301\u0301한국\x00")
	}
	spec := `{"type":"Precompiled","precompiled_charsmap":"` + base64.StdEncoding.EncodeToString(charsmap(4, []uint32{0}, "")) + `"}`
	n, err := parseNormalizer([]byte(spec), 0)
	if err != nil || n.normalize("aé") != "aé" {
		t.Errorf("an empty map: %v", err)
	}
}

func TestClusterLen(t *testing.T) {
	for _, c := range []string{
		"a", "\r\n", "\n", "e\u0301", "e\u0301\u0302\u0303", "🇫🇷", "한", "\u1112\u1161\u11ab", "각\u11a8", "\u0e33", "ก\u0e33",
		"\u0600a", "❤\ufe0f", "\u200d", "क\u093e", "👍🏽", "\u1100\uac00",
	} {
		if got := clusterLen(c + "x"); got != len(c) && !(c == "\u0600a" && got == len(c)) {
			t.Errorf("%q: cluster of %d bytes, want %d", c, got, len(c))
		}
	}
	for text, want := range map[string]int{"\n\u0301": 1, "\r\u0301": 1, "🇫🇷🇯🇵": 8, "\u0001\u0301": 1, "가각": 3, "가ᄀ": 3, "\u2028\u0301": 3} {
		if got := clusterLen(text); got != want {
			t.Errorf("%q begins with a cluster of %d bytes, want %d", text, got, want)
		}
	}
}

func TestDecoders(t *testing.T) {
	for _, c := range []struct {
		spec   string
		pieces []string
		want   string
	}{
		{`{"type":"ByteLevel"}`, []string{"Ġa", "Ã", "©", "<end>", "日", "Ã"}, " aé<end>日\uFFFD"},
		{`{"type":"ByteFallback"}`, []string{"a", "<0xC3>", "<0xA9>", "b", "<0xC3>", "<0x41>", "<0xZZ>"}, "aéb\uFFFD\uFFFD<0xZZ>"},
		{`{"type":"Metaspace","replacement":"▁"}`, []string{"▁a", "▁b", "c▁"}, "a bc "},
		{`{"type":"Metaspace","replacement":"▁","prepend_scheme":"never"}`, []string{"▁a", "▁b"}, " a b"},
		{`{"type":"WordPiece","prefix":"##","cleanup":true}`, []string{"##do", "##n", "'", "t", "stop", "!"}, "##don ' t stop!"},
		{`{"type":"WordPiece","prefix":"##","cleanup":false}`, []string{"a", "!"}, "a !"},
		{`{"type":"BPEDecoder","suffix":"</w>"}`, []string{"a", "b</w>", "c</w>"}, "ab c"},
		{`{"type":"BPEDecoder","suffix":"</w>"}`, nil, ""},
		{`{"type":"Replace","pattern":{"String":"▁"},"content":" "}`, []string{"▁a▁", "b"}, " a b"},
		{`{"type":"Replace","pattern":"_","content":" "}`, []string{"a_b"}, "a b"},
		{`{"type":"Strip","content":"é","start":1,"stop":2}`, []string{"ééaééé", "é"}, "éaé"},
		{`{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"Fuse"},` +
			`{"type":"Strip","content":" ","start":1,"stop":0}]}`, []string{"▁a", "▁b"}, "a b"},
	} {
		ds, err := parseDecoder([]byte(c.spec), 0)
		if err != nil {
			t.Errorf("%s: %v", c.spec, err)
			continue
		}
		pieces := slices.Clone(c.pieces)
		for _, d := range ds {
			pieces = d.decode(pieces)
		}
		if got := strings.Join(pieces, ""); got != c.want {
			t.Errorf("%s\n makes %q of %q, want %q", c.spec, got, c.pieces, c.want)
		}
	}
	for _, spec := range []string{
		`{"type":"Nonsense"}`, `1`, `{"type":"Strip","content":"ab"}`, `{"type":"Replace","pattern":{"Regex":"^"}}`, `{"type":"Metaspace"}`,
		strings.Repeat(`{"type":"Sequence","decoders":[`, 20) + strings.Repeat(`]}`, 20),
	} {
		if _, err := parseDecoder([]byte(spec), 0); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: ") {
			t.Errorf("%.80s: error %v", spec, err)
		}
	}
}

func TestTemplates(t *testing.T) {
	const bos = `{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],` +
		`"special_tokens":{"<s>":{"id":"<s>","ids":[1,2],"tokens":["<s>","x"]}}}`
	const bert = `{"type":"BertProcessing","sep":["[SEP]",3],"cls":["[CLS]",4]}`
	for spec, want := range map[string][]ID{
		`null`:                 {7, 8},
		`{"type":"ByteLevel"}`: {7, 8},
		bos:                    {1, 2, 7, 8},
		bert:                   {4, 7, 8, 3},
		`{"type":"RobertaProcessing","sep":["</s>",2],"cls":["<s>",0]}`:                    {0, 7, 8, 2},
		`{"type":"Sequence","processors":[{"type":"ByteLevel"},` + bos + `,` + bert + `]}`: {4, 1, 2, 7, 8, 3},
	} {
		tp, err := parseTemplate([]byte(spec), 9)
		if err != nil {
			t.Errorf("%s: %v", spec, err)
			continue
		}
		got := []ID{7, 8}
		if tp != nil {
			got = tp.apply(got)
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s gives %v, want %v", spec, got, want)
		}
	}
	twice := `{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"Sequence":{"id":"A"}}],"special_tokens":{}}`
	for _, spec := range []string{
		`{"type":"Nonsense"}`, `{"type":"BertProcessing"}`, `{"type":"BertProcessing","sep":["a",-3],"cls":["b",1]}`,
		`{"type":"BertProcessing","sep":["a",9],"cls":["b",1]}`, `{"type":"BertProcessing","sep":["a"],"cls":["b",1]}`,
		`{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>"}}],"special_tokens":{}}`,
		`{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}}],"special_tokens":{"x":{"ids":[-1]}}}`,
		`{"type":"TemplateProcessing","single":[{"Sequence":{"id":"B"}}]}`, `{"type":"TemplateProcessing","single":["$A"]}`,
		twice,
		`{"type":"TemplateProcessing","single":[],"special_tokens":{}}`,
		`{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}}` + strings.Repeat(`,{"SpecialToken":{"id":"x"}}`, 5000) + `],"special_tokens":{"x":{"ids":[1]}}}`,
	} {
		if _, err := parseTemplate([]byte(spec), 9); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: ") {
			t.Errorf("%.80s: error %v", spec, err)
		}
	}
}
