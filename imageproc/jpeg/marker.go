package jpeg

import (
	"bytes"
	"io"
)

const (
	markerSOF0 = 0xc0 // baseline
	markerSOF1 = 0xc1 // extended sequential
	markerSOF2 = 0xc2 // progressive
	markerDHT  = 0xc4
	markerJPG  = 0xc8
	markerDAC  = 0xcc
	markerRST0 = 0xd0
	markerSOI  = 0xd8
	markerEOI  = 0xd9
	markerSOS  = 0xda
	markerDQT  = 0xdb
	markerDRI  = 0xdd
	markerAPP0 = 0xe0
	markerAdob = 0xee
)

// isFrame reports whether a marker begins a frame of any kind.
func isFrame(m uint8) bool {
	return m >= markerSOF0 && m <= 0xcf && m != markerDHT && m != markerJPG && m != markerDAC
}

// zigzag is the natural place of each coefficient in the order of the file.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}

// marker returns the next marker; other bytes before it are skipped, as libjpeg does.
func (d *decoder) marker() (uint8, error) {
	for {
		i := bytes.IndexByte(d.data[d.pos:], 0xff)
		if i < 0 || d.pos+i+1 >= len(d.data) {
			return 0, io.ErrUnexpectedEOF
		}
		d.pos += i + 1
		if m := d.data[d.pos]; m != 0 && m != 0xff {
			d.pos++
			return m, nil
		}
	}
}

// payload returns the bytes of the segment whose marker was just read.
func (d *decoder) payload() ([]byte, error) {
	if d.pos+2 > len(d.data) {
		return nil, io.ErrUnexpectedEOF
	}
	n := int(d.data[d.pos])<<8 | int(d.data[d.pos+1])
	if n < 2 {
		return nil, FormatError("a segment of no length")
	}
	if d.pos+n > len(d.data) {
		return nil, io.ErrUnexpectedEOF
	}
	p := d.data[d.pos+2 : d.pos+n]
	d.pos += n
	return p, nil
}

// header reads up to the frame header.
func (d *decoder) header() error {
	if len(d.data) < 2 || d.data[0] != 0xff || d.data[1] != markerSOI {
		return FormatError("no start marker")
	}
	d.pos = 2
	for {
		m, err := d.marker()
		if err != nil {
			return err
		}
		switch {
		case isFrame(m):
			return d.frame(m)
		case m == markerSOS:
			return FormatError("a scan before the frame header")
		case m == markerEOI:
			return io.ErrUnexpectedEOF
		}
		if err := d.segment(m); err != nil {
			return err
		}
	}
}

// segment reads tables and notes; what it does not know it skips.
func (d *decoder) segment(m uint8) error {
	if m == 0x01 || m >= markerRST0 && m <= markerSOI {
		return nil // no payload
	}
	p, err := d.payload()
	if err != nil {
		return err
	}
	switch m {
	case markerDQT:
		return d.quantTables(p)
	case markerDHT:
		return d.huffmanTables(p)
	case markerDRI:
		if len(p) != 2 {
			return FormatError("restart interval")
		}
		d.restart = int(p[0])<<8 | int(p[1])
	case markerDAC:
		return UnsupportedError("arithmetic coding")
	case markerAPP0:
		d.jfif = d.jfif || bytes.HasPrefix(p, []byte("JFIF\x00"))
	case markerAdob:
		if len(p) >= 12 && string(p[:5]) == "Adobe" {
			d.adobe, d.transform = true, p[11]
		}
	}
	return nil
}

func (d *decoder) quantTables(p []byte) error {
	for len(p) > 0 {
		wide, id := p[0]>>4, p[0]&15
		size := 64 << wide
		if wide > 1 || id > 3 || len(p) < 1+size {
			return FormatError("quantisation table")
		}
		for k, at := range zigzag {
			if wide == 0 {
				d.quant[id][at] = int16(p[1+k])
			} else {
				d.quant[id][at] = int16(uint16(p[1+2*k])<<8 | uint16(p[2+2*k]))
			}
		}
		d.hasQ[id] = true
		p = p[1+size:]
	}
	return nil
}

// frame reads the frame header (T.81, B.2.2).
func (d *decoder) frame(m uint8) error {
	p, err := d.payload()
	if err != nil {
		return err
	}
	switch m {
	case markerSOF0, markerSOF1, markerSOF2:
	case 0xc3, 0xcb:
		return UnsupportedError("lossless coding")
	case 0xc9, 0xca, 0xcd, 0xce, 0xcf:
		return UnsupportedError("arithmetic coding")
	default:
		return UnsupportedError("hierarchical coding")
	}
	if len(p) < 6 || len(p) != 6+3*int(p[5]) {
		return FormatError("frame header")
	}
	if p[0] != 8 {
		return UnsupportedError("samples of other than 8 bits")
	}
	n := int(p[5])
	if n != 1 && n != 3 && n != 4 {
		return UnsupportedError("other than 1, 3 or 4 colours")
	}
	d.progressive = m == markerSOF2
	d.h, d.w = int(p[1])<<8|int(p[2]), int(p[3])<<8|int(p[4])
	d.comps = d.store[:n]
	for i := range d.comps {
		q := p[6+3*i:]
		c := &d.comps[i]
		c.id, c.h, c.v, c.tq = q[0], int(q[1]>>4), int(q[1]&15), q[2]
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.tq > 3 {
			return FormatError("frame header: sampling factors or table")
		}
		for j := range i {
			if d.comps[j].id == c.id {
				return FormatError("frame header: two components of one name")
			}
		}
		d.maxH, d.maxV = max(d.maxH, c.h), max(d.maxV, c.v)
	}
	return nil
}
