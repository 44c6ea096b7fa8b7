package imageproc

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"io"
	"iter"
	"time"
)

// Frame is one picture of an animation, already composed on its canvas.
type Frame struct {
	Index int
	Image *RGB          // the caller's own
	Delay time.Duration // how long it is shown; GIF counts hundredths of a second
}

// DecodeFrames yields every frame of an animated GIF, one at a time, so that memory stays at a frame however long the
// animation is; other formats yield their one picture. An error ends the sequence; frames before it stand. Loop with
//
//	for f, err := range imageproc.DecodeFrames(data, imageproc.Limits{}) { … }
func DecodeFrames(data []byte, lim Limits) iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		lim := lim.orDefault()
		c, _, err := inspect(data, lim)
		if err != nil {
			yield(Frame{}, err)
			return
		}
		if c.name != "gif" {
			img, _, err := DecodeBytes(data, lim)
			yield(Frame{Image: img}, err)
			return
		}
		a, err := guard(c.name, func() (*animation, error) { return newAnimation(data) })
		for i := 0; err == nil; i++ {
			if i == lim.MaxFrames {
				err = &Error{Code: CodeTooLarge, Msg: fmt.Sprintf("the animation has more than the limit of %d frames", lim.MaxFrames), Hint: "shorten it or raise the limit"}
				break
			}
			var f Frame
			if f, err = guard(c.name, a.next); errors.Is(err, errEnd) && i > 0 {
				return
			}
			if f.Index = i; err == nil && !yield(f, nil) {
				return
			}
		}
		yield(Frame{}, err)
	}
}

func decodeGIF(data []byte) (*RGB, error) {
	a, err := newAnimation(data)
	if err != nil {
		return nil, err
	}
	f, err := a.next()
	return f.Image, err
}

// errEnd is the end of an animation; without a frame before it, the file lacks its picture.
var errEnd error = &Error{Code: CodeTruncated, Msg: "the gif data hold no picture", Hint: hintDamaged}

// animation walks the blocks of a GIF (GIF89a specification). Each frame is decoded as a GIF of its own, made of the
// file's header and the frame's blocks.
type animation struct {
	header []byte // signature, screen descriptor and global palette
	rest   []byte
	canvas *RGB
	fill   [3]uint8 // what an area holds before anything is drawn, and after disposal to the background
	undo   func()   // disposes of the frame before
}

func newAnimation(data []byte) (*animation, error) {
	if len(data) < 13 {
		return nil, io.ErrUnexpectedEOF
	}
	n := 13
	if flags := data[10]; flags&0x80 != 0 {
		n += 3 << (flags&7 + 1)
	}
	if n > len(data) {
		return nil, io.ErrUnexpectedEOF
	}
	w, h := int(data[6])|int(data[7])<<8, int(data[8])|int(data[9])<<8
	return &animation{header: data[:n:n], rest: data[n:], canvas: NewRGB(w, h)}, nil
}

// next composes the next frame.
func (a *animation) next() (Frame, error) {
	first := a.undo == nil
	blocks, control, err := a.frame()
	if err != nil {
		return Frame{}, err
	}
	m, err := gif.Decode(bytes.NewReader(append(append(a.header, blocks...), 0x3b)))
	if err != nil {
		return Frame{}, err
	}
	p, ok := m.(*image.Paletted)
	if !ok {
		return Frame{}, errors.New("a frame without palette")
	}
	transparent := -1
	if control != nil && control[0]&1 != 0 {
		transparent = int(control[3])
	}
	pal := paletteRGB(p.Palette)
	if transparent >= 0 {
		pal[transparent] = a.colorAt(blocks, transparent) // the decoder blanks the entry
	}
	if first {
		a.fill = pal[max(transparent, 0)] // as Pillow fills the canvas
		a.canvas.fill(0, 0, a.canvas.W, a.canvas.H, a.fill)
	} else {
		a.undo()
	}
	a.prepareUndo(control, p.Rect)
	a.draw(p, &pal, transparent)
	f := Frame{Image: a.canvas.Clone()}
	if control != nil {
		f.Delay = 10 * time.Millisecond * time.Duration(int(control[1])|int(control[2])<<8)
	}
	return f, nil
}

