package imageproc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"testing"
	"time"
)

var gifPalette = color.Palette{color.RGBA{A: 255}, color.RGBA{255, 0, 0, 255}, color.RGBA{0, 255, 0, 255}, color.RGBA{0, 0, 255, 255}, color.RGBA{}}

// animatedGIF has four frames on a canvas of 4 × 3: a red one; a green dot that is disposed to the background; a blue dot that
// is disposed to what was before; and a transparent one with one green pixel.
func animatedGIF(t testing.TB) []byte {
	frame := func(r image.Rectangle, c uint8) *image.Paletted {
		p := image.NewPaletted(r, gifPalette)
		for i := range p.Pix {
			p.Pix[i] = c
		}
		return p
	}
	last := frame(image.Rect(0, 0, 4, 3), 4)
	last.SetColorIndex(3, 2, 2)
	a := gif.GIF{
		Image:    []*image.Paletted{frame(image.Rect(0, 0, 4, 3), 1), frame(image.Rect(1, 1, 2, 2), 2), frame(image.Rect(0, 0, 1, 1), 3), last},
		Delay:    []int{5, 7, 0, 100},
		Disposal: []byte{gif.DisposalNone, gif.DisposalBackground, gif.DisposalPrevious, gif.DisposalNone},
		Config:   image.Config{Width: 4, Height: 3, ColorModel: gifPalette},
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &a); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDecodeFrames(t *testing.T) {
	data := animatedGIF(t)
	// R red, G green, B blue, . the canvas's fill: the colour that the transparent index or index 0 stands for
	want := []string{"RRRR RRRR RRRR", "RRRR RGRR RRRR", "BRRR R.RR RRRR", "RRRR R.RR RRRG"}
	delay := []time.Duration{50, 70, 0, 1000}
	n := 0
	for f, err := range DecodeFrames(data, Limits{}) {
		if err != nil {
			t.Fatal(err)
		}
		if got := letters(f.Image); got != want[f.Index] || f.Index != n || f.Delay != delay[n]*time.Millisecond {
			t.Errorf("frame %d: %s after %v, want %s", f.Index, got, f.Delay, want[n])
		}
		n++
	}
	if n != 4 {
		t.Errorf("%d frames", n)
	}
	if first, _, err := DecodeBytes(data, Limits{}); err != nil || letters(first) != want[0] {
		t.Errorf("first frame: %v", err)
	}
	n = 0
	var last error
	for _, err := range DecodeFrames(data, Limits{MaxFrames: 2}) {
		n++
		last = err
	}
	if e, ok := asError(last); n != 3 || !ok || e.Code != CodeTooLarge {
		t.Errorf("limit of 2 frames: %d, %v", n, last)
	}
	// Cut within the third frame: the frames before it stand.
	n = 0
	for f, err := range DecodeFrames(data[:len(data)-24], Limits{}) {
		if err == nil {
			n = f.Index + 1
		}
		last = err
	}
	if e, ok := asError(last); n != 3 || !ok || e.Code != CodeTruncated {
		t.Errorf("cut: %d frames, %v", n, last)
	}
	for f, err := range DecodeFrames(encoded(t, 6, 5)["png"], Limits{}) {
		if err != nil || f.Image.W != 6 || f.Index != 0 {
			t.Errorf("a still picture: %+v, %v", f, err)
		}
	}
}

func letters(m *RGB) string {
	var b []byte
	for i := 0; i < len(m.Pix); i += 3 {
		if i > 0 && i/3%m.W == 0 {
			b = append(b, ' ')
		}
		switch [3]uint8(m.Pix[i:]) {
		case [3]uint8{255, 0, 0}:
			b = append(b, 'R')
		case [3]uint8{0, 255, 0}:
			b = append(b, 'G')
		case [3]uint8{0, 0, 255}:
			b = append(b, 'B')
		default:
			b = append(b, '.')
		}
	}
	return string(b)
}

// A WebP animation gives its first frame, at its place on the canvas.
func TestAnimatedWebP(t *testing.T) {
	still := read(t, "testdata/webp/lossless.webp")
	want, _, err := DecodeBytes(still, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	w, h := want.W, want.H
	u24 := func(b []byte, v int) []byte { return append(b, byte(v), byte(v>>8), byte(v>>16)) }
	f := []byte("RIFF\x00\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02\x00\x00\x00")
	f = u24(u24(f, w+10-1), h+6-1)
	f = append(f, "ANIM\x06\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	frame := u24(u24(u24(u24(u24(nil, 2), 1), w-1), h-1), 40) // at (4, 2)
	frame = append(append(frame, 0), still[12:]...)
	f = append(append(f, "ANMF"...), binary.LittleEndian.AppendUint32(nil, uint32(len(frame)))...)
	f = append(f, frame...)
	binary.LittleEndian.PutUint32(f[4:], uint32(len(f)-8))
	got, _, err := DecodeBytes(f, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	canvas := NewRGB(w+10, h+6)
	canvas.paste(want, 4, 2)
	if n, _ := difference(got.Pix, canvas.Pix); n > 0 {
		t.Errorf("%d samples differ", n)
	}
	for n := range len(f) {
		wellDone(t, f[:n:n])
	}
}

func asError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}
