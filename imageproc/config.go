package imageproc

import (
	"fmt"
	"math"
)

// Fit says how a picture of any shape becomes a square.
type Fit uint8

const (
	// Letterbox scales the picture until it fits, and fills the margins on two sides.
	Letterbox Fit = iota
	// Squash scales width and height separately.
	Squash
	// CenterCrop scales the shorter side and cuts the ends of the longer one off.
	CenterCrop
)

var fitNames = [...]string{"letterbox", "squash", "center_crop"}

func (f Fit) String() string {
	if int(f) < len(fitNames) {
		return fitNames[f]
	}
	return fmt.Sprintf("Fit(%d)", uint8(f))
}

// MarshalText writes the name.
func (f Fit) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads a name.
func (f *Fit) UnmarshalText(b []byte) error {
	for i, n := range fitNames {
		if n == string(b) {
			*f = Fit(i)
			return nil
		}
	}
	return fmt.Errorf("imageproc: unknown fit %q; choose one of %q", b, fitNames)
}

// Config says how pictures become a model's input. The zero value of everything but Size is useful: letterbox, bilinear,
// black margins, values in [0, 1].
type Config struct {
	Size   int    `json:"size"` // side of the model's square, pixels
	Fit    Fit    `json:"fit"`
	Filter Filter `json:"filter"`
	// Short is the length that CenterCrop scales the shorter side to; 0 means Size. ImageNet models often take 256 → 224.
	Short int        `json:"short,omitempty"`
	Mean  [3]float32 `json:"mean"` // red, green, blue, of values in [0, 1]
	Std   [3]float32 `json:"std"`  // 0 counts as 1
	Fill  [3]uint8   `json:"fill"` // colour of the margins
}

// Validate names the first setting that cannot work.
func (c Config) Validate() error {
	switch {
	case c.Size < 1 || c.Size > 1<<14:
		return fmt.Errorf("imageproc: size %d of the model's picture is not within 1 … %d", c.Size, 1<<14)
	case int(c.Fit) >= len(fitNames):
		return fmt.Errorf("imageproc: unknown fit %d", c.Fit)
	case int(c.Filter) >= len(filterNames):
		return fmt.Errorf("imageproc: unknown filter %d", c.Filter)
	case c.Short < 0:
		return fmt.Errorf("imageproc: short side %d is negative", c.Short)
	}
	return nil
}

// Apply fits a picture of at least 1 × 1 pixels into the Size × Size square, and says how it lies there. The picture
// stays 8-bit; Normalize makes it the model's numbers.
func (c Config) Apply(img *RGB) (*RGB, Geometry) {
	w, h := c.scaled(img.W, img.H)
	out := Resize(img, w, h, c.Filter)
	x, y := (c.Size-w)/2, (c.Size-h)/2 // towards zero: the margin and the cut-off part are rounded down
	g := Geometry{img.W, img.H, c.Size, c.Size, float64(w) / float64(img.W), float64(h) / float64(img.H), float64(x), float64(y)}
	if w == c.Size && h == c.Size {
		return out, g
	}
	square := NewRGB(c.Size, c.Size)
	if c.Fill != [3]uint8{} {
		square.fill(0, 0, c.Size, c.Size, c.Fill)
	}
	square.paste(out, x, y)
	return square, g
}

// scaled is the size that a picture is resized to before it is placed in the square.
func (c Config) scaled(w, h int) (int, int) {
	s := float64(c.Size)
	switch c.Fit {
	case Squash:
		return c.Size, c.Size
	case CenterCrop:
		short := c.Short
		if short == 0 {
			short = c.Size
		}
		if w <= h {
			return short, max(short*h/w, 1)
		}
		return max(short*w/h, 1), short
	default:
		k := min(s/float64(w), s/float64(h))
		side := func(n int) int { return min(max(int(math.Round(float64(n)*k)), 1), c.Size) }
		return side(w), side(h)
	}
}

// Normalize writes (value/255 - mean)/std of every sample as float32 with the channels innermost (N, H, W, C order); dst
// holds 3·W·H numbers. A std of 0 counts as 1.
func Normalize(dst []float32, img *RGB, mean, std [3]float32) {
	t := normalTables(mean, std)
	p := img.Pix
	dst = dst[:len(p)]
	for i := 0; i+2 < len(p); i += 3 {
		dst[i], dst[i+1], dst[i+2] = t[0][p[i]], t[1][p[i+1]], t[2][p[i+2]]
	}
}

// NormalizeCHW is Normalize with a plane for each channel (N, C, H, W order).
func NormalizeCHW(dst []float32, img *RGB, mean, std [3]float32) {
	t := normalTables(mean, std)
	n := img.W * img.H
	for c := range 3 {
		d, p := dst[c*n:(c+1)*n], img.Pix[c:]
		for i := range d {
			d[i] = t[c][p[3*i]]
		}
	}
}

// normalTables hold the number that each byte becomes, computed in float32 as the reference programs do.
func normalTables(mean, std [3]float32) (t [3][256]float32) {
	for c := range t {
		s := std[c]
		if s == 0 {
			s = 1
		}
		for v := range t[c] {
			t[c][v] = (float32(v)/255 - mean[c]) / s
		}
	}
	return t
}
