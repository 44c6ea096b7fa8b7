package dataset

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/imageproc"
)

func namesFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "names.tsv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestNames: classes of several names are called after one that is listed, and a set's pictures after its classes.
func TestNames(t *testing.T) {
	n, err := ReadNames(namesFile(t, "# kinds\ntabby\tcat\n\nPersian cat\tcat\n"))
	if err != nil {
		t.Fatal(err)
	}
	for class, want := range map[string]string{"tabby": "cat", "Felis, tabby": "cat", "acorn": "acorn", "tabby cat": "tabby cat", "reel, spool": "reel"} {
		if got := n.Of(class); got != want {
			t.Errorf("%q is called %q, want %q", class, got, want)
		}
	}
	root := t.TempDir()
	for _, class := range []string{"Persian cat", "acorn", "tabby"} {
		dir := filepath.Join(root, "train", class)
		if err := os.MkdirAll(dir, 0o750); err != nil {
			t.Fatal(err)
		}
		if err := imageproc.Save(filepath.Join(dir, "a.png"), imageproc.NewRGB(8, 8)); err != nil {
			t.Fatal(err)
		}
	}
	src, err := Open(root, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	src = Renamed(src, n)
	if got, want := src.Classes(), []string{"cat", "acorn"}; !slices.Equal(got, want) {
		t.Errorf("classes %q, want %q", got, want)
	}
	for i, want := range []string{"cat", "acorn", "cat"} {
		if ex, err := src.At(i, nil); err != nil || ex.Class != want {
			t.Errorf("picture %d: %v, %v, want %s", i, ex, err, want)
		}
	}
	for text, want := range map[string]string{"tabby cat\n": "a tab", "tabby\tcat\ntabby\tkitten\n": "has a name already"} {
		if _, err := ReadNames(namesFile(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
