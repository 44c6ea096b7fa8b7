package jpeg

import (
	mathbits "math/bits"
	"math/rand/v2"
)

// picture is coefficients in the making of a file: plane[c][block][k], k in the order of the file.
type picture struct {
	w, h     int
	sampling [][2]int
	names    []byte
	planes   [][][64]int
	across   []int // blocks of a plane's row
}

// newPicture draws random coefficients for whole MCUs.
func newPicture(rng *rand.Rand, w, h int, sampling ...[2]int) *picture {
	p := &picture{w: w, h: h, sampling: sampling, names: []byte{1, 2, 3, 4}}
	maxH, maxV := p.max()
	for _, s := range sampling {
		across, down := ceilDiv(w, 8*maxH)*s[0], ceilDiv(h, 8*maxV)*s[1]
		blocks := make([][64]int, across*down)
		dc := 0
		for i := range blocks {
			b := &blocks[i]
			dc += rng.IntN(41) - 20
			b[0] = dc
			for k := 1 + rng.IntN(3); k < 64; k += 1 + rng.IntN(24) {
				b[k] = rng.IntN(2<<rng.IntN(7)) - rng.IntN(2<<rng.IntN(7))
			}
		}
		p.planes, p.across = append(p.planes, blocks), append(p.across, across)
	}
	return p
}

func (p *picture) max() (h, v int) {
	for _, s := range p.sampling {
		h, v = max(h, s[0]), max(v, s[1])
	}
	return h, v
}

// encoding says how a picture becomes a file.
type encoding struct {
	progressive bool
	apart       bool // a scan a component
	restart     int
	codeLen     int // of AC symbols, 8 to 16
	noEnd       bool
}

// writer packs bits.
type writer struct {
	out []byte
	acc uint64
	n   int
}

func (w *writer) put(v, n int) {
	for i := n - 1; i >= 0; i-- {
		w.acc = w.acc<<1 | uint64(v>>i&1)
		if w.n++; w.n == 8 {
			w.out = append(w.out, byte(w.acc))
			if byte(w.acc) == 0xff {
				w.out = append(w.out, 0)
			}
			w.acc, w.n = 0, 0
		}
	}
}

func (w *writer) flush() {
	for w.n > 0 {
		w.put(1, 1)
	}
}

func (w *writer) segment(marker byte, p ...byte) {
	w.out = append(append(w.out, 0xff, marker, byte((len(p)+2)>>8), byte(len(p)+2)), p...)
}

// number writes a value's bits and returns nothing of its size.
func (w *writer) number(v int) {
	n := size(v)
	if v < 0 {
		v += 1<<n - 1
	}
	w.put(v, n)
}

func size(v int) int { return mathbits.Len(uint(max(v, -v))) }

// Symbols of DC have codes of 5 bits, those of AC codes of e.codeLen bits: the symbol itself, counted.
func (e *encoding) dc(w *writer, v int) {
	w.put(size(v), 5)
	w.number(v)
}

func (e *encoding) ac(w *writer, symbol int) { w.put(symbol, e.codeLen) }

// file writes the picture.
func (p *picture) file(e encoding) []byte {
	w := &writer{out: []byte{0xff, markerSOI}}
	quant := make([]byte, 65)
	for i := range 64 {
		quant[1+i] = byte(1 + i/4)
	}
	w.segment(markerDQT, quant...)
	frame := []byte{8, byte(p.h >> 8), byte(p.h), byte(p.w >> 8), byte(p.w), byte(len(p.planes))}
	for i, s := range p.sampling {
		frame = append(frame, p.names[i], byte(s[0]<<4|s[1]), 0)
	}
	kind := byte(markerSOF0)
	if e.progressive {
		kind = markerSOF2
	}
	w.segment(kind, frame...)
	w.segment(markerDHT, huffman(0, 5, 17)...)
	w.segment(markerDHT, huffman(0x10, e.codeLen, 255)...)
	if e.restart > 0 {
		w.segment(markerDRI, byte(e.restart>>8), byte(e.restart))
	}
	all := make([]int, len(p.planes))
	for i := range all {
		all[i] = i
	}
	if e.progressive {
		p.progressive(w, &e, all)
	} else if e.apart {
		for _, c := range all {
			p.scan(w, &e, []int{c}, 0, 63, 0, 0)
		}
	} else {
		p.scan(w, &e, all, 0, 63, 0, 0)
	}
	if !e.noEnd {
		w.out = append(w.out, 0xff, markerEOI)
	}
	return w.out
}

