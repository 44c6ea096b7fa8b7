package tokenizer

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fixtures is the folder that holds tokenizer/*.jsonl: $FOVEA_FIXTURES, or the module's testdata/fixtures.
func fixtures(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("FOVEA_FIXTURES"); dir != "" {
		return dir
	}
	return ownFixtures(t)
}

// ownFixtures is the module's testdata/fixtures.
func ownFixtures(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "testdata", "fixtures")
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test's folder")
		}
		dir = up
	}
}

// loadFixture loads the tokenizer of the fixture called name: name/ beside the .jsonl, else a folder of published
// vocabulary files, else the module's own copy of either.
func loadFixture(t testing.TB, name string) *Pipeline {
	t.Helper()
	root := fixtures(t)
	candidates := []string{
		filepath.Join(root, "tokenizer", name),
		filepath.Join(root, "..", "tokenizers", name),
		filepath.Join(ownFixtures(t), "tokenizer", name),
	}
	for _, dir := range candidates {
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		p, err := Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	t.Fatalf("no tokenizer for fixture %s in any of %q", name, candidates)
	return nil
}

// fixtureLine is one text with what the reference implementation makes of it.
type fixtureLine struct {
	Text        string `json:"text"`
	IDs         []ID   `json:"ids"`
	Plain       []ID   `json:"ids_no_special"`
	Decoded     string `json:"decoded"`
	DecodedSkip string `json:"decoded_skip_special"`
}

func readFixture(t testing.TB, path string) []fixtureLine {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var lines []fixtureLine
	scan := bufio.NewScanner(f)
	scan.Buffer(nil, 1<<24)
	for scan.Scan() {
		if strings.TrimSpace(scan.Text()) == "" {
			continue
		}
		var l fixtureLine
		if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
			t.Fatalf("%s, line %d: %v", path, len(lines)+1, err)
		}
		lines = append(lines, l)
	}
	if err := scan.Err(); err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestFixture holds every *.jsonl file of the fixtures against the reference implementation, to the last id.
func TestFixture(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join(fixtures(t), "tokenizer", "*.jsonl"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no *.jsonl in %s/tokenizer (%v)", fixtures(t), err)
	}
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".jsonl")
		t.Run(name, func(t *testing.T) {
			p := loadFixture(t, name)
			lines := readFixture(t, path)
			if len(lines) == 0 {
				t.Fatal("the fixture is empty")
			}
			for i, l := range lines {
				if got := p.EncodeSpecial(l.Text); !slices.Equal(got, l.IDs) {
					t.Errorf("line %d: EncodeSpecial(%q)\n got %v\nwant %v", i+1, l.Text, got, l.IDs)
				}
				if got := p.Encode(l.Text); !slices.Equal(got, l.Plain) {
					t.Errorf("line %d: Encode(%q)\n got %v\nwant %v", i+1, l.Text, got, l.Plain)
				}
				if got := p.Decode(l.IDs, false); got != l.Decoded {
					t.Errorf("line %d: Decode(ids of %q, false)\n got %q\nwant %q", i+1, l.Text, got, l.Decoded)
				}
				if got := p.Decode(l.IDs, true); got != l.DecodedSkip {
					t.Errorf("line %d: Decode(ids of %q, true)\n got %q\nwant %q", i+1, l.Text, got, l.DecodedSkip)
				}
			}
		})
	}
}

// texts are the texts of the module's own fixtures.
func texts(t testing.TB, names ...string) []string {
	t.Helper()
	var out []string
	for _, name := range names {
		for _, l := range readFixture(t, filepath.Join(ownFixtures(t), "tokenizer", name+".jsonl")) {
			out = append(out, l.Text)
		}
	}
	return out
}
