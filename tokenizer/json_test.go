package tokenizer

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// smallFile is a fixture of a few kilobytes.
func smallFile(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(ownFixtures(t), "tokenizer", name, fileJSON))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestParseErrors(t *testing.T) {
	const bpe = `"model":{"type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":`
	const double = `{"type":"Replace","pattern":{"String":"a"},"content":"aa"}`
	const level = `{"type":"ByteLevel","add_prefix_space":false}`
	for _, data := range []string{
		``, `null`, `{}`, `[]`, `{"model":null}`, `{"model":7}`, `{"model":{}}`, `{"model":{"type":"Magic"}}`,
		`{"version":"9.0",` + bpe + `[]}}`,
		`{` + bpe + `null}}`, `{` + bpe + `{}}}`, `{` + bpe + `[["a"]]}}`, `{` + bpe + `[["a","b","c"]]}}`, `{` + bpe + `["a b c"]}}`,
		`{` + bpe + `["ab"]}}`, `{` + bpe + `["a z"]}}`, `{` + bpe + `[[1,2]]}}`,
		`{"model":{"type":"BPE","vocab":{"a":-1},"merges":[]}}`, `{"model":{"type":"BPE","vocab":{"a":1e9},"merges":[]}}`,
		`{"model":{"type":"BPE","vocab":{"a":99999999999},"merges":[]}}`, `{"model":{"type":"BPE","vocab":{"a":0.5},"merges":[]}}`,
		`{"model":{"type":"BPE","vocab":["a"],"merges":[]}}`,
		`{"model":{"type":"Unigram","unk_id":0,"vocab":[]}}`, `{"model":{"type":"Unigram","unk_id":-1,"vocab":[["a",0]]}}`,
		`{"model":{"type":"Unigram","vocab":[["a"]]}}`, `{"model":{"type":"Unigram","vocab":[[1,"a"]]}}`,
		`{"model":{"type":"Unigram","vocab":[["a",1e999]]}}`,
		`{"model":{"type":"WordPiece","vocab":{"a":0}}}`, `{"model":{"type":"WordPiece","vocab":7}}`,
		`{` + bpe + `[]},"normalizer":{"type":"Magic"}}`, `{` + bpe + `[]},"pre_tokenizer":{"type":"Magic"}}`,
		`{` + bpe + `[]},"decoder":{"type":"Magic"}}`, `{` + bpe + `[]},"post_processor":{"type":"Magic"}}`,
		// What would make texts huge.
		`{` + bpe + `[]},"normalizer":{"type":"Sequence","normalizers":[` + strings.Repeat(double+",", 40) + double + `]}}`,
		`{` + bpe + `[]},"normalizer":{"type":"Prepend","prepend":"` + strings.Repeat("x", 2000) + `"}}`,
		`{` + bpe + `[]},"normalizer":{"type":"Sequence","normalizers":[` + strings.Repeat(`{"type":"ByteLevel"},`, 40) + double + `]}}`,
		`{` + bpe + `[]},"pre_tokenizer":{"type":"Sequence","pretokenizers":[` + level + `,{"type":"Sequence","pretokenizers":[` + level + `]}]}}`,
		`{` + bpe + `[]},"decoder":{"type":"Sequence","decoders":[` + strings.Repeat(double+",", 40) + double + `]}}`,
		`{` + bpe + `[]},"decoder":{"type":"BPEDecoder","suffix":""}}`,
		`{"model":{"type":"BPE","vocab":{},"merges":[],"end_of_word_suffix":"` + strings.Repeat("x", 100) + `"}}`,
		`{` + bpe + `[]},"added_tokens":[{"id":0,"content":"x"}]}`, `{` + bpe + `[]},"added_tokens":7}`,
		`{` + bpe + `[]},"pre_tokenizer":{"type":"Split","pattern":{"Regex":"(?<!a)b"},"behavior":"Isolated"}}`,
	} {
		if _, err := Parse([]byte(data)); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: ") {
			t.Errorf("%.120s: error %v", data, err)
		}
	}
	for _, data := range []string{`{` + bpe + `["a b"]}}`, `{` + bpe + `[["a","b"]]}}`, `{"model":{"vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]}}`} {
		p, err := Parse([]byte(data))
		if err != nil {
			t.Errorf("%s: %v", data, err)
		} else if got := p.Encode("ab"); !slices.Equal(got, []ID{2}) {
			t.Errorf("%s: ab becomes %v", data, got)
		}
	}
}

// TestParseTruncated cuts files at many places and flips bits in them: an error or a working tokenizer, never a panic.
func TestParseTruncated(t *testing.T) {
	for _, name := range []string{"wordpiece", "gemma_bpe", "roberta", "llama2"} {
		data := smallFile(t, name)
		for cut := 0; cut < len(data)-1; cut += 211 {
			if _, err := Parse(data[:cut]); err == nil {
				t.Errorf("%s cut at %d was accepted", name, cut)
			}
		}
		for at := 0; at < len(data); at += 307 {
			broken := bytes.Clone(data)
			broken[at] ^= 1 << (at % 8)
			if p, err := Parse(broken); err == nil {
				p.Decode(p.EncodeSpecial("A photo, 12 cats <s> é🙂"), true)
			}
		}
	}
}

// TestWrite requires what is written to read back as the same tokenizer.
func TestWrite(t *testing.T) {
	for _, name := range []string{"bytebpe_digits", "gemma_bpe", "wordpiece", "unigram", "roberta", "llama3", "clip"} {
		dir := filepath.Join(ownFixtures(t), "tokenizer", name)
		p, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		var first, second bytes.Buffer
		if err := p.Write(&first); err != nil {
			t.Fatal(err)
		}
		q, err := Parse(first.Bytes())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := q.Write(&second); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Bytes(), second.Bytes()) {
			t.Errorf("%s: written twice, it differs", name)
		}
		for _, l := range readFixture(t, dir+".jsonl") {
			if got := q.EncodeSpecial(l.Text); !slices.Equal(got, l.IDs) {
				t.Errorf("%s, written and read: %q becomes %v, want %v", name, l.Text, got, l.IDs)
			}
			if got := q.Decode(l.IDs, true); got != l.DecodedSkip {
				t.Errorf("%s, written and read: decodes to %q, want %q", name, got, l.DecodedSkip)
			}
		}
	}
}

func TestSave(t *testing.T) {
	p := loadFixture(t, "wordpiece")
	dir := t.TempDir()
	path := filepath.Join(dir, "sub", fileJSON)
	if err := p.Save(path); err == nil {
		t.Error("saving into a folder that is missing succeeded")
	}
	path = filepath.Join(dir, fileJSON)
	for range 2 { // the second time over the first
		if err := p.Save(path); err != nil {
			t.Fatal(err)
		}
	}
	if q, err := Load(dir); err != nil || q.Size() != p.Size() {
		t.Errorf("saved and loaded: %v", err)
	}
	if names, err := os.ReadDir(dir); err != nil || len(names) != 1 {
		t.Errorf("the folder holds %v (%v)", names, err)
	}
}
