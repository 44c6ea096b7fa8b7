package jpeg

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	stdjpeg "image/jpeg"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"fovea/internal/cpu"
)

func decode(t *testing.T, data []byte) *Picture {
	t.Helper()
	p, err := Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var samplings = map[string][][2]int{
	"grey":         {{1, 1}},
	"grey 2x2":     {{2, 2}},
	"4:4:4":        {{1, 1}, {1, 1}, {1, 1}},
	"4:2:2":        {{2, 1}, {1, 1}, {1, 1}},
	"4:2:0":        {{2, 2}, {1, 1}, {1, 1}},
	"4:4:0":        {{1, 2}, {1, 1}, {1, 1}},
	"4:1:1":        {{4, 1}, {1, 1}, {1, 1}},
	"4:1:0":        {{4, 2}, {1, 1}, {1, 1}},
	"chroma apart": {{2, 2}, {2, 1}, {1, 2}},
	"CMYK":         {{1, 1}, {1, 1}, {1, 1}, {1, 1}},
	"CMYK 4:2:0":   {{2, 2}, {1, 1}, {1, 1}, {2, 2}},
}

// The same coefficients give the same pixels however they are written: sequential or progressive, in one scan or in several,
// with restart markers, with codes of any length. Padding blocks are no part of single scans, so their rows differ in nothing
// that is seen.
func TestLayouts(t *testing.T) {
	for name, s := range samplings {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, uint64(len(name))))
			for _, size := range [][2]int{{1, 1}, {5, 3}, {8, 8}, {17, 9}, {33, 40}, {100, 31}} {
				p := newPicture(rng, size[0], size[1], s...)
				want := decode(t, p.file(encoding{codeLen: 8}))
				if want.W != size[0] || want.H != size[1] || want.Channels != len(s) {
					t.Fatalf("%d × %d × %d, want %v × %d", want.W, want.H, want.Channels, size, len(s))
				}
				for _, e := range []encoding{
					{codeLen: 10}, {codeLen: 11}, {codeLen: 16}, {codeLen: 9, restart: 1}, {codeLen: 8, restart: 3}, {codeLen: 8, apart: true},
					{codeLen: 12, apart: true, restart: 2}, {codeLen: 8, noEnd: true},
					{codeLen: 8, progressive: true}, {codeLen: 13, progressive: true, restart: 4},
				} {
					got := decode(t, p.file(e))
					if !bytes.Equal(got.Pix, want.Pix) {
						t.Errorf("%v, %+v: not the pixels of one sequential scan", size, e)
					}
				}
			}
		})
	}
}

// Every instruction set decodes to the same bytes.
func TestImplementations(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	data := newPicture(rng, 150, 61, samplings["4:2:0"]...).file(encoding{codeLen: 8})
	var first []uint8
	for _, name := range cpu.Impls("pixel") {
		restore := cpu.Select("pixel", name)
		p := decode(t, data)
		restore()
		if first == nil {
			first = p.Pix
		}
		if !bytes.Equal(p.Pix, first) {
			t.Errorf("%s differs", name)
		}
	}
}

// Go's own decoder agrees but for the rounding of the transform, of which the grey picture's pixels show at most one.
func TestLikeStandardLibrary(t *testing.T) {
	files, err := filepath.Glob("../testdata/jpeg/*.jpg")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := DecodeConfig(data)
		if err != nil {
			t.Errorf("%s: %v", f, err)
		}
		std, err := stdjpeg.Decode(bytes.NewReader(data))
		if err != nil {
			continue // four colours without Adobe's marker
		}
		p := decode(t, data)
		if cfg != (Config{p.W, p.H}) || std.Bounds().Dx() != p.W || std.Bounds().Dy() != p.H {
			t.Errorf("%s: %d × %d, config %v, standard library %v", f, p.W, p.H, cfg, std.Bounds())
		}
		if g, ok := std.(*image.Gray); ok {
			for i, v := range p.Pix {
				if d := int(v) - int(g.Pix[i/p.W*g.Stride+i%p.W]); d < -1 || d > 1 {
					t.Fatalf("%s: pixel %d differs by %d", f, i, d)
				}
			}
		}
	}
}