func (p *picture) progressive(w *writer, e *encoding, all []int) {
	p.scan(w, e, all, 0, 0, 0, 1)
	for _, c := range all {
		p.scan(w, e, []int{c}, 1, 5, 0, 2)
		p.scan(w, e, []int{c}, 6, 63, 0, 2)
		p.scan(w, e, []int{c}, 1, 63, 2, 1)
	}
	p.scan(w, e, all, 0, 0, 1, 0)
	for _, c := range all {
		p.scan(w, e, []int{c}, 1, 63, 1, 0)
	}
}

func huffman(id byte, n, symbols int) []byte {
	t := make([]byte, 17)
	t[0], t[n] = id, byte(symbols)
	for i := range symbols {
		t = append(t, byte(i))
	}
	return t
}

func (p *picture) scan(w *writer, e *encoding, comps []int, start, end, high, low int) {
	head := []byte{byte(len(comps))}
	for _, c := range comps {
		head = append(head, p.names[c], 0)
	}
	w.segment(markerSOS, append(head, byte(start), byte(end), byte(high<<4|low))...)
	maxH, maxV := p.max()
	across, down := ceilDiv(p.w, 8*maxH), ceilDiv(p.h, 8*maxV)
	if len(comps) == 1 {
		s := p.sampling[comps[0]]
		across, down = ceilDiv(ceilDiv(p.w*s[0], maxH), 8), ceilDiv(ceilDiv(p.h*s[1], maxV), 8)
	}
	last, ended, n := make([]int, 4), 0, 0
	var corrections []int
	flush := func() {
		if ended > 0 {
			k := mathbits.Len(uint(ended)) - 1
			e.ac(w, k<<4)
			w.put(ended-1<<k, k)
			for _, b := range corrections {
				w.put(b, 1)
			}
		}
		ended, corrections = 0, nil
	}
	block := func(c, x, y int) {
		b := &p.planes[c][y*p.across[c]+x]
		switch {
		case start == 0 && high == 0:
			dc := b[0] >> low
			e.dc(w, dc-last[c])
			last[c] = dc
			if end > 0 {
				e.plain(w, b, 1, end)
			}
		case start == 0:
			w.put(b[0]>>low&1, 1)
		default:
			if ended == 500 { // some runs end before the picture does
				flush()
			}
			e.bands(w, b, start, end, high, low, &ended, &corrections, flush)
		}
	}
	for y := range down {
		for x := range across {
			if e.restart > 0 && n > 0 && n%e.restart == 0 {
				flush()
				w.flush()
				w.out = append(w.out, 0xff, markerRST0+byte(n/e.restart-1)&7)
				clear(last)
			}
			n++
			if len(comps) == 1 {
				block(comps[0], x, y)
				continue
			}
			for _, c := range comps {
				for v := range p.sampling[c][1] {
					for h := range p.sampling[c][0] {
						block(c, x*p.sampling[c][0]+h, y*p.sampling[c][1]+v)
					}
				}
			}
		}
	}
	flush()
	w.flush()
}

func (e *encoding) plain(w *writer, b *[64]int, start, end int) {
	run := 0
	for k := start; k <= end; k++ {
		if b[k] == 0 {
			run++
			continue
		}
		for ; run > 15; run -= 16 {
			e.ac(w, 0xf0)
		}
		e.ac(w, run<<4|size(b[k]))
		w.number(b[k])
		run = 0
	}
	if run > 0 {
		e.ac(w, 0)
	}
}

// bands writes the bits of a progressive block's AC coefficients (T.81, G.1.2.2 and G.1.2.3).
func (e *encoding) bands(w *writer, b *[64]int, start, end, high, low int, ended *int, later *[]int, flush func()) {
	cut := func(v, n int) int { // towards zero
		if v < 0 {
			return -(-v >> n)
		}
		return v >> n
	}
	lastFresh := start - 1
	for k := start; k <= end; k++ {
		if v := cut(b[k], low); v != 0 && (high == 0 || v == 1 || v == -1) {
			lastFresh = k
		}
	}
	run := 0
	var bitsHere []int
	for k := start; k <= end; k++ {
		v := cut(b[k], low)
		old := high > 0 && (v > 1 || v < -1)
		switch {
		case k > lastFresh:
			if old {
				*later = append(*later, max(v, -v)&1)
			}
			continue
		case old:
			bitsHere = append(bitsHere, max(v, -v)&1)
			continue
		case v == 0:
			if run++; run == 16 {
				flush()
				e.ac(w, 0xf0)
				for _, c := range bitsHere {
					w.put(c, 1)
				}
				run, bitsHere = 0, nil
			}
			continue
		}
		flush()
		e.ac(w, run<<4|size(v))
		if high == 0 {
			w.number(v)
		} else {
			w.put((v+1)/2, 1)
		}
		for _, c := range bitsHere {
			w.put(c, 1)
		}
		run, bitsHere = 0, nil
	}
	if lastFresh < end {
		*ended++
	}
}
