package imageproc

import (
	"bytes"
	"errors"
	"image"
	"image/jpeg"
	"io"
	"strings"
)

// decodeJPEG decodes with the standard library, and repairs two things that other readers accept: four colours without
// Adobe's marker, and a missing end marker.
func decodeJPEG(data []byte) (*RGB, error) {
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil && isMissingAdobe(err) {
		data = withAdobe(data)
		m, err = jpeg.Decode(bytes.NewReader(data))
	}
	if errors.Is(err, io.ErrUnexpectedEOF) && !isProgressive(data) {
		// Some cameras forget the end marker. A progressive picture without it may lack whole passes, so that stays an error.
		if whole, again := jpeg.Decode(bytes.NewReader(append(data[:len(data):len(data)], 0xff, 0xd9))); again == nil {
			m, err = whole, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return FromImage(m), nil
}

func isMissingAdobe(err error) bool { return strings.Contains(err.Error(), "APP14") }

// withAdobe puts an Adobe marker that says "colours as they are" (CMYK) at the front.
func withAdobe(data []byte) []byte {
	const app14 = "\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
	return append(append(append(make([]byte, 0, len(data)+len(app14)), data[:2]...), app14...), data[2:]...)
}

// isProgressive looks for the start-of-frame marker of a progressive picture.
func isProgressive(data []byte) bool {
	for i := 2; i+4 <= len(data) && data[i] == 0xff && data[i+1] != 0xda; {
		if data[i+1] == 0xc2 {
			return true
		}
		i += 2 + int(data[i+2])<<8 + int(data[i+3])
	}
	return false
}

// yccToRGB converts to RGB as libjpeg does: smooth ("fancy") chroma and the integer constants of jdcolor.c.
func yccToRGB(m *image.YCbCr) *RGB {
	out := NewRGB(m.Rect.Dx(), m.Rect.Dy())
	u := upsampler{w: out.W, h: out.H, stride: m.CStride, ratio: m.SubsampleRatio, line: make([]int32, out.W/2+2)}
	cb, cr := make([]uint8, out.W+2), make([]uint8, out.W+2)
	for y := range out.H {
		b, r := u.row(cb, m.Cb, y), u.row(cr, m.Cr, y)
		yccRow(out.Pix[3*y*out.W:3*(y+1)*out.W], m.Y[y*m.YStride:], b, r)
	}
	return out
}

// yccRow converts one row with 16 fraction bits; what is brighter than white or darker than black is clipped.
func yccRow(o, y, cb, cr []uint8) {
	n := len(o) / 3
	y, cb, cr = y[:n], cb[:n], cr[:n]
	for i, v := range y {
		if len(o) < 3 { // never: it lets the compiler drop the checks below
			break
		}
		l := int32(v)<<16 + 1<<15
		b, r := int32(cb[i])-128, int32(cr[i])-128
		o[0] = clamp16(l + 91881*r)           // 1.40200
		o[1] = clamp16(l - 22554*b - 46802*r) // 0.34414, 0.71414
		o[2] = clamp16(l + 116130*b)          // 1.77200
		o = o[3:]
	}
}

// clamp16 drops the 16 fraction bits.
func clamp16(v int32) uint8 {
	if uint32(v) < 1<<24 {
		return uint8(v >> 16)
	}
	return uint8(^(v >> 31))
}

func clamp8(v int32) uint8 {
	if uint32(v) > 255 {
		v = ^(v >> 31) // all ones above, zero below
	}
	return uint8(v)
}

// upsampler brings rows of chroma samples to the width of the picture.
type upsampler struct {
	w, h, stride int
	ratio        image.YCbCrSubsampleRatio
	line         []int32 // column sums of two chroma rows
}

// row gives the chroma of row y, w samples, in buf or as a part of the plane. The halved directions are interpolated
// linearly between sample centres, 3:1, as in libjpeg's jdsample.c; the rarer ratios repeat samples, as there.
func (u *upsampler) row(buf, plane []uint8, y int) []uint8 {
	cw, ch := (u.w+1)/2, (u.h+1)/2
	near := y / 2
	far := min(max(near-1+y&1*2, 0), ch-1)
	switch u.ratio {
	case image.YCbCrSubsampleRatio444:
		return plane[y*u.stride:][:u.w]
	case image.YCbCrSubsampleRatio422:
		if cw > 2 {
			stretch2(buf, plane[y*u.stride:][:cw])
			return buf
		}
		return repeat(buf, plane[y*u.stride:], u.w, 2)
	case image.YCbCrSubsampleRatio420:
		a, b := plane[near*u.stride:][:cw], plane[far*u.stride:][:cw]
		if cw <= 2 {
			return repeat(buf, a, u.w, 2)
		}
		line := u.line[:cw]
		for i, v := range a {
			line[i] = 3*int32(v) + int32(b[i])
		}
		stretch2x2(buf, line)
		return buf
	case image.YCbCrSubsampleRatio440:
		a, b := plane[near*u.stride:][:u.w], plane[far*u.stride:][:u.w]
		bias := int32(1 + y&1)
		for i, v := range a {
			buf[i] = uint8((3*int32(v) + int32(b[i]) + bias) >> 2)
		}
		return buf
	case image.YCbCrSubsampleRatio411:
		return repeat(buf, plane[y*u.stride:], u.w, 4)
	default: // 4:1:0
		return repeat(buf, plane[near*u.stride:], u.w, 4)
	}
}

func repeat(buf, p []uint8, w, k int) []uint8 {
	for i := range w {
		buf[i] = p[i/k]
	}
	return buf
}

// stretch2 doubles a row of n > 1 samples into at least 2n-1 of buf's bytes.
func stretch2(buf, p []uint8) {
	n := len(p)
	o := 0
	for i, v := range p {
		c, l, r := 3*int32(v), int32(p[max(i-1, 0)]), int32(p[min(i+1, n-1)])
		buf[o], buf[o+1] = uint8((c+l+1)>>2), uint8((c+r+2)>>2)
		o += 2
	}
	buf[0], buf[2*n-1] = p[0], p[n-1]
}

// stretch2x2 doubles a row of column sums (each 4 times a sample).
func stretch2x2(buf []uint8, s []int32) {
	n := len(s)
	buf = buf[:2*n]
	buf[0], buf[1] = uint8((4*s[0]+8)>>4), uint8((3*s[0]+s[1]+7)>>4)
	for i := 1; i < n-1; i++ {
		c := 3 * s[i]
		buf[2*i], buf[2*i+1] = uint8((c+s[i-1]+8)>>4), uint8((c+s[i+1]+7)>>4)
	}
	buf[2*n-2], buf[2*n-1] = uint8((3*s[n-1]+s[n-2]+8)>>4), uint8((4*s[n-1]+7)>>4)
}
