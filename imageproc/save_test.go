package imageproc

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestSave(t *testing.T) {
	dir := t.TempDir()
	m := pattern(31, 22)
	for _, name := range []string{"a.png", "b.JPG", "c.jpeg", "a.png"} { // the last replaces the first
		path := filepath.Join(dir, name)
		if err := Save(path, m); err != nil {
			t.Fatal(err)
		}
		got, info, err := Open(path)
		if err != nil || got.W != 31 || got.H != 22 {
			t.Fatalf("%s: %v, %v", name, info, err)
		}
		if n, _ := difference(got.Pix, m.Pix); name == "a.png" && n > 0 {
			t.Errorf("%s: %d samples differ", name, n)
		}
	}
	if err := Save(filepath.Join(dir, "a.bmp"), m); err == nil {
		t.Error("an unknown extension is accepted")
	}
	if err := Save(filepath.Join(dir, "none", "a.png"), m); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing folder: %v", err)
	}
	// A failed save leaves the old file and no litter.
	if err := Save(filepath.Join(dir, "a.png"), &RGB{}); err == nil {
		t.Error("an empty picture is accepted")
	}
	if err := Save(filepath.Join(dir, "e.jpg"), &RGB{}); err == nil {
		t.Error("an empty picture is accepted")
	}
	if _, _, err := Open(filepath.Join(dir, "a.png")); err != nil {
		t.Error(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("%v, %v", files, err)
	}
}
