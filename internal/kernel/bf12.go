package kernel

import (
	"encoding/binary"
	"math"
	"slices"
	"sort"
	"sync"

	"fovea/internal/memory"
)

// BF12 is a matrix [N, K] of bfloat16 in 12 bits each, without loss: 8 for the sign and the seven digits, 4 for the exponent, counted
// from the least of 16 that end with the largest of the row. The few weights that are smaller yet stand aside. A product of few rows waits for
// memory, and so takes three quarters of the time. That exponents of trained weights have little to say is what DFloat11 rests on (Zhang et
// al. 2025, "70% Size, 100% Accuracy", by codes of Huffman's); those of equal length are undone in a handful of instructions.
//
// 64 neighbours of a row take 96 bytes. With element 16i + l in place l of four, byte 4l + i has its sign and digits, and of word l of the
// 16 that follow bits 4i to 4i + 3 its exponent: so that each four bytes, shifted, are float32 of neighbouring lanes.
type BF12 struct {
	N, K  int
	data  []byte
	scale []float32  // of a row: what its numbers, of [2⁻¹⁵, 2), are multiplied by, a power of two
	aside []asideOne // row after row
}

// asideOne is a weight that is smaller than the row's exponents say: by so much.
type asideOne struct {
	row, col int32
	diff     float32
}

const (
	bf12Chunk  = 64  // neighbours that are packed together
	bf12Bytes  = 96  // that they take
	bf12Least  = 112 // the exponent of float32 that stands for the least of a row
	bf12Aside  = 256 // one weight of so many may stand aside
	bf12Window = 16  // exponents
)

// PackBF12 packs bfloat16 w [n, k], on the pool of work. It returns nil where kernels cannot read the result faster than w, and for weights that
// do not fit: rows that are no multiple of 64, infinities and NaN, and many zeros or weights that are tiny beside the largest of their row.
func PackBF12(work *Work, w []uint16, n, k int) *BF12 {
	if !hasBF12() || n == 0 || k == 0 || k%bf12Chunk != 0 {
		return nil
	}
	p := &packing12{to: &BF12{N: n, K: k, data: memory.Make[byte](n * k / bf12Chunk * bf12Bytes), scale: make([]float32, n)}, from: w}
	work.fork(2*k, n, p)
	if p.fails {
		return nil
	}
	sort.Slice(p.to.aside, func(i, j int) bool {
		a, b := p.to.aside[i], p.to.aside[j]
		return a.row < b.row || a.row == b.row && a.col < b.col
	})
	p.to.aside = slices.Clip(p.to.aside)
	return p.to
}

// Bytes is the memory of the weights.
func (b *BF12) Bytes() int { return len(b.data) + 4*len(b.scale) + 12*len(b.aside) }

// Pays reports whether a product of so many rows is faster than by 16 bits. A core that computes for several rows does not wait for
// memory any more, unless others read, too.
func (b *BF12) Pays(work *Work, rows int) bool {
	return hasBF12() && (rows == 1 || rows < fewPass && work.pool.Workers() > 1)
}

// packing12 is a matrix that is being packed.
type packing12 struct {
	to    *BF12
	from  []uint16
	mu    sync.Mutex
	fails bool
}

// part packs rows [from, to).
func (p *packing12) part(from, to int) {
	k := p.to.K
	var aside []asideOne
	for o := from; o < to; o++ {
		row := p.from[o*k : (o+1)*k]
		top := topBF16(row)
		base := max(top-bf12Window+1, 1) // exponent 0 is another kind of number
		if top == 255 || len(aside) > (to-from)*k/bf12Aside {
			p.mu.Lock()
			p.fails = true
			p.mu.Unlock()
			return
		}
		p.to.scale[o] = float32(math.Ldexp(1, base-bf12Least))
		if packBF12(p.to.data[o*k/bf12Chunk*bf12Bytes:(o+1)*k/bf12Chunk*bf12Bytes], row, base) >= base {
			continue
		}
		for c, v := range row {
			if int(v>>7&255) < base {
				raised := v&0x807f | uint16(base)<<7
				aside = append(aside, asideOne{int32(o), int32(c), fromBF16One(v) - fromBF16One(raised)})
			}
		}
	}
	p.mu.Lock()
	p.to.aside = append(p.to.aside, aside...)
	p.mu.Unlock()
}

// correct adds to y what stands aside of rows [from, to): m rows of x from the first on, as many of y.
func (b *BF12) correct(m int, y, x []float32, from, to, ldy, ldx int) {
	if len(b.aside) == 0 {
		return
	}
	i := sort.Search(len(b.aside), func(i int) bool { return int(b.aside[i].row) >= from })
	for ; i < len(b.aside) && int(b.aside[i].row) < to; i++ {
		a := &b.aside[i]
		for j := range m {
			y[j*ldy+int(a.row)-from] += a.diff * x[j*ldx+int(a.col)]
		}
	}
}

func fromBF16One(v uint16) float32 { return math.Float32frombits(uint32(v) << 16) }

// topBF16Generic is the largest exponent.
func topBF16Generic(w []uint16) int {
	top := uint16(0)
	for _, v := range w {
		top = max(top, v&0x7fff)
	}
	return int(top >> 7)
}

// packBF12Generic packs a row, with smaller exponents than base as if they were base, and returns the least exponent.
func packBF12Generic(dst []byte, w []uint16, base int) (least int) {
	least = 255
	for ; len(w) > 0; w, dst = w[bf12Chunk:], dst[bf12Bytes:] {
		for l := range 16 {
			exponents := uint16(0)
			for i := range 4 {
				v := w[16*i+l]
				e := int(v >> 7 & 255)
				least = min(least, e)
				dst[4*l+i] = byte(v>>8&0x80 | v&0x7f)
				exponents |= uint16(max(e-base, 0)) << (4 * i)
			}
			binary.LittleEndian.PutUint16(dst[64+2*l:], exponents)
		}
	}
	return least
}

// gemvBF12Generic sets y[j·ldy+o] = scale[o]·Σ w(o, l)·x[j·ldx+l] for l < k, m rows j and n rows o, but for what stands aside.
func gemvBF12Generic(m int, y, x []float32, w []byte, scale []float32, n, k, ldy, ldx int) {
	for o := range n {
		for j := range m {
			s := float32(0)
			for l, v := range x[j*ldx : j*ldx+k] {
				chunk := w[(o*k+l)/bf12Chunk*bf12Bytes:]
				i, at := l%bf12Chunk/16, l%16
				digits, exponents := uint32(chunk[4*at+i]), uint32(binary.LittleEndian.Uint16(chunk[64+2*at:]))
				s += v * math.Float32frombits(digits>>7<<31|(bf12Least+exponents>>(4*i)&15)<<23|digits&0x7f<<16)
			}
			y[j*ldy+o] = s * scale[o]
		}
	}
}