// frame cuts the blocks up to the end of the next picture off rest; control is the payload of its graphic control
// extension, or nil.
func (a *animation) frame() (blocks, control []byte, err error) {
	d := a.rest
	for i := 0; i < len(d); {
		switch d[i] {
		case 0x3b: // trailer
			return nil, nil, errEnd
		case 0x21: // extension: label, blocks
			if i+8 <= len(d) && d[i+1] == 0xf9 && d[i+2] == 4 {
				control = d[i+3 : i+7]
			}
			i = skipBlocks(d, i+2)
		case 0x2c: // image: descriptor, local palette, code size, blocks
			if i+10 > len(d) {
				return nil, nil, io.ErrUnexpectedEOF
			}
			n := 10
			if flags := d[i+9]; flags&0x80 != 0 {
				n += 3 << (flags&7 + 1)
			}
			end := skipBlocks(d, i+n+1)
			a.rest = d[min(end, len(d)):]
			return d[:min(end, len(d))], control, nil
		default:
			return nil, nil, fmt.Errorf("unknown block type 0x%02x", d[i])
		}
	}
	if len(d) > 0 {
		return nil, nil, io.ErrUnexpectedEOF
	}
	return nil, nil, errEnd // many writers forget the trailer
}

// skipBlocks is the offset after a run of length-prefixed blocks that begins at i; beyond len(d) when it is cut short.
func skipBlocks(d []byte, i int) int {
	for i < len(d) && d[i] != 0 {
		i += 1 + int(d[i])
	}
	return i + 1
}

// colorAt is an entry of the frame's palette as the file has it.
func (a *animation) colorAt(blocks []byte, i int) [3]uint8 {
	pal := a.header[13:]
	for d := blocks; len(d) > 0; { // find the descriptor again: it is the last but the palette and the data
		if d[0] == 0x2c {
			if d[9]&0x80 != 0 {
				pal = d[10:min(10+3<<(d[9]&7+1), len(d))]
			}
			break
		}
		d = d[min(skipBlocks(d, 2), len(d)):]
	}
	if 3*i+3 > len(pal) {
		return [3]uint8{}
	}
	return [3]uint8(pal[3*i:])
}

func (a *animation) prepareUndo(control []byte, r image.Rectangle) {
	a.undo = func() {}
	if control == nil {
		return
	}
	switch control[0] >> 2 & 7 {
	case 2:
		a.undo = func() { a.canvas.fill(r.Min.X, r.Min.Y, r.Max.X, r.Max.Y, a.fill) }
	case 3:
		before := a.canvas.Clone()
		a.undo = func() { a.canvas = before }
	}
}

func (a *animation) draw(p *image.Paletted, pal *[256][3]uint8, transparent int) {
	r := p.Rect.Intersect(a.canvas.Bounds())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		o := a.canvas.Pix[3*(y*a.canvas.W+r.Min.X):]
		for i, v := range p.Pix[p.PixOffset(r.Min.X, y):][:r.Dx()] {
			if int(v) != transparent {
				c := pal[v]
				o[3*i], o[3*i+1], o[3*i+2] = c[0], c[1], c[2]
			}
		}
	}
}

// fill paints the rectangle x0 ≤ x < x1, y0 ≤ y < y1, which must lie within the picture.
func (m *RGB) fill(x0, y0, x1, y1 int, c [3]uint8) {
	for y := y0; y < y1; y++ {
		row := m.Pix[3*(y*m.W+x0) : 3*(y*m.W+x1)]
		for i := 0; i < len(row); i += 3 {
			row[i], row[i+1], row[i+2] = c[0], c[1], c[2]
		}
	}
}
