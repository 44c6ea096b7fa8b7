package imageproc

import (
	"bytes"
	"image/jpeg"
	"math/rand/v2"
	"testing"
)

// patches draws a picture of random rectangles.
func patches(seed uint64, w, h int) *RGB {
	rng := rand.New(rand.NewPCG(seed, 1))
	m := NewRGB(w, h)
	for range 12 {
		x, y := rng.IntN(w-8), rng.IntN(h-8)
		m.fill(x, y, min(w, x+8+rng.IntN(w/2)), min(h, y+8+rng.IntN(h/2)), [3]uint8{uint8(rng.Uint32()), uint8(rng.Uint32()), uint8(rng.Uint32())})
	}
	return m
}

// TestFingerprintFindsCopies: encoded again, scaled or brightened pictures are near, all others are not.
func TestFingerprintFindsCopies(t *testing.T) {
	const n = 40
	var prints []Fingerprint
	for seed := range uint64(n) {
		prints = append(prints, NewFingerprint(patches(seed, 160, 120)))
	}
	for seed := range uint64(n) {
		m := patches(seed, 160, 120)
		var b bytes.Buffer
		if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 40}); err != nil {
			t.Fatal(err)
		}
		again, _, err := DecodeBytes(b.Bytes(), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		bright := m.Clone()
		for i, v := range bright.Pix {
			bright.Pix[i] = uint8(min(int(v)+4, 255))
		}
		for what, copied := range map[string]*RGB{"encoded": again, "halved": Resize(m, 80, 60, Bilinear), "odd size": Resize(m, 151, 117, Bicubic), "brighter": bright} {
			f := NewFingerprint(copied)
			for i := range prints {
				if got := prints[i].Near(&f); got != (uint64(i) == seed) {
					t.Errorf("picture %d, %s, beside picture %d: near is %v", seed, what, i, got)
				}
			}
		}
	}
}

// TestFingerprintOfFlatPictures: noise of a level or two does not decide; colours do.
func TestFingerprintOfFlatPictures(t *testing.T) {
	grey := func(seed uint64, c [3]uint8) Fingerprint {
		rng := rand.New(rand.NewPCG(seed, 2))
		m := NewRGB(50, 40)
		m.fill(0, 0, 50, 40, c)
		for i := range m.Pix {
			m.Pix[i] += uint8(rng.IntN(3))
		}
		return NewFingerprint(m)
	}
	a, b, c := grey(1, [3]uint8{90, 90, 90}), grey(2, [3]uint8{90, 90, 90}), grey(3, [3]uint8{120, 90, 70})
	if a.Hash != 0 || !a.Near(&b) || a.Near(&c) {
		t.Errorf("hash %x, near %v, %v", a.Hash, a.Near(&b), a.Near(&c))
	}
	one := NewFingerprint(NewRGB(1, 1))
	if !one.Near(&one) {
		t.Error("a picture is not like itself")
	}
}

func BenchmarkFingerprint(b *testing.B) {
	m := patches(1, 640, 480)
	for b.Loop() {
		NewFingerprint(m)
	}
}
