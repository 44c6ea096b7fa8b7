package imageproc

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/annotation"
)

// Every fit takes points there and back, to 1e-9 of a pixel, and boxes and points that it shows stay where they are in
// the picture's content.
func TestRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		w, h := 1+rng.IntN(60), 1+rng.IntN(60)
		if rng.IntN(4) == 0 {
			w *= 1 + rng.IntN(40)
		}
		c := Config{Size: 1 + rng.IntN(50), Fit: Fit(rng.IntN(3)), Filter: Nearest, Fill: [3]uint8{9, 9, 9}}
		out, g := c.Apply(NewRGB(w, h))
		if out.W != c.Size || out.H != c.Size || g.SrcW != w || g.SrcH != h || g.DstW != c.Size || g.DstH != c.Size {
			t.Fatalf("%v of %d × %d: %d × %d, %+v", c, w, h, out.W, out.H, g)
		}
		for range 5 {
			x, y := rng.Float64()*float64(w), rng.Float64()*float64(h)
			mx, my := g.ToModel(x, y)
			bx, by := g.ToSource(mx, my)
			if math.Abs(bx-x) > 1e-9 || math.Abs(by-y) > 1e-9 {
				t.Fatalf("%+v: (%g, %g) → (%g, %g) → (%g, %g)", g, x, y, mx, my, bx, by)
			}
			if c.Fit != CenterCrop && (mx < -1e-9 || my < -1e-9 || mx > float64(c.Size)+1e-9 || my > float64(c.Size)+1e-9) {
				t.Fatalf("%+v: (%g, %g) lies outside at (%g, %g)", g, x, y, mx, my)
			}
			b := annotation.Box{X0: x, Y0: y, X1: x + rng.Float64()*float64(w), Y1: y + rng.Float64()*float64(h)}.Clip(float64(w), float64(h))
			if c.Fit != CenterCrop {
				if r := g.BoxToSource(g.BoxToModel(b)); math.Abs(r.X0-b.X0)+math.Abs(r.Y0-b.Y0)+math.Abs(r.X1-b.X1)+math.Abs(r.Y1-b.Y1) > 1e-8 {
					t.Fatalf("%+v: box %v became %v", g, b, r)
				}
			}
		}
		if all := g.BoxToSource(annotation.Box{X0: -1e9, Y0: -1e9, X1: 1e9, Y1: 1e9}); all != (annotation.Box{X1: float64(w), Y1: float64(h)}) {
			t.Fatalf("%+v: everything is %v", g, all)
		}
	}
}

func TestApply(t *testing.T) {
	img := NewRGB(40, 20)
	img.fill(0, 0, 40, 20, [3]uint8{200, 100, 50})
	for _, c := range []struct {
		c    Config
		want Geometry
		// picture rows and columns 0, 5, 10, 19 of the middle line: # picture, . margin
		column, row string
	}{
		{Config{Size: 20}, Geometry{40, 20, 20, 20, .5, .5, 0, 5}, ".##.", "####"},
		{Config{Size: 20, Fit: Squash}, Geometry{40, 20, 20, 20, .5, 1, 0, 0}, "####", "####"},
		{Config{Size: 20, Fit: CenterCrop}, Geometry{40, 20, 20, 20, 1, 1, -10, 0}, "####", "####"},
		{Config{Size: 20, Fit: CenterCrop, Short: 25}, Geometry{40, 20, 20, 20, 1.25, 1.25, -15, -2}, "####", "####"},
		{Config{Size: 20, Fit: CenterCrop, Short: 10}, Geometry{40, 20, 20, 20, .5, .5, 0, 5}, ".##.", "####"},
		{Config{Size: 41}, Geometry{40, 20, 41, 41, 1.025, 1.05, 0, 10}, "..##", "####"},
	} {
		c.c.Fill = [3]uint8{1, 2, 3}
		c.c.Filter = Bicubic
		out, g := c.c.Apply(img)
		if g != c.want {
			t.Errorf("%+v: %+v, want %+v", c.c, g, c.want)
		}
		look := func(x, y int) byte {
			switch [3]uint8(out.Pix[3*(y*out.W+x):]) {
			case [3]uint8{200, 100, 50}:
				return '#'
			case [3]uint8{1, 2, 3}:
				return '.'
			}
			return '?'
		}
		var col, row []byte
		for _, i := range []int{0, 5, 10, 19} {
			col, row = append(col, look(c.c.Size/2, i)), append(row, look(i, c.c.Size/2))
		}
		if string(col) != c.column || string(row) != c.row {
			t.Errorf("%+v: column %s, row %s; want %s, %s", c.c, col, row, c.column, c.row)
		}
	}
	if out, g := (Config{Size: 8}).Apply(NewRGB(1000, 1)); out.W != 8 || g.ScaleY != 1 || g.PadY != 3 {
		t.Errorf("a line: %+v", g)
	}
}

