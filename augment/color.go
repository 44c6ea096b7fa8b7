package augment

import (
	"math"
	"math/rand/v2"
	"sync"

	"fovea/imageproc"
)

// Color changes how a picture was lit and taken, not where things are. Its zero value changes nothing. Annotations stay as
// they are, but see the package documentation for texts that name colours.
type Color struct {
	// Brightness, Contrast and Saturation b multiply by a factor drawn from [1−b, 1+b]: all of the picture, its distance
	// from the mean brightness, and its distance from grey.
	Brightness, Contrast, Saturation float64
	// Hue turns colours around the grey axis by up to this part of a full turn, either way.
	Hue float64
	// Grey is the probability of removing colour.
	Grey float64
	// Noise is the largest standard deviation of the noise added to each component, in steps of 1/255; it is drawn from
	// [0, Noise].
	Noise float64
	// Blur and JPEG are the probabilities of a slight blur and of compression with a quality between 30 and 90.
	Blur, JPEG float64
}

// ColorJitter is the usual mixture of one strength in [0, 1]: brightness, contrast and saturation change by up to that
// share and the hue by a quarter of it (SimCLR's ratio is a quarter as well: Chen et al. 2020, appendix A).
func ColorJitter(strength float64) Color {
	return Color{Brightness: strength, Contrast: strength, Saturation: strength, Hue: strength / 4}
}

// mildly is what pictures get whose annotations name colours: no colour becomes another.
func (c Color) mildly() Color {
	c.Brightness, c.Contrast, c.Saturation, c.Hue, c.Grey = c.Brightness*.4, c.Contrast*.4, 0, 0, 0
	return c
}

// Apply draws a change and makes it in place.
func (c Color) Apply(rng *rand.Rand, img *imageproc.RGB) {
	s := pool.Get().(*scratch)
	defer pool.Put(s)
	s.all(img)
	c.apply(rng, img, s)
}

// apply changes what s.spans covers; blur and compression change the padding too. It always draws as often, apart from
// the noise, which comes last.
func (c Color) apply(rng *rand.Rand, img *imageproc.RGB, s *scratch) {
	factor := func(b float64) float64 { return max(1+b*(2*rng.Float64()-1), 0) }
	bright, contrast, saturation := factor(c.Brightness), factor(c.Contrast), factor(c.Saturation)
	hue := c.Hue * (2*rng.Float64() - 1)
	if rng.Float64() < c.Grey {
		saturation = 0
	}
	sigma := c.Noise * rng.Float64()
	blur, soft := rng.Float64() < c.Blur, .05+.28*rng.Float64()
	jpeg, quality := rng.Float64() < c.JPEG, 30+rng.IntN(61)
	if bright != 1 || contrast != 1 || saturation != 1 || hue != 0 {
		mean := 0.0
		if contrast != 1 {
			mean = brightness(img, s.spans)
		}
		colorMap(bright, contrast, saturation, hue, mean).apply(img, s.spans)
	}
	if blur {
		s.soften(img, soft)
	}
	if sigma > 0 {
		s.grain(rng, img, sigma)
	}
	if jpeg {
		compress(img, quality)
	}
}

// linear maps colours: 3 × 3 weights and an offset, with 12 fractional bits.
type linear struct {
	m [9]int32
	b [3]int32
}

// luma weighs red, green and blue by how bright they look (ITU-R BT.601).
var luma = [3]float64{.299, .587, .114}

// colorMap joins all changes into one map, since each is linear: the hue turns colours around the axis of greys,
// saturation moves them towards their brightness, and contrast away from the mean brightness of the picture.
func colorMap(bright, contrast, saturation, hue, mean float64) linear {
	var l linear
	sin, cos := math.Sincos(2 * math.Pi * hue)
	k, s := (1-cos)/3, sin/math.Sqrt(3)
	turn := [3][3]float64{{cos + k, k - s, k + s}, {k + s, cos + k, k - s}, {k - s, k + s, cos + k}}
	gain := bright * contrast
	for j := range 3 {
		grey := luma[0]*turn[0][j] + luma[1]*turn[1][j] + luma[2]*turn[2][j]
		for i := range 3 {
			l.m[3*i+j] = int32(math.Round(4096 * gain * (saturation*turn[i][j] + (1-saturation)*grey)))
		}
	}
	for i := range l.b {
		l.b[i] = int32(math.Round(4096*bright*(1-contrast)*mean)) + 2048
	}
	return l
}

func (l linear) apply(img *imageproc.RGB, spans []span) {
	m, b := l.m, l.b
	for y, s := range spans {
		line := img.Pix[3*(y*img.W+s.X0) : 3*(y*img.W+s.X1)]
		for ; len(line) >= 3; line = line[3:] {
			r, g, k := int32(line[0]), int32(line[1]), int32(line[2])
			line[0] = clamp((m[0]*r + m[1]*g + m[2]*k + b[0]) >> 12)
			line[1] = clamp((m[3]*r + m[4]*g + m[5]*k + b[1]) >> 12)
			line[2] = clamp((m[6]*r + m[7]*g + m[8]*k + b[2]) >> 12)
		}
	}
}

func clamp(v int32) uint8 {
	if uint32(v) > 255 {
		v = ^v >> 31 & 255
	}
	return uint8(v)
}

// brightness is the mean luma of every third pixel of the spans, in [0, 255].
func brightness(img *imageproc.RGB, spans []span) float64 {
	var sum, n int
	for y, s := range spans {
		for x := s.X0; x < s.X1; x += 3 {
			p := img.Pix[3*(y*img.W+x):]
			sum += 77*int(p[0]) + 150*int(p[1]) + 29*int(p[2])
			n++
		}
	}
	return float64(sum) / float64(256*max(n, 1))
}

// normals are numbers of a standard normal distribution.
var normals = sync.OnceValue(func() []float32 {
	rng := rand.New(rand.NewPCG(1, 1))
	n := make([]float32, 4096)
	for i := range n {
		n[i] = float32(rng.NormFloat64())
	}
	return n
})

// grain adds normal noise. Drawing 3·W·H normal numbers would take longer than everything else, so each row reads a table
// of them from a random place.
func (s *scratch) grain(rng *rand.Rand, img *imageproc.RGB, sigma float64) {
	table := normals()
	if s.noise == nil {
		s.noise = make([]int16, len(table))
	}
	noise := s.noise
	for i, v := range table {
		noise[i] = int16(math.Round(float64(v) * sigma))
	}
	for y, r := range s.spans {
		line := img.Pix[3*(y*img.W+r.X0) : 3*(y*img.W+r.X1)]
		at := int(rng.Uint32())
		for i, v := range line {
			line[i] = clamp(int32(v) + int32(noise[(at+i)&4095]))
		}
	}
}
