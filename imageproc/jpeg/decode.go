// Package jpeg decodes JPEG pictures (ITU-T T.81): baseline, extended with 8 bits and progressive, of one, three or four
// colours, with any whole chroma subsampling, restart intervals, and scans of one colour or several. The pixels are those of
// libjpeg-turbo with its defaults ("slow integer" transform, smooth chroma), byte for byte, because published models were
// trained on pictures decoded by that. Arithmetic coding, 12 bits and lossless modes are refused.
//
// A picture without complete data is an error, except that a sequential one may lack the end marker. No input makes the
// package panic, and memory stays within about 20 bytes a pixel of the header's size (9 when sequential), which the caller
// should check first, see DecodeConfig; a file too short to hold that many blocks is refused before anything is allocated.
package jpeg

import (
	"io"
	"sync"
)

// FormatError says how the data contradict the format.
type FormatError string

func (e FormatError) Error() string { return "invalid JPEG: " + string(e) }

// UnsupportedError names a part of the format that is not implemented.
type UnsupportedError string

func (e UnsupportedError) Error() string { return "unsupported JPEG: " + string(e) }

// Config is what the frame header says.
type Config struct{ W, H int }

// Picture is a decoded picture, row by row without padding.
type Picture struct {
	W, H     int
	Channels int     // 1 is grey, 3 RGB, 4 CMYK (255 is full ink, as Pillow gives it)
	Pix      []uint8 // Channels·W·H
}

// DecodeConfig reads the size from the first frame header.
func DecodeConfig(data []byte) (Config, error) {
	d := decoders.Get().(*decoder)
	defer d.free()
	d.data = data
	err := d.header()
	return Config{d.w, d.h}, err
}

// Decode decodes a picture. Errors are FormatError, UnsupportedError, or io.ErrUnexpectedEOF when the data end too early.
func Decode(data []byte) (*Picture, error) {
	d := decoders.Get().(*decoder)
	defer d.free()
	d.data = data
	if err := d.header(); err != nil {
		return nil, err
	}
	if err := d.plan(); err != nil {
		return nil, err
	}
	if err := d.scans(); err != nil {
		return nil, err
	}
	d.finish()
	return d.out, nil
}

// decoder is what one picture needs. Its memory is used again by the next one.
type decoder struct {
	state
	bits   bits
	tables [2][4]table  // DC, AC
	store  [4]component // comps is a part of it
	rgb    []uint8      // a row, with four colours
}

// state is what every picture begins anew.
type state struct {
	data []byte
	pos  int

	quant   [4][64]int16 // natural order
	hasQ    [4]bool
	restart int // MCUs between restart markers, or 0

	jfif, adobe bool
	transform   uint8 // Adobe's
	ycc         bool  // the first three components are YCbCr

	progressive  bool
	w, h         int
	comps        []component
	maxH, maxV   int
	mcusX, mcusY int
	scanned      int // scans

	out      *Picture
	rowsDone int
}

var decoders = sync.Pool{New: func() any { return new(decoder) }}

// maxKept bounds the bytes that an idle decoder holds on to.
const maxKept = 32 << 20

// free gives the decoder back, its buffers with it unless they are large.
func (d *decoder) free() {
	kept := cap(d.bits.buf)
	for i := range d.store {
		kept += 2*cap(d.store[i].coef) + cap(d.store[i].pix)
	}
	if kept > maxKept {
		return
	}
	for a := range d.tables {
		for b := range d.tables[a] {
			d.tables[a][b].defined = false
		}
	}
	for i, c := range d.store {
		d.store[i] = component{coef: c.coef, pix: c.pix, line: c.line, sum: c.sum}
	}
	d.state, d.bits = state{}, bits{buf: d.bits.buf}
	decoders.Put(d)
}

// scans decodes scan after scan until the picture is complete: a sequential one when each component had its scan, a
// progressive one at the end marker.
func (d *decoder) scans() error {
	const maxScans = 64 // more cost hours and mean nothing: progressive files have about ten
	for {
		m, err := d.marker()
		if err != nil {
			return err
		}
		switch {
		case m == markerSOS:
			if d.scanned++; d.scanned > maxScans {
				return UnsupportedError("more than 64 scans")
			}
			if err := d.scan(); err != nil {
				return err
			}
			if !d.progressive && d.complete() {
				return nil
			}
		case m == markerEOI:
			if !d.complete() {
				return io.ErrUnexpectedEOF
			}
			return nil
		case isFrame(m):
			return FormatError("a second frame")
		default:
			if err := d.segment(m); err != nil {
				return err
			}
		}
	}
}

// complete reports whether every component had a scan.
func (d *decoder) complete() bool {
	for i := range d.comps {
		if !d.comps[i].seen {
			return false
		}
	}
	return true
}
