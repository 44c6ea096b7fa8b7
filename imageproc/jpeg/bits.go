package jpeg

import (
	"bytes"
	"encoding/binary"
)

// bits reads the entropy-coded data between two markers.
type bits struct {
	buf []byte // without the zeros that follow each 0xff
	pos int    // next byte of buf, or beyond it: what is missing reads as zeros
	acc uint64 // the next n bits, from the top; below them there may be true bits or zeros
	n   uint
}

// open unpacks the data from d.pos to the next marker.
func (d *decoder) open() {
	buf, p := d.bits.buf[:0], d.data[d.pos:]
	for {
		i := bytes.IndexByte(p, 0xff)
		if i < 0 || i+1 == len(p) {
			buf, p = append(buf, p...), nil
			break
		}
		if p[i+1] == 0 {
			buf, p = append(buf, p[:i+1]...), p[i+2:]
			continue
		}
		buf, p = append(buf, p[:i]...), p[i:]
		if p[1] != 0xff {
			break
		}
		p = p[1:] // a fill byte
	}
	d.pos = len(d.data) - len(p)
	d.bits = bits{buf: buf}
}

// over reports whether more was read than there is.
func (b *bits) over() bool { return 8*b.pos-int(b.n) > 8*len(b.buf) }

// fill makes at least 56 bits ready.
func (b *bits) fill() {
	if b.pos+8 <= len(b.buf) {
		b.acc |= binary.BigEndian.Uint64(b.buf[b.pos:]) >> (b.n & 63)
		b.pos += int(63-b.n) >> 3
		b.n |= 56
		return
	}
	for ; b.n <= 56; b.n += 8 {
		if b.pos < len(b.buf) {
			b.acc |= uint64(b.buf[b.pos]) << (56 - b.n)
		}
		b.pos++
	}
}

// need makes at least 32 bits ready, enough for a code and the value after it.
func (b *bits) need() {
	if b.n < 32 {
		b.fill()
	}
}

// take returns the next n bits, of those that are ready.
func (b *bits) take(n uint) int32 {
	v := int32(b.acc >> ((64 - n) & 63))
	if n == 0 {
		v = 0
	}
	b.skip(n)
	return v
}

func (b *bits) skip(n uint) {
	b.acc <<= n & 63
	b.n -= n
}

// value returns the next number of so many bits (T.81, F.2.2.1, EXTEND): those that begin with 0 are negative.
func (b *bits) value(size uint) int32 {
	if size == 0 {
		return 0
	}
	low := int32(^(int64(b.acc) >> 63)) & (1 - 1<<size)
	return b.take(size) + low
}

// symbol decodes a symbol of a table of plain codes.
func (b *bits) symbol(t *table) uint8 {
	b.need()
	e := t.fast[b.acc>>(64-look)]
	if e == 0 {
		n, s := t.long(b.acc)
		b.skip(n)
		return s
	}
	b.skip(uint(e) & 63)
	return uint8(e >> 8)
}

// difference decodes how much a DC coefficient differs from the one before.
func (b *bits) difference(t *table) int32 {
	b.need()
	e := t.fast[b.acc>>(64-look)]
	if int8(e) > 0 {
		b.skip(uint(e) & 63)
		return int32(e) >> 16
	}
	n, size := uint(e)&63, uint8(e>>8)
	if e == 0 {
		n, size = t.long(b.acc)
	}
	b.skip(n)
	return b.value(uint(size & 15))
}

// block decodes the AC coefficients of a sequential block into out, which holds zeros.
func (b *bits) block(out *[64]int16, t *table) {
	acc, n, buf, pos := b.acc, b.n, b.buf, b.pos
	for k := 1; k < 64; k++ {
		if n < 32 {
			if pos+8 <= len(buf) {
				acc |= binary.BigEndian.Uint64(buf[pos:]) >> (n & 63)
				pos += int(63-n) >> 3
				n |= 56
			} else {
				b.acc, b.n, b.pos = acc, n, pos
				b.fill()
				acc, n, pos = b.acc, b.n, b.pos
			}
		}
		e := t.fast[acc>>(64-look)]
		if int8(e) > 0 {
			l := uint(e) & 63
			acc <<= l
			n -= l
			k += int(uint8(e >> 8))
			if k > 63 {
				break
			}
			out[zigzag[k&63]&63] = int16(e >> 16)
			continue
		}
		l, symbol := uint(e)&63, uint8(e>>8)
		if e == 0 {
			l, symbol = t.long(acc)
		}
		acc <<= l & 63
		n -= l
		size := uint(symbol & 15)
		if size == 0 {
			if symbol != 0xf0 {
				break
			}
			k += 15
			continue
		}
		k += int(symbol >> 4)
		if k > 63 {
			break
		}
		low := int32(^(int64(acc) >> 63)) & (1 - 1<<size)
		out[zigzag[k&63]&63] = int16(int32(acc>>(64-size)) + low)
		acc <<= size
		n -= size
	}
	b.acc, b.n, b.pos = acc, n, pos
}
