package dataset

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files are written under a folder: text, or a picture for names that end in .png, "w×h" or "w×h grey v0 v1 …".
type files map[string]string

// write makes a folder with the files.
func (fs files) write(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range fs {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		raw := []byte(content)
		if filepath.Ext(name) == ".png" && strings.Contains(content, "×") {
			raw = picture(t, content)
		}
		if err := os.WriteFile(path, raw, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// with is a copy with one file changed.
func (fs files) with(name, content string) files {
	out := files{name: content}
	for n, c := range fs {
		if n != name {
			out[n] = c
		}
	}
	return out
}

func picture(t testing.TB, spec string) []byte {
	t.Helper()
	size, grey, isGrey := strings.Cut(spec, " grey ")
	w, h := 0, 0
	if _, err := fmt.Sscanf(size, "%d×%d", &w, &h); err != nil {
		t.Fatal(err)
	}
	var m image.Image
	if isGrey {
		g := image.NewGray(image.Rect(0, 0, w, h))
		for i, v := range strings.Fields(grey) {
			n := 0
			if _, err := fmt.Sscan(v, &n); err != nil {
				t.Fatal(err)
			}
			g.Pix[i] = uint8(n)
		}
		m = g
	} else {
		c := image.NewRGBA(image.Rect(0, 0, w, h))
		for i := range w * h {
			c.Set(i%w, i/w, color.RGBA{uint8(i % w), uint8(i / w), 77, 255})
		}
		m = c
	}
	var b strings.Builder
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return []byte(b.String())
}

// open opens a set that must be usable.
func open(t testing.TB, dir string, opt OpenOptions) *set {
	t.Helper()
	s, err := Open(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*set)
}

// at reads an example that must be readable.
func at(t testing.TB, s Source, i int) *Example {
	t.Helper()
	ex, err := s.At(i, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ex
}

// wantFaults compares the report, kind by kind.
func wantFaults(t testing.TB, r *Report, want map[string]int) {
	t.Helper()
	got := map[string]int{}
	for _, f := range r.Faults() {
		got[f.Kind] = f.Count
		if len(f.Examples) == 0 || len(f.Examples) > exampleLimit {
			t.Errorf("%s: %d examples for %d faults", f.Kind, len(f.Examples), f.Count)
		}
	}
	for k, n := range want {
		if got[k] != n {
			t.Errorf("%d faults %q, want %d", got[k], k, n)
		}
	}
	for k, n := range got {
		if want[k] == 0 {
			t.Errorf("%d faults %q, want none: %+v", n, k, r.Faults())
		}
	}
}
