package imageproc

import (
	"fmt"
	"math"
)

// Filter is an interpolation kernel, named as in Pillow. The zero value is Bilinear.
type Filter uint8

const (
	Bilinear Filter = iota
	Nearest
	Box
	Hamming
	Bicubic
	Lanczos
)

var filterNames = [...]string{"bilinear", "nearest", "box", "hamming", "bicubic", "lanczos"}

func (f Filter) String() string {
	if int(f) < len(filterNames) {
		return filterNames[f]
	}
	return fmt.Sprintf("Filter(%d)", uint8(f))
}

// MarshalText and UnmarshalText write and read the filter's name in configurations.
func (f Filter) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads a filter's name.
func (f *Filter) UnmarshalText(b []byte) (err error) {
	*f, err = ParseFilter(string(b))
	return err
}

// ParseFilter finds a filter by its name.
func ParseFilter(name string) (Filter, error) {
	for i, n := range filterNames {
		if n == name {
			return Filter(i), nil
		}
	}
	return 0, fmt.Errorf("imageproc: unknown filter %q; choose one of %q", name, filterNames)
}

// PILFilter finds a filter by its number in Pillow ("resample" in the preprocessor_config.json of published models).
func PILFilter(resample int) (Filter, error) {
	byNumber := []Filter{Nearest, Lanczos, Bilinear, Bicubic, Box, Hamming}
	if resample < 0 || resample >= len(byNumber) {
		return 0, fmt.Errorf("imageproc: unknown Pillow filter number %d; choose 0 to 5", resample)
	}
	return byNumber[resample], nil
}

// kernel gives the filter's weight function and its reach on either side, in source pixels (Pillow, Resample.c).
// Products are converted explicitly so that no platform fuses them into a sum: weights then round alike everywhere.
func (f Filter) kernel() (func(float64) float64, float64) {
	switch f {
	case Box:
		return func(x float64) float64 {
			if x > -.5 && x <= .5 {
				return 1
			}
			return 0
		}, .5
	case Hamming:
		return func(x float64) float64 {
			x = math.Abs(x)
			if x == 0 {
				return 1
			}
			if x >= 1 {
				return 0
			}
			x *= math.Pi
			return math.Sin(x) / x * (float64(float32(.54)) + float64(float64(float32(.46))*math.Cos(x))) // single precision, as there
		}, 1
	case Bicubic:
		return cubic(-.5), 2
	case Lanczos:
		return func(x float64) float64 {
			if x >= -3 && x < 3 {
				return sinc(x) * sinc(x/3)
			}
			return 0
		}, 3
	default:
		return func(x float64) float64 { return max(1-math.Abs(x), 0) }, 1
	}
}

// cubic is Keys' convolution kernel (1981) with slope a at 1.
func cubic(a float64) func(float64) float64 {
	return func(x float64) float64 {
		x = math.Abs(x)
		switch {
		case x < 1:
			return float64((float64((a+2)*x)-(a+3))*x)*x + 1
		case x < 2:
			return (float64((float64((x-5)*x)+8)*x) - 4) * a
		}
		return 0
	}
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	x *= math.Pi
	return math.Sin(x) / x
}
