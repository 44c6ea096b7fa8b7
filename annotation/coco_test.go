package annotation

import (
	"encoding/json"
	"math/rand/v2"
	"os"
	"reflect"
	"strings"
	"testing"
)

// coco.json is what pycocotools makes of random polygons and masks; testdata/coco.py made it.
type cocoFixture struct {
	Polygons []struct {
		H, W     int
		Polygons [][]float64
		Counts   string
	}
	Pairs []struct {
		H, W                   int
		A, B, Union, Intersect string
		Area, IoU, Crowd       float64
		Box                    [4]float64
		Rows                   []string
	}
}

func readCOCO(t testing.TB) (f cocoFixture) {
	t.Helper()
	data, err := os.ReadFile("testdata/coco.json")
	if err == nil {
		err = json.Unmarshal(data, &f)
	}
	if err != nil || len(f.Polygons) < 100 || len(f.Pairs) < 100 {
		t.Fatalf("testdata/coco.json: %d polygons, %d pairs, %v", len(f.Polygons), len(f.Pairs), err)
	}
	return f
}

func mustParse(t *testing.T, h, w int, s string) RLE {
	t.Helper()
	r, err := ParseRLE(h, w, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPolygonRLEEqualsPycocotools(t *testing.T) {
	for i, c := range readCOCO(t).Polygons {
		r, err := PolygonRLE(c.H, c.W, c.Polygons...)
		if err != nil {
			t.Errorf("case %d: %v", i, err)
		} else if got := r.Compress(); got != c.Counts {
			t.Errorf("case %d: %d×%d %v:\n got %v\nwant %v", i, c.H, c.W, c.Polygons, r.Counts, mustParse(t, c.H, c.W, c.Counts).Counts)
		}
	}
}

func TestRLEEqualsPycocotools(t *testing.T) {
	for i, c := range readCOCO(t).Pairs {
		a, b := mustParse(t, c.H, c.W, c.A), mustParse(t, c.H, c.W, c.B)
		bm, err := a.Bitmap()
		if err != nil {
			t.Fatal(err)
		}
		if c.Rows != nil {
			for y, row := range c.Rows {
				for x := range row {
					if bm.Pix[y*c.W+x] != row[x]-'0' {
						t.Fatalf("pair %d: pixel (%d, %d) is %d", i, x, y, bm.Pix[y*c.W+x])
					}
				}
			}
		}
		if got := bm.RLE().Compress(); got != c.A {
			t.Errorf("pair %d: decoded and coded again %q, want %q", i, got, c.A)
		}
		if got := (Box{c.Box[0], c.Box[1], c.Box[2], c.Box[3]}); a.Bounds() != got {
			t.Errorf("pair %d: bounds %v, want %v", i, a.Bounds(), got)
		}
		if bm.Area() > 0 && a.Bounds().Intersect(bm.Bounds()) != bm.Bounds() {
			t.Errorf("pair %d: bounds %v do not hold the bitmap's %v", i, a.Bounds(), bm.Bounds())
		}
		if a.Area() != c.Area || a.IoU(b, false) != c.IoU || a.IoU(b, true) != c.Crowd {
			t.Errorf("pair %d: area %v, IoU %v, with crowd %v; want %v, %v, %v", i, a.Area(), a.IoU(b, false), a.IoU(b, true), c.Area, c.IoU, c.Crowd)
		}
		u, err1 := a.Union(b)
		n, err2 := a.Intersect(b)
		if err1 != nil || err2 != nil || u.Compress() != c.Union || n.Compress() != c.Intersect {
			t.Errorf("pair %d: union %q, want %q; intersection %q, want %q (%v, %v)", i, u.Compress(), c.Union, n.Compress(), c.Intersect, err1, err2)
		}
	}
}

// outlines are the polygons of a mask.
func outlines(t testing.TB, b *Bitmap) [][]float64 {
	t.Helper()
	p, err := b.RLE().Polygons()
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPolygonsOfBitmap(t *testing.T) {
	ring := &Bitmap{5, 5, []uint8{
		0, 0, 0, 0, 0,
		0, 1, 1, 1, 0,
		0, 1, 0, 1, 0,
		0, 1, 1, 1, 0,
		0, 0, 0, 0, 0,
	}}
	want := [][]float64{{1, 1, 2, 1, 2, 3, 3, 3, 3, 2, 2, 2, 2, 1, 4, 1, 4, 4, 1, 4}}
	if got := outlines(t, ring); !reflect.DeepEqual(got, want) {
		t.Errorf("ring: %v, want %v", got, want)
	}
	if got := outlines(t, NewBitmap(3, 2)); len(got) != 0 {
		t.Errorf("an empty mask has polygons %v", got)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 600 {
		b := NewBitmap(1+rng.IntN(24), 1+rng.IntN(24))
		p := []float64{.1, .5, .8, .95}[i%4]
		for k := range b.Pix {
			if rng.Float64() < p {
				b.Pix[k] = 1
			}
		}
		r, err := PolygonRLE(b.H, b.W, outlines(t, b)...)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(r.Counts, b.RLE().Counts) {
			t.Fatalf("mask %v: polygons %v draw %v, want %v", b, outlines(t, b), r.Counts, b.RLE().Counts)
		}
	}
}

func TestRLEErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		make func() (RLE, error)
		want string
	}{
		{"huge", func() (RLE, error) { return ParseRLE(1<<20, 1<<20, "0") }, "1048576×1048576"},
		{"overflow", func() (RLE, error) { return ParseRLE(1<<62, 4, "0") }, "height×width"},
		{"negative", func() (RLE, error) { return NewRLE(-1, 4, []uint32{4}) }, "-1×4"},
		{"short", func() (RLE, error) { return NewRLE(2, 2, []uint32{3}) }, "sum to 3"},
		{"long", func() (RLE, error) { return NewRLE(2, 2, []uint32{1, 1 << 31, 1 << 31}) }, "sum to"},
		{"short text", func() (RLE, error) { return ParseRLE(2, 2, "11") }, "sum to 2"},
		{"long text", func() (RLE, error) { return ParseRLE(2, 2, "5") }, "run 0 of 5"},
		{"negative run", func() (RLE, error) { return ParseRLE(2, 2, "O") }, "run 0 of -1"},
		{"bad character", func() (RLE, error) { return ParseRLE(2, 2, "1 1") }, "' ' at 1"},
		{"cut off", func() (RLE, error) { return ParseRLE(2, 2, "1o") }, "inside the number at character 1"},
		{"endless number", func() (RLE, error) { return ParseRLE(2, 2, "oooooooooooo") }, "longer than 7"},
		{"no corners", func() (RLE, error) { return PolygonRLE(9, 9, []float64{1, 2, 5, 8, 3, 3}, nil) }, "polygon 1: 0 coordinates"},
		{"odd", func() (RLE, error) { return PolygonRLE(9, 9, []float64{1, 2, 3, 4, 5, 6, 7}) }, "7 coordinates"},
		{"far", func() (RLE, error) { return PolygonRLE(9, 9, []float64{1, 2, 3, 4, 5, 1e300}) }, "coordinate 5 is 1e+300"},
		{"merge", func() (RLE, error) {
			return RLE{H: 1, W: 2, Counts: []uint32{2}}.Union(RLE{H: 2, W: 1, Counts: []uint32{2}})
		}, "1×2 with one of 2×1"},
	} {
		if _, err := c.make(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
	}
	wide := make([]float64, 0, 60000) // a zigzag across a picture of 1 × 10 million pixels
	for i := range 100 {
		wide = append(wide, float64(i%2)*1e7, 0, 0, 1)
	}
	if _, err := PolygonRLE(1, 1e7, wide); err == nil || !strings.Contains(err.Error(), "crosses more than") {
		t.Errorf("zigzag: %v", err)
	}
	if got := (RLE{H: 1, W: 2, Counts: []uint32{0, 2}}).IoU(RLE{H: 2, W: 1, Counts: []uint32{0, 2}}, false); got != 0 {
		t.Errorf("IoU of masks of different sizes %v, want 0", got)
	}
	if r, err := PolygonRLE(3, 4); err != nil || r.Area() != 0 {
		t.Errorf("no polygons: %v, %v", r, err)
	}
}

func FuzzParseRLE(f *testing.F) {
	for _, c := range readCOCO(f).Pairs[:20] {
		f.Add(uint16(c.H), uint16(c.W), c.A)
	}
	f.Add(uint16(65535), uint16(4096), "PPPPPPPPP")
	f.Add(uint16(3), uint16(3), "1oooooo")
	f.Fuzz(func(t *testing.T, h, w uint16, s string) {
		r, err := ParseRLE(int(h), int(w), s)
		if err != nil {
			return
		}
		again, err := ParseRLE(r.H, r.W, r.Compress())
		if err != nil || !reflect.DeepEqual(again.Counts, r.Counts) {
			t.Fatalf("%v, coded and read again: %v, %v", r, again, err)
		}
		if r.Area() > 0 && (r.IoU(r, false) != 1 || r.IoU(r, true) != 1) {
			t.Fatalf("IoU of %v with itself is %v", r, r.IoU(r, false))
		}
		if b := r.Bounds(); b.X0 < 0 || b.Y0 < 0 || b.X1 > float64(w) || b.Y1 > float64(h) || r.Area() > 0 == b.Empty() {
			t.Fatalf("bounds %v of %v", b, r)
		}
	})
}

func FuzzPolygonRLE(f *testing.F) {
	f.Add(uint8(20), uint8(30), 1.0, 2.0, 15.5, 3.0, 7.0, 19.0, -3.0, 8.0)
	f.Add(uint8(0), uint8(3), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
	f.Add(uint8(9), uint8(9), 4e8, -4e8, -4e8, 4e8, 3e8, 1e-300, -1e8, 5.1)
	f.Fuzz(func(t *testing.T, h, w uint8, a, b, c, d, e, g, i, j float64) {
		r, err := PolygonRLE(int(h), int(w), []float64{a, b, c, d, e, g, i, j})
		if err != nil {
			return
		}
		if err := r.check(); err != nil {
			t.Fatal(err)
		}
		bm, err := r.Bitmap()
		if err != nil {
			t.Fatal(err)
		}
		again, err := PolygonRLE(bm.H, bm.W, outlines(t, bm)...)
		if err != nil || again.Area() != r.Area() || r.Area() > 0 && again.IoU(r, false) != 1 {
			t.Fatalf("%v traced and drawn again: %v, %v", r, again, err)
		}
	})
}

func BenchmarkPolygonRLE(b *testing.B) {
	xy := make([]float64, 0, 400)
	rng := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		xy = append(xy, 640*rng.Float64(), 480*rng.Float64())
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := PolygonRLE(480, 640, xy); err != nil {
			b.Fatal(err)
		}
	}
}