func TestFromYCbCr(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	for ratio := image.YCbCrSubsampleRatio444; ratio <= image.YCbCrSubsampleRatio410; ratio++ {
		for _, side := range []int{1, 2, 3, 5, 40, 41} {
			m := image.NewYCbCr(image.Rect(0, 0, side, side), ratio)
			y, cb, cr := uint8(rng.Uint32()), uint8(rng.IntN(60)+98), uint8(rng.IntN(60)+98)
			for i := range m.Y {
				m.Y[i] = y
			}
			for i := range m.Cb {
				m.Cb[i], m.Cr[i] = cb, cr
			}
			p := FromYCbCr(m)
			r, g, b, _ := m.At(0, 0).RGBA()
			for i, v := range p.Pix {
				if d := int(v) - int([]uint32{r, g, b}[i%3]>>8); d < -1 || d > 1 {
					t.Fatalf("%v, side %d: sample %d is %d of colour %d %d %d", ratio, side, i, v, r>>8, g>>8, b>>8)
				}
			}
		}
	}
}

func TestErrors(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 5))
	good := newPicture(rng, 40, 40, samplings["4:2:0"]...)
	base := good.file(encoding{codeLen: 8})
	apart := good.file(encoding{codeLen: 8, apart: true})
	replace := func(old, with string) []byte {
		if !bytes.Contains(base, []byte(old)) {
			t.Fatalf("%q is not in the file", old)
		}
		return bytes.Replace(base, []byte(old), []byte(with), 1)
	}
	frame := "\xff\xc0\x00\x11\x08\x00\x28\x00\x28\x03"
	unsupported, format := new(UnsupportedError), new(FormatError)
	for name, c := range map[string]struct {
		data []byte
		want any // nil: io.ErrUnexpectedEOF
	}{
		"empty":               {nil, format},
		"no JPEG":             {[]byte("hello"), format},
		"start alone":         {base[:2], nil},
		"end at once":         {[]byte("\xff\xd8\xff\xd9"), nil},
		"cut":                 {base[:len(base)*2/3], nil},
		"cut, with an end":    {append(bytes.Clone(base[:len(base)*2/3]), 0xff, 0xd9), nil},
		"cut interval":        {good.file(encoding{codeLen: 8, restart: 2})[:len(base)*2/3], nil},
		"progressive, no end": {good.file(encoding{codeLen: 8, progressive: true, noEnd: true}), nil},
		"two scans of three":  {apart[:bytes.LastIndex(apart, []byte("\xff\xda"))], nil},
		"arithmetic":          {replace("\xff\xc0", "\xff\xc9"), unsupported},
		"lossless":            {replace("\xff\xc0", "\xff\xc3"), unsupported},
		"hierarchical":        {replace("\xff\xc0", "\xff\xc5"), unsupported},
		"12 bits":             {replace(frame, "\xff\xc0\x00\x11\x0c\x00\x28\x00\x28\x03"), unsupported},
		"two colours":         {newPicture(rng, 8, 8, [2]int{1, 1}, [2]int{1, 1}).file(encoding{codeLen: 8}), unsupported},
		"no height":           {replace(frame, "\xff\xc0\x00\x11\x08\x00\x00\x00\x28\x03"), format},
		"fractional":          {newPicture(rng, 8, 8, [2]int{3, 1}, [2]int{2, 1}, [2]int{1, 1}).file(encoding{codeLen: 8}), unsupported},
		"factor 0":            {replace("\x01\x22\x00\x02\x11", "\x01\x02\x00\x02\x11"), format},
		"same name":           {replace("\x01\x22\x00\x02\x11", "\x01\x22\x00\x01\x11"), format},
		"no quantisation":     {replace("\xff\xdb\x00\x43\x00", "\xff\xdb\x00\x43\x01"), format},
		"no Huffman table":    {replace("\xff\xc4\x00\x24\x00", "\xff\xc4\x00\x24\x01"), format},
		"too many codes":      {replace("\xff\xc4\x00\x24\x00\x00\x00\x00\x00\x11", "\xff\xc4\x00\x24\x00\x00\x00\x11\x00\x00"), format},
		"segment of length 1": {replace("\xff\xdb\x00\x43", "\xff\xdb\x00\x01"), format},
		"segment too long":    {replace("\xff\xdb\x00\x43", "\xff\xdb\xf0\x43"), nil},
		"huge and empty":      {replace(frame, "\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03"), nil},
		"wrong restart":       {bytes.Replace(good.file(encoding{codeLen: 8, restart: 2}), []byte("\xff\xd1"), []byte("\xff\xd5"), 1), format},
	} {
		p, err := Decode(c.data)
		if c.want == nil {
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: %v, want an unexpected EOF", name, err)
			}
		} else if !errors.As(err, c.want) {
			t.Errorf("%s: %v, want %T", name, err, c.want)
		}
		if p != nil {
			t.Errorf("%s: a picture besides %v", name, err)
		}
	}
	many := bytes.Clone(good.file(encoding{codeLen: 8, progressive: true}))
	body := many[bytes.Index(many, []byte("\xff\xda")) : len(many)-2]
	one := body[:bytes.Index(body[2:], []byte("\xff\xda"))+2]
	many = append(many[:len(many)-2], bytes.Repeat(one, 64)...)
	if _, err := Decode(append(many, 0xff, 0xd9)); !errors.As(err, unsupported) {
		t.Errorf("many scans: %v", err)
	}
}

