package tokenizer

import (
	"slices"
	"testing"
)

// FuzzParse reads hostile files, and encodes and decodes with those that pass.
func FuzzParse(f *testing.F) {
	// Small files, so that a change is likely to matter; between them they have every component.
	const bpe = `"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2,"Ġ":3,"</w>":4,"b</w>":5,"<0x0A>":6,"ab</w>":8},"merges":[["a","b"],["a","b</w>"]],`
	for _, data := range []string{
		`{` + bpe + `"unk_token":"a","end_of_word_suffix":"</w>","byte_fallback":true,"fuse_unk":true},"normalizer":{"type":"Sequence","normalizers":[` +
			`{"type":"NFC"},{"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "},{"type":"Lowercase"},{"type":"Prepend","prepend":"_"},` +
			`{"type":"Strip","strip_left":true},{"type":"StripAccents"},{"type":"Nmt"},{"type":"NFKD"}]},"decoder":{"type":"BPEDecoder","suffix":"</w>"}}`,
		`{` + bpe + `"ignore_merges":true},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},` +
			`{"type":"Split","pattern":{"Regex":"\\p{Lu}+|[^a]b?|\\s+(?!\\S)|\\s+"},"behavior":"MergedWithNext","invert":true},` +
			`{"type":"ByteLevel","add_prefix_space":true}]},"decoder":{"type":"ByteLevel"},"post_processor":{"type":"RobertaProcessing","sep":["a",0],"cls":["b",1]},` +
			`"added_tokens":[{"id":9,"content":"<s>","lstrip":true,"special":true},{"id":7,"content":"AB","normalized":true,"rstrip":true,"single_word":true}]}`,
		`{` + bpe + `"continuing_subword_prefix":""},"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Punctuation","behavior":"Contiguous"},` +
			`{"type":"Whitespace"},{"type":"CharDelimiterSplit","delimiter":"e"}]},"decoder":{"type":"Sequence","decoders":[{"type":"Replace",` +
			`"pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":1}]}}`,
		`{"model":{"type":"WordPiece","unk_token":"?","continuing_subword_prefix":"##","max_input_chars_per_word":9,"vocab":{"?":0,"a":1,"##b":2,"[S]":3}},` +
			`"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},` +
			`"decoder":{"type":"WordPiece","prefix":"##","cleanup":true},"post_processor":{"type":"Sequence","processors":[{"type":"TemplateProcessing","single":[` +
			`{"SpecialToken":{"id":"[S]","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"special_tokens":{"[S]":{"id":"[S]","ids":[3],"tokens":["[S]"]}}}]}}`,
		`{"model":{"type":"Unigram","unk_id":0,"vocab":[["<unk>",0],["▁a",-1.5],["ab",-2],["<0xC3>",-3]],"byte_fallback":true},"decoder":{"type":"Metaspace",` +
			`"replacement":"▁"},"normalizer":{"type":"Precompiled","precompiled_charsmap":"CAAAAAAEAABhAAAAYgBj"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"first"}}`,
	} {
		if _, err := Parse([]byte(data)); err != nil {
			f.Fatalf("a seed is broken: %v", err)
		}
		f.Add([]byte(data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			return
		}
		if p.Size() > 16*len(data)+1<<17 {
			t.Fatalf("%d bytes claim %d ids", len(data), p.Size())
		}
		for _, text := range []string{"", "a photo of 12 cats, it's  é🙂\r\n", "<s>\x00\xff ab</s>"} {
			ids := p.EncodeSpecial(text)
			for _, id := range ids {
				if id < 0 || int(id) >= p.Size() {
					t.Fatalf("%q has id %d of %d", text, id, p.Size())
				}
			}
			p.Decode(ids, false)
			p.EncodeLiteral(text)
		}
	})
}

// FuzzRoundTrip requires a byte-level vocabulary without clean-up to give every text back.
func FuzzRoundTrip(f *testing.F) {
	p, err := Train(slices.Values(texts(f, "clip")), TrainOptions{VocabSize: 600, Specials: []string{"<end>"}})
	if err != nil {
		f.Fatal(err)
	}
	var loaded []*Pipeline
	for _, name := range []string{"bytebpe_digits", "llama3", "o200k"} {
		loaded = append(loaded, loadFixture(f, name))
	}
	for _, text := range texts(f, "gpt2") {
		f.Add(text)
	}
	f.Add("\xff\xe2\x82 a<end>b")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range append(loaded, p) {
			want := lossy(text)
			if got := p.Decode(p.Encode(text), false); got != want {
				t.Fatalf("%q comes back as %q", text, got)
			}
			if got := p.Decode(p.EncodeLiteral(text), true); got != want {
				t.Fatalf("literally, %q comes back as %q", text, got)
			}
		}
	})
}

// FuzzScanners holds the patterns written by hand against Go's regexp.
func FuzzScanners(f *testing.F) {
	type both struct {
		expr      string
		got, want matcher
	}
	var all []both
	for _, expr := range []string{patternGPT2, patternQwen2, patternLlama3, patternCLIP, patternSpace, patternControl} {
		want, err := translatePattern(expr)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, both{expr, knownScanner(expr), want})
	}
	f.Add("It's 'LL 12345  \r\n\n a\u0301 <|endoftext|>")
	f.Fuzz(func(t *testing.T, text string) {
		for _, b := range all {
			comparePattern(t, b.expr, lossy(text), b.got, b.want)
		}
	})
}
