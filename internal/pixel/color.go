package pixel

import "fmt"

// RGBFromYCC converts a row of n pixels from JPEG's full-range YCbCr to interleaved RGB, 3n bytes, with the constants and the
// rounding of libjpeg's jdcolor.c.
func RGBFromYCC(rgb, y, cb, cr []uint8) {
	n := len(y)
	if len(rgb) != 3*n || len(cb) != n || len(cr) != n {
		panic(fmt.Sprintf("pixel: colours of %d, %d and %d samples into %d bytes", n, len(cb), len(cr), len(rgb)))
	}
	rgbFromYCC(rgb, y, cb, cr)
}

func rgbFromYCCGeneric(o, y, cb, cr []uint8) {
	n := len(o) / 3
	y, cb, cr = y[:n], cb[:n], cr[:n]
	for i, v := range y {
		if len(o) < 3 { // never: it lets the compiler drop the checks below
			break
		}
		l := int32(v)<<16 + 1<<15
		b, r := int32(cb[i])-128, int32(cr[i])-128
		o[0] = clamp8((l + 91881*r) >> 16)           // 1.40200
		o[1] = clamp8((l - 22554*b - 46802*r) >> 16) // 0.34414, 0.71414
		o[2] = clamp8((l + 116130*b) >> 16)          // 1.77200
		o = o[3:]
	}
}

// Columns writes 3·near + far, the first half of doubling the height of a plane of chroma (libjpeg, jdsample.c: "fancy"
// upsampling, linear between the centres of the samples). With near and far the same row it prepares doubling the width
// alone.
func Columns(sum []uint16, near, far []uint8) {
	if len(near) != len(sum) || len(far) != len(sum) {
		panic(fmt.Sprintf("pixel: sums of %d and %d samples into %d", len(near), len(far), len(sum)))
	}
	columns(sum, near, far)
}

func columnsGeneric(sum []uint16, near, far []uint8) {
	near, far = near[:len(sum)], far[:len(sum)]
	for i, v := range near {
		sum[i] = 3*uint16(v) + uint16(far[i])
	}
}

// Stretch doubles the width of a row whose n+2 column sums have one neighbour more at either end (a repetition at the edges
// of the picture): output 2i is (3·s[i+1] + s[i] + even)/16, output 2i+1 is (3·s[i+1] + s[i+2] + odd)/16. libjpeg rounds with
// 8 and 7 where the height doubles too, and as by 4 and 8 where it does not.
func Stretch(dst []uint8, sum []uint16, even, odd uint16) {
	if len(sum) < 2 || len(dst) != 2*(len(sum)-2) {
		panic(fmt.Sprintf("pixel: stretch %d sums into %d bytes", len(sum), len(dst)))
	}
	stretch(dst, sum, even, odd)
}

func stretchGeneric(dst []uint8, s []uint16, even, odd uint16) {
	for i := range len(s) - 2 {
		c := 3 * s[i+1]
		dst[2*i], dst[2*i+1] = uint8((c+s[i]+even)>>4), uint8((c+s[i+2]+odd)>>4)
	}
}
