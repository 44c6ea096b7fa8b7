package imageproc

import (
	"bytes"
	"fmt"
	"testing"

	"fovea/annotation"
)

// A constant picture stays constant under every filter, and a copy is a copy.
func TestResizeConstant(t *testing.T) {
	m := NewRGB(31, 17)
	m.fill(0, 0, 31, 17, [3]uint8{7, 250, 128})
	for f := range filterNames {
		for _, s := range [][2]int{{31, 17}, {1, 1}, {5, 40}, {100, 3}, {62, 34}} {
			out := Resize(m, s[0], s[1], Filter(f))
			if out.W != s[0] || out.H != s[1] || len(out.Pix) != 3*s[0]*s[1] {
				t.Fatalf("%v to %v: %d × %d", Filter(f), s, out.W, out.H)
			}
			for i, v := range out.Pix {
				if v != m.Pix[i%3] {
					t.Fatalf("%v to %v: sample %d is %d", Filter(f), s, i, v)
				}
			}
		}
	}
	c := Resize(m, 31, 17, Bicubic)
	c.Pix[0]++
	if m.Pix[0] != 7 {
		t.Error("a picture of the right size is not copied")
	}
}

// A box of whole pixels at its own size is a crop.
func TestResizeBoxCrops(t *testing.T) {
	m := pattern(20, 15)
	for f := range filterNames {
		got := ResizeBox(m, annotation.Box{X0: 3, Y0: 4, X1: 11, Y1: 10}, 8, 6, Filter(f))
		for y := range 6 {
			if want := m.Pix[3*((y+4)*20+3):][:24]; !bytes.Equal(got.Pix[24*y:24*y+24], want) {
				t.Errorf("%v: row %d", Filter(f), y)
			}
		}
	}
}

func TestResizeRefuses(t *testing.T) {
	for name, f := range map[string]func(){
		"size":      func() { Resize(NewRGB(4, 4), 0, 3, Box) },
		"empty":     func() { Resize(NewRGB(0, 4), 2, 3, Box) },
		"short":     func() { Resize(&RGB{4, 4, nil}, 2, 3, Box) },
		"box":       func() { ResizeBox(NewRGB(4, 4), annotation.Box{X1: 4.5, Y1: 4}, 2, 2, Box) },
		"empty box": func() { ResizeBox(NewRGB(4, 4), annotation.Box{X0: 2, X1: 2, Y1: 4}, 2, 2, Box) },
		"planes":    func() { ResizePlanes(make([]float32, 16), 1, 4, 4, 2, 2, Nearest, true) },
		"lanczos":   func() { ResizePlanes(make([]float32, 16), 1, 4, 4, 2, 2, Lanczos, false) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			f()
		}()
	}
}

func BenchmarkResize(b *testing.B) {
	src := pattern(640, 480)
	for _, f := range []Filter{Bilinear, Bicubic, Lanczos} {
		b.Run(fmt.Sprintf("640x480to224x224/%v", f), func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(src.Pix)))
			for b.Loop() {
				Resize(src, 224, 224, f)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}

// BenchmarkLoad is the way of a training picture: JPEG of 640 × 480 → 224 × 224 bicubic → float32.
func BenchmarkLoad(b *testing.B) {
	m := NewRGB(640, 480)
	for i := range m.Pix { // smooth, like a photograph
		x, y := i/3%640, i/3/640
		m.Pix[i] = uint8(128 + 60*((x/40+y/30)%2) + (x*y>>9)%40 + i%3*10)
	}
	var buf bytes.Buffer
	if err := EncodeJPEG(&buf, m, 85); err != nil {
		b.Fatal(err)
	}
	dst := make([]float32, 3*224*224)
	c := Config{Size: 224, Fit: Squash, Filter: Bicubic}
	for _, whole := range []bool{false, true} {
		b.Run(map[bool]string{false: "decode", true: "decode+resize+normalize"}[whole], func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				img, _, err := DecodeBytes(buf.Bytes(), Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if whole {
					small, _ := c.Apply(img)
					Normalize(dst, small, c.Mean, c.Std)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
