package imageproc

import (
	"encoding/json"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"fovea/annotation"
)

// fixtures is the folder of reference results made with Pillow and torchvision.
func fixtures(t *testing.T) string {
	root := os.Getenv("FOVEA_FIXTURES")
	if root == "" {
		root = filepath.Join("..", "testdata", "fixtures")
	}
	return filepath.Join(root, "resize")
}

type fixtureCase struct {
	Src     string      `json:"src"`
	Size    [2]int      `json:"size_wh"`
	Filter  string      `json:"filter"`
	Out     string      `json:"out"`
	Box     *[4]float64 `json:"box_xyxy"`
	Convert string      `json:"convert"`
}

type fixtureList struct {
	Resize, Other []fixtureCase
	EXIF          []struct {
		Orientation           int
		JPEG, Upright, Stored string
	} `json:"exif"`
	Torchvision struct{ Src, File string }
}

func readFixtures(t *testing.T) (string, fixtureList) {
	dir := fixtures(t)
	data, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var l fixtureList
	if err := json.Unmarshal(data, &l); err != nil {
		t.Fatal(err)
	}
	return dir, l
}

// samples reads a PNG without any conversion that this package makes: the bytes of mode L, RGB or RGBA; a palette comes
// back as its indices, with the palette.
func samples(t *testing.T, path string) (pix []uint8, w, h, c int, pal *image.Paletted) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	b := m.Bounds()
	w, h = b.Dx(), b.Dy()
	switch m := m.(type) {
	case *image.Gray:
		return m.Pix, w, h, 1, nil
	case *image.NRGBA:
		return m.Pix, w, h, 4, nil
	case *image.Paletted:
		return m.Pix, w, h, 1, m
	case *image.RGBA:
		for i := 0; i < len(m.Pix); i += 4 {
			pix = append(pix, m.Pix[i:i+3]...)
		}
		return pix, w, h, 3, nil
	}
	t.Fatalf("%s: %T", path, m)
	return
}

func TestFixtureResize(t *testing.T) {
	dir, l := readFixtures(t)
	if len(l.Resize) < 100 {
		t.Fatalf("only %d cases", len(l.Resize))
	}
	for _, c := range append(l.Resize, l.Other...) {
		if c.Convert != "" {
			continue
		}
		f, err := ParseFilter(c.Filter)
		if err != nil {
			t.Fatal(err)
		}
		pix, w, h, ch, pal := samples(t, filepath.Join(dir, c.Src))
		want, ww, wh, wc, wpal := samples(t, filepath.Join(dir, c.Out))
		if pal != nil {
			f = Nearest // Pillow never mixes palette indices
			if wpal != nil && len(pal.Palette) != len(wpal.Palette) {
				t.Fatalf("%s: another palette", c.Out)
			}
		}
		if ww != c.Size[0] || wh != c.Size[1] || wc != ch {
			t.Fatalf("%s is %d × %d × %d", c.Out, ww, wh, wc)
		}
		box := whole(w, h)
		if b := c.Box; b != nil {
			box = annotation.Box{X0: b[0], Y0: b[1], X1: b[2], Y1: b[3]}
		}
		got := ResizePixels(pix, w, h, ch, box, ww, wh, f)
		bad, worst := difference(got, want)
		if bad > 0 {
			t.Errorf("%s: %d of %d samples differ, at most by %d", c.Out, bad, len(want), worst)
		}
	}
}

func difference(a, b []uint8) (n, worst int) {
	if len(a) != len(b) {
		return len(b), 255
	}
	for i := range a {
		if d := int(a[i]) - int(b[i]); d != 0 {
			n, worst = n+1, max(worst, d, -d)
		}
	}
	return
}

func TestFixtureConvert(t *testing.T) {
	dir, l := readFixtures(t)
	n := 0
	for _, c := range l.Other {
		if c.Convert != "RGB" {
			continue
		}
		n++
		got, _, err := Open(filepath.Join(dir, c.Src))
		if err != nil {
			t.Error(err)
			continue
		}
		want, w, h, _, _ := samples(t, filepath.Join(dir, c.Out))
		if bad, worst := difference(got.Pix, want); bad > 0 || got.W != w || got.H != h {
			t.Errorf("%s: %d samples differ, at most by %d", c.Out, bad, worst)
		}
	}
	if n == 0 {
		t.Error("no case")
	}
}

func TestFixtureEXIF(t *testing.T) {
	dir, l := readFixtures(t)
	if len(l.EXIF) < 8 {
		t.Fatalf("only %d cases", len(l.EXIF))
	}
	for _, c := range l.EXIF {
		got, info, err := Open(filepath.Join(dir, c.JPEG))
		if err != nil {
			t.Error(err)
			continue
		}
		want, w, h, _, _ := samples(t, filepath.Join(dir, c.Upright))
		bad, worst := difference(got.Pix, want)
		if got.W != w || got.H != h || worst > 3 {
			t.Errorf("%s: %d × %d, samples differ by up to %d", c.JPEG, got.W, got.H, worst)
		}
		if info.Orientation != max(c.Orientation, 1) || info.W != w || info.H != h || info.Format != "jpeg" {
			t.Errorf("%s: %+v", c.JPEG, info)
		}
		t.Logf("%s: %d of %d samples differ, at most by %d", c.JPEG, bad, len(want), worst)
	}
}
