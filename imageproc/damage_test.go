package imageproc

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

// fixCRC makes the checksum of a PNG's first chunk right again.
func fixCRC(b []byte) []byte {
	n := binary.BigEndian.Uint32(b[8:])
	binary.BigEndian.PutUint32(b[16+n:], crc32.ChecksumIEEE(b[12:16+n]))
	return b
}

// small keeps damaged headers from costing the tests gigabytes.
var small = Limits{MaxPixels: 1 << 18, MaxFrames: 50}

// wellDone fails unless the decoder either gives a whole picture or a named error.
func wellDone(t *testing.T, data []byte) {
	t.Helper()
	m, info, err := DecodeBytes(data, small)
	var e *Error
	switch {
	case err == nil && (len(m.Pix) != 3*m.W*m.H || m.W != info.W || m.H != info.H || m.W < 1 || m.H < 1):
		t.Errorf("a picture of %d × %d with %d bytes, %+v", m.W, m.H, len(m.Pix), info)
	case err != nil && (!errors.As(err, &e) || e.Code == "" || e.Msg == "" || e.Hint == ""):
		t.Errorf("unnamed error %#v", err)
	}
	for f, err := range DecodeFrames(data, small) {
		if err != nil && !errors.As(err, &e) {
			t.Errorf("unnamed error %#v", err)
		}
		if err == nil && len(f.Image.Pix) != 3*f.Image.W*f.Image.H {
			t.Errorf("a frame of %d × %d with %d bytes", f.Image.W, f.Image.H, len(f.Image.Pix))
		}
	}
}

func TestDamagedFiles(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for name, data := range encoded(t, 24, 17) {
		t.Run(name, func(t *testing.T) {
			step := max(len(data)/150, 1)
			for n := 0; n < len(data); n += step {
				wellDone(t, data[:n:n])
			}
			for range 150 {
				b := append([]byte(nil), data...)
				for range 1 + rng.IntN(4) {
					b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
				}
				if name == "png" && rng.IntN(2) == 0 {
					b = fixCRC2(b)
				}
				wellDone(t, b)
			}
		})
	}
}

// fixCRC2 repairs the checksums of all chunks that still lie within a PNG, so that damage reaches the decoder.
func fixCRC2(b []byte) []byte {
	for i := 8; i+12 <= len(b); {
		n := int(binary.BigEndian.Uint32(b[i:]))
		if n < 0 || n > len(b)-i-12 {
			break
		}
		binary.BigEndian.PutUint32(b[i+8+n:], crc32.ChecksumIEEE(b[i+4:i+8+n]))
		i += 12 + n
	}
	return b
}

// A decoder that panics is reported as a damaged file.
func TestGuard(t *testing.T) {
	_, err := guard("xyz", func() (int, error) { var p []int; return p[3], nil })
	var e *Error
	if !errors.As(err, &e) || e.Code != CodeCorrupt {
		t.Errorf("%v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, data := range encoded(f, 12, 9) {
		f.Add(data)
	}
	f.Add(animatedGIF(f))
	f.Fuzz(func(t *testing.T, data []byte) { wellDone(t, data) })
}

func FuzzEXIF(f *testing.F) {
	f.Add(exifBlock(binary.LittleEndian, 6))
	f.Add(exifBlock(binary.BigEndian, 3))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, o := range []int{exifOrientation(data), jpegOrientation(data), pngOrientation(data), webpOrientation(data)} {
			if o < 1 || o > 8 {
				t.Errorf("orientation %d", o)
			}
		}
	})
}
