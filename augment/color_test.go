package augment

import (
	"math"
	"testing"

	"fovea/imageproc"
)

func noisy(w, h int) *imageproc.RGB {
	m := smooth(w, h)
	rng := seeded(3)
	for i := range m.Pix {
		m.Pix[i] = uint8(rng.Uint32())
	}
	return m
}

func whole(m *imageproc.RGB) []span {
	s := make([]span, m.H)
	for i := range s {
		s[i] = span{0, m.W}
	}
	return s
}

func TestColorMap(t *testing.T) {
	for _, c := range []struct {
		name                                     string
		bright, contrast, saturation, hue, mean0 float64
		in, want                                 [3]uint8
	}{
		{"nothing", 1, 1, 1, 0, 0, [3]uint8{3, 141, 255}, [3]uint8{3, 141, 255}},
		{"darker", .5, 1, 1, 0, 0, [3]uint8{200, 100, 255}, [3]uint8{100, 50, 128}},
		{"brighter saturates", 1.4, 1, 1, 0, 0, [3]uint8{200, 100, 0}, [3]uint8{255, 140, 0}},
		{"no contrast", 1, 0, 1, 0, 99, [3]uint8{200, 100, 0}, [3]uint8{99, 99, 99}},
		{"more contrast", 1, 2, 1, 0, 100, [3]uint8{110, 60, 40}, [3]uint8{120, 20, 0}},
		{"grey", 1, 1, 0, 0, 0, [3]uint8{255, 0, 0}, [3]uint8{76, 76, 76}},
		{"a third of a turn", 1, 1, 1, 1. / 3, 0, [3]uint8{200, 50, 20}, [3]uint8{20, 200, 50}},
		{"greys have no hue", 1, 1, 1.4, .2, 0, [3]uint8{80, 80, 80}, [3]uint8{80, 80, 80}},
	} {
		m := &imageproc.RGB{W: 1, H: 1, Pix: append([]uint8(nil), c.in[:]...)}
		colorMap(c.bright, c.contrast, c.saturation, c.hue, c.mean0).apply(m, whole(m))
		for i := range c.want {
			if d := int(m.Pix[i]) - int(c.want[i]); d < -1 || d > 1 {
				t.Errorf("%s: %v becomes %v, want %v", c.name, c.in, m.Pix, c.want)
				break
			}
		}
	}
}

func TestGrain(t *testing.T) {
	const n = 200
	for _, sigma := range []float64{1, 4, 25} {
		m := imageproc.NewRGB(n, n)
		for i := range m.Pix {
			m.Pix[i] = 128
		}
		s := &scratch{spans: whole(m)}
		s.grain(seeded(1), m, sigma)
		var sum, square float64
		for _, v := range m.Pix {
			d := float64(v) - 128
			sum, square = sum+d, square+d*d
		}
		k := float64(len(m.Pix))
		mean, dev := sum/k, math.Sqrt(square/k)
		// Rounding adds 1/12 to the variance.
		if want := math.Sqrt(sigma*sigma + 1./12); math.Abs(mean) > .1+sigma/50 || math.Abs(dev/want-1) > .05 {
			t.Errorf("σ %g: mean %.3f, deviation %.3f, want 0, %.3f", sigma, mean, dev, want)
		}
	}
}

func TestSoftenAndCompress(t *testing.T) {
	variation := func(m *imageproc.RGB) (d float64) {
		for i := 3; i < len(m.Pix); i++ {
			d += math.Abs(float64(m.Pix[i]) - float64(m.Pix[i-3]))
		}
		return d
	}
	m := noisy(33, 17)
	before := variation(m)
	new(scratch).soften(m, 1./3)
	if after := variation(m); after > before*.6 {
		t.Errorf("blurred noise varies by %g, before %g", after, before)
	}
	point := imageproc.NewRGB(5, 5)
	point.Pix[3*(2*5+2)+1] = 240
	new(scratch).soften(point, .25)
	if got := [3]uint8{point.Pix[3*12+1], point.Pix[3*11+1], point.Pix[3*6+1]}; got != [3]uint8{60, 30, 15} || point.Pix[3*12] != 0 {
		t.Errorf("a point of 240 spreads to %v, want [60 30 15]", got)
	}
	for _, size := range [][2]int{{1, 1}, {1, 9}, {9, 1}, {2, 2}} {
		new(scratch).soften(noisy(size[0], size[1]), .3)
		compress(noisy(size[0], size[1]), 50)
	}
	flat := smooth(40, 24)
	was := flat.Clone()
	compress(flat, 90)
	worst := 0
	for i := range flat.Pix {
		worst = max(worst, int(math.Abs(float64(flat.Pix[i])-float64(was.Pix[i]))))
	}
	if worst == 0 || worst > 24 {
		t.Errorf("compressing a smooth picture changes it by up to %d", worst)
	}
}

// The padding keeps its colour through a change of lighting.
func TestPaddingKeepsItsColor(t *testing.T) {
	p, err := New(Config{Color: 1, Noise: 30})
	if err != nil {
		t.Fatal(err)
	}
	ex := person(60, 30, boxOf(10, 10, 20, 20))
	img, _ := p.Apply(seeded(1), ex, 60)
	for y := range 15 {
		for x := range 60 {
			for c := range 3 {
				if v := img.Pix[3*(y*60+x)+c]; v != 114 {
					t.Fatalf("padding at (%d, %d) is %d", x, y, v)
				}
			}
		}
	}
}
