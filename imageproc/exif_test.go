package imageproc

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image/png"
	"testing"

	"golang.org/x/image/tiff"
)

// exifBlock is a TIFF header and a directory of two tags.
func exifBlock(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("II*\x00")
	if order == binary.AppendByteOrder(binary.BigEndian) {
		b = []byte("MM\x00*")
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 2)
	for _, tag := range []uint16{256, 274} {
		b = order.AppendUint16(b, tag)
		b = order.AppendUint16(b, 3)
		b = order.AppendUint32(b, 1)
		b = order.AppendUint16(b, orientation)
		b = order.AppendUint16(b, 0)
	}
	return order.AppendUint32(b, 0)
}

func TestOrientationOfEveryFormat(t *testing.T) {
	m := pattern(5, 3)
	upright := Orient(m, 6)
	if upright.W != 3 || upright.H != 5 || !bytes.Equal(upright.Pix[:3], m.Pix[3*2*5:][:3]) {
		t.Fatalf("orientation 6: %d × %d, first pixel %v", upright.W, upright.H, upright.Pix[:3])
	}
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		exif := exifBlock(order, 6)
		for name, data := range map[string][]byte{"png": pngWithEXIF(t, m, exif), "webp": webpWithEXIF(t, exif), "jpeg": jpegWithEXIF(t, m, exif)} {
			got, info, err := DecodeBytes(data, Limits{})
			if err != nil || info.Orientation != 6 || info.W != got.W || info.H != got.H {
				t.Fatalf("%s: %+v, %v", name, info, err)
			}
			if name == "png" && !bytes.Equal(got.Pix, upright.Pix) {
				t.Errorf("png: wrong pixels")
			}
		}
	}
	var b bytes.Buffer
	if err := tiff.Encode(&b, m.rgba(), nil); err != nil {
		t.Fatal(err)
	}
	if got, _, err := DecodeBytes(tiffWithOrientation(t, b.Bytes(), 6), Limits{}); err != nil || !bytes.Equal(got.Pix, upright.Pix) {
		t.Errorf("tiff: %v, %v", got, err)
	}
}

func pngWithEXIF(t *testing.T, m *RGB, exif []byte) []byte {
	var b bytes.Buffer
	if err := png.Encode(&b, m.rgba()); err != nil {
		t.Fatal(err)
	}
	chunk := binary.BigEndian.AppendUint32(nil, uint32(len(exif)))
	chunk = append(append(chunk, "eXIf"...), exif...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
	p := b.Bytes()
	return append(append(bytes.Clone(p[:33]), chunk...), p[33:]...) // after IHDR
}

func webpWithEXIF(t *testing.T, exif []byte) []byte {
	still := read(t, "testdata/webp/lossless.webp")
	w, h := 17, 52
	f := wrapWebP(still[12:], w, h)
	f[20] |= 8
	f = append(append(f, "EXIF"...), binary.LittleEndian.AppendUint32(nil, uint32(len(exif)))...)
	f = append(f, exif...)
	binary.LittleEndian.PutUint32(f[4:], uint32(len(f)-8))
	return f
}

func jpegWithEXIF(t *testing.T, m *RGB, exif []byte) []byte {
	var b bytes.Buffer
	if err := EncodeJPEG(&b, m, 90); err != nil {
		t.Fatal(err)
	}
	seg := binary.BigEndian.AppendUint16([]byte{0xff, 0xe1}, uint16(8+len(exif)))
	seg = append(append(seg, "Exif\x00\x00"...), exif...)
	return append(append([]byte{0xff, 0xd8}, seg...), b.Bytes()[2:]...)
}

// tiffWithOrientation appends a copy of the directory with the tag put in its place.
func tiffWithOrientation(t *testing.T, b []byte, o uint16) []byte {
	le := binary.LittleEndian
	at := le.Uint32(b[4:])
	n := int(le.Uint16(b[at:]))
	dir := b[at+2:][:12*n]
	tag := le.AppendUint16(le.AppendUint32(le.AppendUint16(le.AppendUint16(nil, 274), 3), 1), o)
	tag = le.AppendUint16(tag, 0)
	out := bytes.Clone(b)
	le.PutUint32(out[4:], uint32(len(out)))
	out = le.AppendUint16(out, uint16(n+1))
	for i := range n {
		e := dir[12*i:][:12]
		if le.Uint16(e) > 274 && tag != nil {
			out, tag = append(out, tag...), nil
		}
		out = append(out, e...)
	}
	return le.AppendUint32(out, 0)
}

// Each orientation undone by its inverse gives the picture back, and damaged blocks mean upright.
func TestOrient(t *testing.T) {
	m := pattern(7, 4)
	inverse := []int{0, 1, 2, 3, 4, 5, 8, 7, 6}
	for o := 1; o <= 8; o++ {
		if back := Orient(Orient(m, o), inverse[o]); back.W != 7 || !bytes.Equal(back.Pix, m.Pix) {
			t.Errorf("orientation %d is not undone by %d", o, inverse[o])
		}
	}
	block := exifBlock(binary.LittleEndian, 6)
	for n := range len(block) - 4 {
		if o := exifOrientation(block[:n]); o != 1 && n < len(block)-4 {
			t.Errorf("a block of %d bytes: orientation %d", n, o)
		}
	}
	for _, v := range []uint16{0, 9, 60000} {
		if o := exifOrientation(exifBlock(binary.BigEndian, v)); o != 1 {
			t.Errorf("orientation %d read as %d", v, o)
		}
	}
}
