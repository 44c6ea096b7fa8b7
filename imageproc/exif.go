package imageproc

import (
	"bytes"
	"encoding/binary"
)

// exifOrientation reads tag 274 (Orientation) of the first directory of an EXIF block, which is a TIFF header and its
// directories (EXIF 2.32, § 4.6.2). Whatever is damaged or missing means 1, upright: a bad tag must not cost the picture.
func exifOrientation(tiff []byte) int {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch string(tiff[:4]) {
	case "II*\x00":
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	n := int(order.Uint16(tiff[at:]))
	dir := tiff[at+2:]
	for i := 0; i < n && len(dir) >= 12*(i+1); i++ {
		e := dir[12*i:]
		if order.Uint16(e) != 274 || order.Uint16(e[2:]) != 3 { // type 3: SHORT
			continue
		}
		if v := order.Uint16(e[8:]); v >= 1 && v <= 8 {
			return int(v)
		}
		return 1
	}
	return 1
}

func tiffOrientation(data []byte) int { return exifOrientation(data) }

// jpegOrientation looks for the APP1 segment that begins with "Exif\0\0", among the segments before the picture's data.
func jpegOrientation(data []byte) int {
	for i := 2; i+4 <= len(data) && data[i] == 0xff; {
		marker := data[i+1]
		switch {
		case marker == 0xff: // a fill byte
			i++
			continue
		case marker == 0xda: // start of scan
			return 1
		case marker == 0x01 || marker >= 0xd0 && marker <= 0xd9: // without length
			i += 2
			continue
		}
		n := int(binary.BigEndian.Uint16(data[i+2:]))
		if n < 2 || i+2+n > len(data) {
			return 1
		}
		if seg := data[i+4 : i+2+n]; marker == 0xe1 && bytes.HasPrefix(seg, []byte("Exif\x00\x00")) {
			return exifOrientation(seg[6:])
		}
		i += 2 + n
	}
	return 1
}

// pngOrientation looks for the eXIf chunk (PNG extensions 1.5, § 3.7).
func pngOrientation(data []byte) int {
	for i := 8; i+8 <= len(data); {
		n := uint64(binary.BigEndian.Uint32(data[i:]))
		kind := string(data[i+4 : i+8])
		end := uint64(i) + 8 + n
		if end+4 > uint64(len(data)) {
			return 1
		}
		if kind == "eXIf" {
			return exifOrientation(data[i+8 : end])
		}
		i = int(end) + 4 // the checksum
	}
	return 1
}

// webpOrientation looks for the EXIF chunk of the RIFF container; some writers begin it with JPEG's "Exif\0\0".
func webpOrientation(data []byte) int {
	for i := 12; i+8 <= len(data); {
		n := uint64(binary.LittleEndian.Uint32(data[i+4:]))
		end := uint64(i) + 8 + n
		if end > uint64(len(data)) {
			return 1
		}
		if string(data[i:i+4]) == "EXIF" {
			return exifOrientation(bytes.TrimPrefix(data[i+8:end], []byte("Exif\x00\x00")))
		}
		i = int(end + n&1)
	}
	return 1
}

// Orient turns a picture that is stored with an EXIF orientation upright; 1 returns the picture itself.
//
//	1 upright    2 mirrored          3 upside down        4 upside down, mirrored
//	5 transposed 6 needs 90° to the right  7 transversed  8 needs 90° to the left
func Orient(m *RGB, orientation int) *RGB {
	if orientation < 2 || orientation > 8 {
		return m
	}
	w, h := m.W, m.H
	// The source of the output's (0, 0), and the source steps to its right and downwards, in pixels.
	var at, right, down int
	switch orientation {
	case 2:
		at, right, down = w-1, -1, w
	case 3:
		at, right, down = w*h-1, -1, -w
	case 4:
		at, right, down = (h-1)*w, 1, -w
	case 5:
		at, right, down = 0, w, 1
	case 6:
		at, right, down = (h-1)*w, -w, 1
	case 7:
		at, right, down = w*h-1, -w, -1
	case 8:
		at, right, down = w-1, w, -1
	}
	if orientation > 4 {
		w, h = h, w
	}
	out := NewRGB(w, h)
	o := out.Pix
	for y := range h {
		p := 3 * (at + y*down)
		for range w {
			o[0], o[1], o[2] = m.Pix[p], m.Pix[p+1], m.Pix[p+2]
			o, p = o[3:], p+3*right
		}
	}
	return out
}