// A decoder that was used before, and failed, leaves no trace.
func TestReuse(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 6))
	var files [][]byte
	var want []*Picture
	for _, s := range samplings {
		for _, progressive := range []bool{false, true} {
			f := newPicture(rng, 1+rng.IntN(60), 1+rng.IntN(60), s...).file(encoding{codeLen: 8, progressive: progressive})
			files = append(files, f)
			want = append(want, decode(t, f))
		}
	}
	for range 300 {
		i := rng.IntN(len(files))
		if rng.IntN(3) == 0 {
			_, _ = Decode(files[i][:rng.IntN(len(files[i]))])
			continue
		}
		if got := decode(t, files[i]); !bytes.Equal(got.Pix, want[i].Pix) {
			t.Fatalf("file %d is decoded to other pixels the second time", i)
		}
	}
}

func TestGoEncoder(t *testing.T) {
	m := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range m.Pix {
		m.Pix[i] = uint8(i / 16)
	}
	var b bytes.Buffer
	if err := stdjpeg.Encode(&b, m, &stdjpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	p := decode(t, b.Bytes())
	var sum int
	for i, v := range p.Pix {
		d := int(v) - int(m.Pix[i/3*4+i%3])
		sum += d * d
	}
	if mean := float64(sum) / float64(len(p.Pix)); mean > 30 {
		t.Errorf("mean squared error %g", mean)
	}
}

func FuzzDecode(f *testing.F) {
	files, _ := filepath.Glob("../testdata/jpeg/*.jpg")
	for _, name := range files {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(data)
		}
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for _, s := range samplings {
		p := newPicture(rng, 20, 12, s...)
		for _, e := range []encoding{{codeLen: 8}, {codeLen: 12, restart: 1}, {codeLen: 8, apart: true}, {codeLen: 8, progressive: true}} {
			f.Add(p.file(e))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := DecodeConfig(data)
		if err == nil && cfg.W*cfg.H > 1<<18 {
			t.Skip()
		}
		p, err := Decode(data)
		if err == nil && (p.W != cfg.W || p.H != cfg.H || len(p.Pix) != p.W*p.H*p.Channels) {
			t.Errorf("%d × %d × %d, %d bytes, config %v", p.W, p.H, p.Channels, len(p.Pix), cfg)
		}
		for _, name := range cpu.Impls("pixel") {
			restore := cpu.Select("pixel", name)
			q, again := Decode(data)
			restore()
			if fmt.Sprint(err) != fmt.Sprint(again) || err == nil && !bytes.Equal(p.Pix, q.Pix) {
				t.Errorf("%s: %v, %v", name, err, again)
			}
		}
	})
}
