package imageproc

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
)

// pattern is a picture whose pixels all differ.
func pattern(w, h int) *RGB {
	m := NewRGB(w, h)
	for i := range m.Pix {
		m.Pix[i] = uint8(i*37 + i/3*11)
	}
	return m
}

// encoded is the pattern of w × h in every format that can be written here, and the stored WebP files.
func encoded(t testing.TB, w, h int) map[string][]byte {
	t.Helper()
	m := pattern(w, h).rgba()
	out := map[string][]byte{}
	for name, f := range map[string]func(io.Writer) error{
		"jpeg":              func(w io.Writer) error { return jpeg.Encode(w, m, nil) },
		"png":               func(w io.Writer) error { return png.Encode(w, m) },
		"gif":               func(w io.Writer) error { return gif.Encode(w, m, nil) },
		"bmp":               func(w io.Writer) error { return bmp.Encode(w, m) },
		"tiff":              func(w io.Writer) error { return tiff.Encode(w, m, &tiff.Options{Compression: tiff.Deflate}) },
		"tiff uncompressed": func(w io.Writer) error { return tiff.Encode(w, m, nil) },
	} {
		var b bytes.Buffer
		if err := f(&b); err != nil {
			t.Fatal(err)
		}
		out[name] = b.Bytes()
	}
	for _, name := range []string{"lossy", "lossless", "alpha"} {
		out["webp "+name] = read(t, filepath.Join("testdata", "webp", name+".webp"))
	}
	out["jpeg progressive"] = read(t, filepath.Join("testdata", "jpeg", "progressive.jpg"))
	out["jpeg cmyk"] = read(t, filepath.Join("testdata", "jpeg", "cmyk.jpg"))
	return out
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecodeLossless(t *testing.T) {
	want := pattern(13, 7)
	all := encoded(t, 13, 7)
	for name, format := range map[string]string{"png": "png", "bmp": "bmp", "tiff": "tiff", "tiff uncompressed": "tiff"} {
		got, info, err := DecodeBytes(all[name], Limits{})
		if err != nil {
			t.Error(err)
			continue
		}
		if want := (Info{format, 13, 7, 1, len(all[name])}); info != want {
			t.Errorf("%s: %+v, want %+v", name, info, want)
		}
		if n, worst := difference(got.Pix, want.Pix); n > 0 {
			t.Errorf("%s: %d samples differ, at most by %d", name, n, worst)
		}
	}
}

// The reference is libjpeg's and libwebp's own decoding, to the byte.
func TestDecodeLikeReference(t *testing.T) {
	n := 0
	for _, dir := range []string{"jpeg", "webp"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.*p*g"))
		if err != nil {
			t.Fatal(err)
		}
		webp, _ := filepath.Glob(filepath.Join("testdata", dir, "*.webp"))
		for _, f := range append(files, webp...) {
			if filepath.Ext(f) == ".png" {
				continue
			}
			n++
			got, _, err := Open(f)
			if err != nil {
				t.Error(err)
				continue
			}
			want, _, err := Open(strings.TrimSuffix(f, filepath.Ext(f)) + ".png")
			if err != nil {
				t.Fatal(err)
			}
			if bad, worst := difference(got.Pix, want.Pix); bad > 0 || got.W != want.W {
				t.Errorf("%s: %d of %d samples differ, at most by %d", f, bad, len(want.Pix), worst)
			}
		}
	}
	if n != 13 {
		t.Errorf("%d files", n)
	}
}

func TestDecodeDropsAlpha(t *testing.T) {
	at := func(m image.Image) []uint8 {
		t.Helper()
		var b bytes.Buffer
		if err := png.Encode(&b, m); err != nil {
			t.Fatal(err)
		}
		got, _, err := DecodeBytes(b.Bytes(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		return got.Pix[:3]
	}
	r := image.Rect(0, 0, 1, 1)
	nrgba := image.NewNRGBA(r)
	nrgba.Set(0, 0, color.NRGBA{200, 100, 50, 0})
	nrgba64 := image.NewNRGBA64(r)
	nrgba64.Set(0, 0, color.NRGBA64{0xc8ff, 0x6400, 0x32aa, 0x1000})
	gray16 := image.NewGray16(r)
	gray16.Set(0, 0, color.Gray16{0xabcd})
	pal := image.NewPaletted(r, color.Palette{color.NRGBA{200, 100, 50, 0}, color.NRGBA{1, 2, 3, 255}})
	for _, c := range []struct {
		name string
		m    image.Image
		want []uint8
	}{
		{"NRGBA", nrgba, []uint8{200, 100, 50}},
		{"NRGBA64", nrgba64, []uint8{200, 100, 50}},
		{"Gray16", gray16, []uint8{0xab, 0xab, 0xab}},
		{"Paletted", pal, []uint8{200, 100, 50}},
	} {
		if got := at(c.m); !bytes.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestFromImage(t *testing.T) {
	premultiplied := image.NewRGBA(image.Rect(0, 0, 1, 1))
	copy(premultiplied.Pix, []uint8{50, 25, 0, 64})
	if got := FromImage(premultiplied).Pix; !bytes.Equal(got, []uint8{199, 99, 0}) {
		t.Errorf("premultiplied: %v", got)
	}
	m := pattern(9, 8)
	part := m.rgba().SubImage(image.Rect(2, 3, 7, 8))
	got := FromImage(part)
	for y := range 5 {
		if want := m.Pix[3*((y+3)*9+2):][:15]; !bytes.Equal(got.Pix[15*y:15*y+15], want) {
			t.Errorf("row %d of a part: %v, want %v", y, got.Pix[15*y:15*y+15], want)
		}
	}
	if FromImage(m) != m {
		t.Error("an RGB is copied")
	}
	wide := image.NewRGBA64(image.Rect(0, 0, 1, 1))
	wide.Set(0, 0, color.RGBA64{0xffff, 0x8000, 0, 0xffff})
	if got := FromImage(wide).Pix; !bytes.Equal(got, []uint8{255, 128, 0}) {
		t.Errorf("RGBA64: %v", got)
	}
	ycc := image.NewYCbCr(image.Rect(0, 0, 4, 2), image.YCbCrSubsampleRatio420)
	for i := range ycc.Y {
		ycc.Y[i] = 81
	}
	for i := range ycc.Cb {
		ycc.Cb[i], ycc.Cr[i] = 90, 240
	}
	if got := FromImage(ycc).Pix[:3]; !bytes.Equal(got, []uint8{238, 14, 14}) {
		t.Errorf("YCbCr: %v", got)
	}
	if got := FromImage(ycc.SubImage(image.Rect(1, 1, 3, 2))); got.W != 2 || got.H != 1 || got.Pix[0] < 230 {
		t.Errorf("part of a YCbCr: %v", got)
	}
}

func TestErrors(t *testing.T) {
	dir := t.TempDir()
	all := encoded(t, 40, 30)
	write := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	cut := func(name string) []byte { b := all[name]; return b[:len(b)*2/3] }
	noPixels := append([]byte("GIF89a"), make([]byte, 7)...)
	for _, c := range []struct{ path, code, text string }{
		{filepath.Join(dir, "none.jpg"), CodeNotFound, "no such file"},
		{dir, CodeUnreadable, "folder"},
		{write("empty.png", nil), CodeEmpty, "empty"},
		{write("zero.gif", noPixels), CodeEmpty, "no pixels"},
		{write("text.jpg", []byte("hello")), CodeUnsupported, "no picture"},
		{write("phone.heic", []byte("\x00\x00\x00\x18ftypheic")), CodeUnsupported, "HEIC"},
		{write("cut.jpg", cut("jpeg")), CodeTruncated, "end before"},
		{write("cut.png", cut("png")), CodeTruncated, "end before"},
		{write("cut.gif", cut("gif")), CodeTruncated, "end before"},
		{write("cut.bmp", cut("bmp")), CodeTruncated, "end before"},
		{write("cut.webp", cut("webp lossless")), CodeTruncated, "end before"},
		{write("cut.tiff", cut("tiff uncompressed")), CodeTruncated, "end before"},
		{write("header.jpg", all["jpeg"][:30]), CodeTruncated, "end before"},
		{write("flipped.png", flip(all["png"], 60)), CodeCorrupt, "damaged"},
		{write("rle.bmp", append(all["bmp"][:30:30], append([]byte{1}, all["bmp"][31:]...)...)), CodeUnsupported, "variant"},
	} {
		_, _, err := Open(c.path)
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", c.path, err)
			continue
		}
		if e.Code != c.code || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), c.path) || e.Hint == "" {
			t.Errorf("%s: code %s, want %s; text %q, want %q and the path", c.path, e.Code, c.code, err, c.text)
		}
		if e.Retry() != (c.code == CodeUnreadable) {
			t.Errorf("%s: retry %v", c.path, e.Retry())
		}
	}
	_, _, err := Open(filepath.Join(dir, "none.jpg"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v does not unwrap to a missing file", err)
	}
	_, _, err = Decode(iotest.ErrReader(errors.New("disk on fire")), Limits{})
	if err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("reader's error: %v", err)
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 0x55
	return b
}

func TestLimits(t *testing.T) {
	data := encoded(t, 40, 30)["png"]
	for _, c := range []struct {
		lim Limits
		ok  bool
	}{
		{Limits{}, true},
		{Limits{MaxPixels: 1200, MaxBytes: int64(len(data))}, true},
		{Limits{MaxPixels: 1199}, false},
		{Limits{MaxBytes: int64(len(data)) - 1}, false},
	} {
		path := filepath.Join(t.TempDir(), "a.png")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, err1 := Decode(bytes.NewReader(data), c.lim)
		_, _, err2 := OpenLimits(path, c.lim)
		_, err3 := OpenInfo(path, c.lim)
		for _, err := range []error{err1, err2, err3} {
			var e *Error
			if (err == nil) != c.ok || err != nil && (!errors.As(err, &e) || e.Code != CodeTooLarge) {
				t.Errorf("%+v: %v", c.lim, err)
			}
		}
	}
}

// A picture that claims to be huge costs nothing: the header is enough to refuse it.
func TestBombs(t *testing.T) {
	grow := func(name string, at int, side ...byte) []byte {
		b := bytes.Clone(encoded(t, 8, 8)[name])
		copy(b[at:], side)
		return b
	}
	webp := bytes.Clone(read(t, "testdata/webp/alpha.webp"))
	copy(webp[24:], "\x1f\x4e\x00\x1f\x4e\x00")
	for name, data := range map[string][]byte{
		"png":  fixCRC(grow("png", 16, 0, 0, 0x9c, 0x40, 0, 0, 0x9c, 0x40)),
		"gif":  grow("gif", 6, 0xff, 0xff, 0xff, 0xff),
		"bmp":  grow("bmp", 18, 0, 0, 1, 0, 0, 0, 1, 0),
		"jpeg": bytes.Replace(grow("jpeg", 0), []byte{0xff, 0xc0, 0, 17, 8, 0, 8, 0, 8}, []byte{0xff, 0xc0, 0, 17, 8, 0xff, 0xff, 0xff, 0xff}, 1),
		"webp": webp,
	} {
		var before, after runtime.MemStats
		best := time.Hour
		runtime.ReadMemStats(&before)
		var err error
		const tries = 5 // the machine may be busy
		for range tries {
			start := time.Now()
			_, _, err = DecodeBytes(data, Limits{})
			best = min(best, time.Since(start))
		}
		runtime.ReadMemStats(&after)
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeTooLarge {
			t.Errorf("%s: %v", name, err)
		}
		if used := (after.TotalAlloc - before.TotalAlloc) / tries; used > 1<<20 || best > 5*time.Millisecond {
			t.Errorf("%s: refused after %v and %d bytes", name, best, used)
		}
	}
}
