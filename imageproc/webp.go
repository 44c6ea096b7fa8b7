package imageproc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"

	"golang.org/x/image/webp"
)

// decodeWebP decodes a still picture, or the first frame of an animation on its canvas.
func decodeWebP(data []byte) (*RGB, error) {
	frame, w, h, x, y, err := firstWebPFrame(data)
	if err != nil {
		return nil, err
	}
	m, err := webp.Decode(bytes.NewReader(frame))
	if err != nil {
		return nil, err
	}
	var out *RGB
	switch m := m.(type) {
	case *image.YCbCr:
		out = yuvToRGB(m)
	case *image.NYCbCrA:
		out = yuvToRGB(&m.YCbCr)
	default:
		out = FromImage(m)
	}
	if w == 0 || x == 0 && y == 0 && w == out.W && h == out.H {
		return out, nil
	}
	canvas := NewRGB(w, h)
	canvas.paste(out, x, y)
	return canvas, nil
}

// firstWebPFrame finds the first ANMF chunk and wraps its picture as a file of its own, together with the size of the
// canvas and the place on it. A still picture comes back as it is, with w = 0. (WebP container specification,
// "Animation".)
func firstWebPFrame(data []byte) (file []byte, w, h, x, y int, err error) {
	u24 := func(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }
	if len(data) < 30 || string(data[12:16]) != "VP8X" || data[20]&2 == 0 {
		return data, 0, 0, 0, 0, nil
	}
	w, h = u24(data[24:])+1, u24(data[27:])+1
	for i := 30; i+8 <= len(data); {
		n := uint64(binary.LittleEndian.Uint32(data[i+4:]))
		end := uint64(i) + 8 + n
		if end > uint64(len(data)) {
			return nil, 0, 0, 0, 0, errors.New("short chunk")
		}
		if string(data[i:i+4]) == "ANMF" {
			if n < 24 {
				break
			}
			c := data[i+8 : end]
			fw, fh := u24(c[6:])+1, u24(c[9:])+1
			x, y = 2*u24(c), 2*u24(c[3:])
			if x+fw > w || y+fh > h {
				return nil, 0, 0, 0, 0, errors.New("an animation frame lies outside the canvas")
			}
			return wrapWebP(c[16:], fw, fh), w, h, x, y, nil
		}
		i = int(end + n&1)
	}
	return nil, 0, 0, 0, 0, errors.New("no image data in the animation")
}

func wrapWebP(chunks []byte, w, h int) []byte {
	f := []byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x00\x00\x00\x00")
	if bytes.HasPrefix(chunks, []byte("ALPH")) {
		f[20] = 0x10
	}
	f = append(f, byte(w-1), byte((w-1)>>8), byte((w-1)>>16), byte(h-1), byte((h-1)>>8), byte((h-1)>>16))
	f = append(f, chunks...)
	binary.LittleEndian.PutUint32(f[4:], uint32(len(f)-8))
	return f
}

// paste copies p onto m with its top left corner at (x, y); what lies outside is cut off.
func (m *RGB) paste(p *RGB, x, y int) {
	x0, x1 := max(x, 0), min(x+p.W, m.W)
	if x0 >= x1 {
		return
	}
	for j := max(y, 0); j < min(y+p.H, m.H); j++ {
		copy(m.Pix[3*(j*m.W+x0):3*(j*m.W+x1)], p.Pix[3*((j-y)*p.W+x0-x):])
	}
}

// yuvToRGB converts WebP's video-range YUV 4:2:0 (ITU-R BT.601) with the smooth chroma and the 14-bit arithmetic of
// libwebp (src/dsp/yuv.h, upsampling.c). The type image.YCbCr alone would be read as JPEG's full-range colours, whose blacks
// are too bright and whose whites are too dark.
func yuvToRGB(m *image.YCbCr) *RGB {
	out := NewRGB(m.Rect.Dx(), m.Rect.Dy())
	ch := (out.H + 1) / 2
	us, vs := make([]uint8, out.W+1), make([]uint8, out.W+1)
	for y := range out.H {
		near := y / 2
		far := min(max(near-1+y&1*2, 0), ch-1)
		webpChroma(us[:out.W], m.Cb[near*m.CStride:], m.Cb[far*m.CStride:])
		webpChroma(vs[:out.W], m.Cr[near*m.CStride:], m.Cr[far*m.CStride:])
		o := out.Pix[3*y*out.W:]
		for i, v := range m.Y[y*m.YStride:][:out.W] {
			l, u, w := int32(v)*19077>>8, int32(us[i]), int32(vs[i])
			o[3*i] = clamp8((l + w*26149>>8 - 14234) >> 6)
			o[3*i+1] = clamp8((l - u*6419>>8 - w*13320>>8 + 8708) >> 6)
			o[3*i+2] = clamp8((l + u*33050>>8 - 17685) >> 6)
		}
	}
	return out
}

// webpChroma interpolates one row of chroma with weights 9:3:3:1 between the nearer and the farther sample row, rounded
// in two steps as libwebp does.
func webpChroma(o, near, far []uint8) {
	edge := func(i int) uint8 { return uint8((3*int32(near[i]) + int32(far[i]) + 2) >> 2) }
	o[0] = edge(0)
	last := (len(o) - 1) >> 1
	for x := 1; x <= last; x++ {
		n0, n1, f0, f1 := int32(near[x-1]), int32(near[x]), int32(far[x-1]), int32(far[x])
		sum := n0 + n1 + f0 + f1 + 8
		o[2*x-1] = uint8(((sum+2*(n1+f0))>>3 + n0) >> 1)
		o[2*x] = uint8(((sum+2*(n0+f1))>>3 + n1) >> 1)
	}
	if len(o)%2 == 0 {
		o[len(o)-1] = edge(len(o)/2 - 1)
	}
}

func clamp8(v int32) uint8 {
	if uint32(v) > 255 {
		v = ^(v >> 31) // all ones above, zero below
	}
	return uint8(v)
}
