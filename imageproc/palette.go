package imageproc

import (
	"hash/fnv"
	"math"
	"slices"
)

// hashed is how many colours a label may get by its name: few enough that any two are easily told apart.
const hashed = 20

// Color is the i-th of an endless row of colours. The first ten have hues 36° apart in the perceptual space OKLCH
// (Ottosson 2020), in an order in which neighbours differ much; the next ten are darker, and so on with the hues between.
func Color(i int) [3]uint8 {
	i = max(i, 0)
	level := [...]struct{ l, c float64 }{{.74, .17}, {.56, .20}, {.86, .12}, {.45, .15}}[i/10%4]
	return oklch(level.l, level.c, 25+36*float64(3*i%10)+18*float64(i/10%2)+9*float64(i/40))
}

// labelColors gives each label a colour. A label in order has the colour of its place. Any other takes one by a hash of
// its name, so that it looks the same in every picture; only when two labels of one picture meet in a hash does the later
// one, by the alphabet, move on.
func labelColors(labels, order []string) map[string]rgb {
	out := map[string]rgb{}
	for i, l := range order {
		if _, ok := out[l]; !ok {
			out[l] = Color(i)
		}
	}
	labels = slices.Clone(labels)
	slices.Sort(labels)
	taken := map[int]bool{}
	for _, l := range slices.Compact(labels) {
		if _, ok := out[l]; ok {
			continue
		}
		i := nameHash(l)
		for range hashed {
			if !taken[i] {
				break
			}
			i = (i + 1) % hashed
		}
		taken[i] = true
		out[l] = Color(i)
	}
	return out
}

// nameHash is a label's favourite among the hashed colours. The salt is one that keeps 16 of the most frequent labels of
// photographs apart: person, car, chair, dog, cat, bicycle, dining table, bottle, truck, bus, bird, book, cup, horse, tree, sky.
func nameHash(label string) int {
	h := fnv.New32a()
	h.Write([]byte("55299:" + label))
	return int(h.Sum32()>>8) % hashed
}

// oklch converts lightness, chroma and hue in degrees to sRGB, lowering the chroma until the colour exists.
func oklch(l, c, hue float64) rgb {
	sin, cos := math.Sincos(hue * math.Pi / 180)
	for ; ; c -= .01 {
		a, b := c*cos, c*sin
		// Björn Ottosson, "A perceptual color space for image processing".
		p, q, r := l+.3963377774*a+.2158037573*b, l-.1055613458*a-.0638541728*b, l-.0894841775*a-1.2914855480*b
		p, q, r = p*p*p, q*q*q, r*r*r
		lin := [3]float64{
			4.0767416621*p - 3.3077115913*q + .2309699292*r,
			-1.2684380046*p + 2.6097574011*q - .3413193965*r,
			-.0041960863*p - .7034186147*q + 1.7076147010*r,
		}
		if c > 0 && (slices.Min(lin[:]) < 0 || slices.Max(lin[:]) > 1) {
			continue
		}
		var out rgb
		for i, v := range lin {
			v = min(max(v, 0), 1)
			if v <= .0031308 {
				v *= 12.92
			} else {
				v = 1.055*math.Pow(v, 1/2.4) - .055
			}
			out[i] = uint8(v*255 + .5)
		}
		return out
	}
}

// inkOn is black or white, whichever reads better on a colour.
func inkOn(c rgb) rgb {
	if luma(c) > 140 {
		return rgb{16, 16, 20}
	}
	return rgb{255, 255, 255}
}

func luma(c rgb) int { return (299*int(c[0]) + 587*int(c[1]) + 114*int(c[2])) / 1000 }
