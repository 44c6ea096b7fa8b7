package imageproc

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/adler32"
	"hash/crc32"
	"io"
	"runtime"
	"sync"
)

// EncodePNG writes the picture as PNG, quickly rather than smallest: choosing a filter for each row and compressing well took
// half of the time of looking at a picture. Every row is stored as its difference to the one above, and bands of rows are
// compressed beside each other.
func EncodePNG(w io.Writer, m *RGB) error {
	if m.W < 1 || m.H < 1 {
		return fmt.Errorf("imageproc: a picture of %d × %d pixels cannot be written", m.W, m.H)
	}
	const least = 1 << 17 // bytes that are worth a goroutine
	n := min(max(len(m.Pix)/least, 1), runtime.GOMAXPROCS(0), m.H)
	bands := make([]band, n)
	var wg sync.WaitGroup
	for i := range bands {
		wg.Go(func() { bands[i].compress(m, m.H*i/n, m.H*(i+1)/n) })
	}
	wg.Wait()
	check := adler32.New()
	head := binary.BigEndian.AppendUint32(nil, uint32(m.W))
	head = binary.BigEndian.AppendUint32(head, uint32(m.H))
	head = append(head, 8, 2, 0, 0, 0) // bits, RGB
	out := chunk([]byte("\x89PNG\r\n\x1a\n"), "IHDR", head)
	for i := range bands {
		b := &bands[i]
		if b.err != nil {
			return b.err
		}
		_, _ = check.Write(b.rows)
		data := b.data.Bytes()
		if i == 0 {
			data = append([]byte{0x78, 0x01}, data...) // zlib, fastest
		}
		if i == n-1 {
			data = check.Sum(data)
		}
		out = chunk(out, "IDAT", data)
	}
	_, err := w.Write(chunk(out, "IEND", nil))
	return err
}

// chunk appends a chunk: length, name, data, checksum of the last two.
func chunk(out []byte, name string, data []byte) []byte {
	out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
	from := len(out)
	out = append(append(out, name...), data...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[from:]))
}

// band is a part of a PNG's rows.
type band struct {
	rows []byte // filtered
	data bytes.Buffer
	err  error
}

// compress filters rows [from, to) and deflates them; the last band ends the stream, the others end at a whole byte.
func (b *band) compress(m *RGB, from, to int) {
	const up = 2
	n := 3 * m.W
	b.rows = make([]byte, (to-from)*(n+1))
	above := make([]byte, n)
	if from > 0 {
		above = m.Pix[(from-1)*n:][:n]
	}
	for y := from; y < to; y++ {
		row, o := m.Pix[y*n:][:n], b.rows[(y-from)*(n+1):][:n+1]
		o[0] = up
		o = o[1:]
		for i, v := range row {
			o[i] = v - above[i]
		}
		above = row
	}
	b.data.Grow(len(b.rows) / 2)
	z, err := flate.NewWriter(&b.data, flate.BestSpeed)
	if err == nil {
		_, err = z.Write(b.rows)
	}
	if err == nil && to < m.H {
		err = z.Flush()
	} else if err == nil {
		err = z.Close()
	}
	b.err = err
}
