package annotation

import "fmt"

// Bitmap is a binary mask of W × H pixels, row by row: 1 inside, 0 outside.
type Bitmap struct {
	W, H int
	Pix  []uint8
}

// NewBitmap makes an empty mask.
func NewBitmap(w, h int) *Bitmap { return &Bitmap{w, h, make([]uint8, w*h)} }

// Clone copies the mask.
func (b *Bitmap) Clone() *Bitmap { return &Bitmap{b.W, b.H, append([]uint8(nil), b.Pix...)} }

// Area counts the pixels inside.
func (b *Bitmap) Area() int {
	n := 0
	for _, v := range b.Pix {
		n += int(v)
	}
	return n
}

// Bounds is the tightest box around the mask, Empty when the mask is.
func (b *Bitmap) Bounds() Box {
	x0, y0, x1, y1 := b.W, b.H, 0, 0
	for y := range b.H {
		row := b.Pix[y*b.W : (y+1)*b.W]
		for x, v := range row {
			if v != 0 {
				x0, x1, y0, y1 = min(x0, x), max(x1, x+1), min(y0, y), max(y1, y+1)
			}
		}
	}
	return Box{float64(x0), float64(y0), float64(x1), float64(y1)}
}

// RLE is COCO's run-length encoding of a binary mask: the lengths of alternating runs of 0s and 1s, starting with 0s,
// down the columns one after the other.
type RLE struct {
	H, W   int
	Counts []uint32
}

// RLE encodes the mask.
func (b *Bitmap) RLE() RLE {
	r := RLE{H: b.H, W: b.W}
	var run uint32
	var cur uint8
	for x := range b.W {
		for y := range b.H {
			if v := b.Pix[y*b.W+x]; v != cur {
				r.Counts = append(r.Counts, run)
				run, cur = 0, v
			}
			run++
		}
	}
	r.Counts = append(r.Counts, run)
	return r
}

// Bitmap decodes the runs. Runs that do not fill H·W pixels exactly are an error.
func (r RLE) Bitmap() (*Bitmap, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	b := NewBitmap(r.W, r.H)
	at, v := 0, uint8(0)
	for _, c := range r.Counts {
		if v == 1 {
			for i := at; i < at+int(c); i++ {
				b.Pix[(i%r.H)*r.W+i/r.H] = 1
			}
		}
		at, v = at+int(c), 1-v
	}
	return b, nil
}

func (r RLE) check() error {
	if err := checkSize(r.H, r.W); err != nil {
		return err
	}
	var n uint64
	for _, c := range r.Counts {
		n += uint64(c)
	}
	if n != uint64(r.H)*uint64(r.W) {
		return fmt.Errorf("annotation: run lengths sum to %d, want %d×%d", n, r.H, r.W)
	}
	return nil
}

// Area counts the pixels inside.
func (r RLE) Area() float64 {
	var n float64
	for i := 1; i < len(r.Counts); i += 2 {
		n += float64(r.Counts[i])
	}
	return n
}
