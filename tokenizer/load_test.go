package tokenizer

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writeFiles makes a folder with the given files.
func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// byteVocab is a vocab.json of special pieces, the 256 bytes and more.
func byteVocab(t *testing.T, specials []string, more ...string) string {
	t.Helper()
	raw, err := json.Marshal(table(slices.Concat(specials, alphabet(), more)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestLoadPairs(t *testing.T) {
	const merges = "#version: 0.2\nh e\r\nĠ he\n\n"
	for _, names := range pairs {
		dir := writeFiles(t, map[string]string{names[0]: byteVocab(t, nil, "he", "Ġhe", "<|endoftext|>"), names[1]: merges})
		p, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		if got := spell(p, p.EncodeSpecial("he he<|endoftext|>")); got != "he Ġhe <|endoftext|>" {
			t.Errorf("GPT-2: %q", got)
		}
	}
	dir := writeFiles(t, map[string]string{
		"vocab.json": byteVocab(t, []string{"<s>", "<pad>", "</s>", "<unk>", "<mask>"}, "he", "Ġhe"), "merges.txt": merges,
	})
	p, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := spell(p, p.EncodeSpecial("he <mask> he")); got != "<s> he <mask> Ġhe </s>" {
		t.Errorf("RoBERTa: %q", got)
	}
}

// TestLoadCLIPPair reads CLIP's vocabulary from vocab.json and merges.txt, as its repositories have it.
func TestLoadCLIPPair(t *testing.T) {
	want := loadFixture(t, "clip")
	m := want.model.(*bpe)
	vocab, err := json.Marshal(m.voc.ids)
	if err != nil {
		t.Fatal(err)
	}
	merges := []string{"#version: 0.2"}
	for _, k := range rankOrder(m.merges) {
		merges = append(merges, m.voc.pieces[k>>32]+" "+m.voc.pieces[uint32(k)])
	}
	got, err := Load(writeFiles(t, map[string]string{"vocab.json": string(vocab), "merges.txt": strings.Join(merges, "\n")}))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range texts(t, "clip") {
		if a, b := got.EncodeSpecial(text), want.EncodeSpecial(text); !slices.Equal(a, b) {
			t.Errorf("%q becomes %v, want %v", text, a, b)
		}
	}
}

func TestLoadErrors(t *testing.T) {
	gz := func(text string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	good := byteVocab(t, nil)
	for name, files := range map[string]map[string]string{
		"nothing":           {},
		"broken JSON":       {fileJSON: "{"},
		"lonely vocabulary": {"vocab.json": good},
		"no object":         {"vocab.json": "[]", "merges.txt": ""},
		"bad merge":         {"vocab.json": good, "merges.txt": "#version\na b c"},
		"merge of nothing":  {"vocab.json": good, "merges.txt": "a b"},
		"merges not UTF-8":  {"vocab.json": good, "merges.txt": "a \xff"},
		"CLIP without ends": {"vocab.json": `{"a</w>":0}`, "merges.txt": ""},
		"not gzip":          {fileCLIP: "text"},
		"gzip cut off":      {fileCLIP: gz("title\na b\n")[:20]},
		"no merges":         {fileCLIP: gz("title")},
		"merge twice":       {fileCLIP: gz("title\na b\na b\n")},
		"merge of unknowns": {fileCLIP: gz("title\nab c\n")},
	} {
		dir := writeFiles(t, files)
		if _, err := Load(dir); err == nil || !strings.HasPrefix(err.Error(), "tokenizer: ") {
			t.Errorf("%s: error %v", name, err)
		} else if !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: the error does not name the path: %v", name, err)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing path was loaded")
	}
	p, err := ReadCLIP(strings.NewReader(gz("title\na b</w>\n")))
	if err != nil {
		t.Fatal(err)
	}
	if got := spell(p, p.EncodeSpecial("AB  é")); got != "<|startoftext|> ab</w> Ã ©</w> <|endoftext|>" {
		t.Errorf("a small CLIP vocabulary: %q", got)
	}
}