func TestConfigValidate(t *testing.T) {
	if err := (Config{Size: 224}).Validate(); err != nil {
		t.Error(err)
	}
	for _, c := range []Config{{}, {Size: -1}, {Size: 1 << 20}, {Size: 8, Fit: 7}, {Size: 8, Filter: 9}, {Size: 8, Short: -1}} {
		if c.Validate() == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

func TestNames(t *testing.T) {
	for i, n := range filterNames {
		var f Filter
		if err := f.UnmarshalText([]byte(n)); err != nil || int(f) != i || f.String() != n {
			t.Errorf("%q: %v, %v", n, f, err)
		}
	}
	for i, n := range fitNames {
		var f Fit
		if err := f.UnmarshalText([]byte(n)); err != nil || int(f) != i || f.String() != n {
			t.Errorf("%q: %v, %v", n, f, err)
		}
	}
	for i, want := range []Filter{Nearest, Lanczos, Bilinear, Bicubic, Box, Hamming} {
		if f, err := PILFilter(i); err != nil || f != want {
			t.Errorf("Pillow's %d: %v, %v", i, f, err)
		}
	}
	if _, err := PILFilter(6); err == nil {
		t.Error("Pillow's filter 6 is accepted")
	}
	if _, err := ParseFilter("cubic"); err == nil {
		t.Error("filter cubic is accepted")
	}
}

// A half-plane in the model's frame is the same half-plane in the source, at any resolution of the map.
func TestMaskToSource(t *testing.T) {
	for _, fit := range []Fit{Letterbox, Squash, CenterCrop} {
		_, g := Config{Size: 64, Fit: fit}.Apply(NewRGB(200, 100))
		for _, n := range []int{8, 16, 64, 100} {
			const edge = 29.3 // model pixels
			m := make([]float32, n*n)
			for i := range m {
				m[i] = float32(edge - (float64(i%n)+.5)*64/float64(n))
			}
			b := g.MaskToSource(m, n, n, 0)
			if b.W != 200 || b.H != 100 {
				t.Fatalf("%d × %d", b.W, b.H)
			}
			for x := range 200 {
				mx, _ := g.ToModel(float64(x)+.5, 0)
				if math.Abs(mx-edge) < 1e-3 || n == 8 && (mx < 4 || mx > 60) {
					continue // beyond the outer samples' centres the map is constant
				}
				want := uint8(0)
				if mx >= 0 && mx <= 64 && mx < edge {
					want = 1
				}
				if got := b.Pix[50*200+x]; got != want {
					t.Errorf("%v, map of %d: source column %d (model %.2f) is %d", fit, n, x, mx, got)
				}
			}
		}
	}
	g := Identity(3, 2)
	in := &annotation.Bitmap{W: 3, H: 2, Pix: []uint8{1, 0, 1, 0, 1, 1}}
	if out := g.BitmapToSource(in); string(out.Pix) != string(in.Pix) {
		t.Errorf("identity: %v", out.Pix)
	}
	nan := float32(math.NaN())
	if out := g.MaskToSource([]float32{nan, nan, nan, nan}, 2, 2, 0); out.Area() != 0 {
		t.Error("NaN is inside")
	}
	if out := g.MaskToSource([]float32{1}, 2, 2, 0); out.Area() != 0 || out.W != 3 {
		t.Error("a short map is not refused")
	}
}

func TestNormalize(t *testing.T) {
	img := &RGB{2, 1, []uint8{0, 51, 102, 255, 204, 153}}
	mean, std := [3]float32{.5, .25, 0}, [3]float32{.5, .25, 0} // a std of 0 counts as 1
	want := []float32{-1, -.2, .4, 1, 2.2, .6}
	got := make([]float32, 6)
	Normalize(got, img, mean, std)
	chw := make([]float32, 6)
	NormalizeCHW(chw, img, mean, std)
	for i, w := range want {
		if math.Abs(float64(got[i]-w)) > 1e-6 {
			t.Errorf("value %d: %g, want %g", i, got[i], w)
		}
		if chw[i%3*2+i/3] != got[i] {
			t.Errorf("plane %d differs", i%3)
		}
	}
}
