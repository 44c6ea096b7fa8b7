package jpeg

// look is the number of bits that one step of decoding looks at.
const look = 10

// table decodes one Huffman code.
type table struct {
	defined bool
	counts  [17]uint8 // codes of each length
	symbols [256]uint8

	built kind
	// fast tells for the next bits of the data, by its lowest byte: 1 … 63, symbol and value are both within them, so many
	// bits are used up, the run is in the next byte (or endOfBlock) and the value in the upper half; negative, a code within
	// them has so many bits (without the sign bit) and the symbol is in the next byte; 0, the code is longer.
	fast [1 << look]uint32
	// limit[n] is the first 16-bit number whose code is longer than n bits; place[n] leads from a code to its symbol.
	limit [17]uint32
	place [17]int32
}

// kind is what the symbols of a table mean.
type kind uint8

const (
	notBuilt  kind = iota
	dcKind         // the size of a difference
	acKind         // run and size
	acPlain        // run and size, or a run of blocks that have ended (progressive): values are not looked up
	symbolBit = 0x80
	// endOfBlock is a run that leads out of every block.
	endOfBlock = 64
)

func (d *decoder) huffmanTables(p []byte) error {
	for len(p) > 0 {
		class, id := p[0]>>4, p[0]&15
		if class > 1 || id > 3 || len(p) < 17 {
			return FormatError("Huffman table")
		}
		t := &d.tables[class][id]
		n, code := 0, 0
		for i := 1; i <= 16; i++ {
			t.counts[i] = p[i]
			n += int(p[i])
			if code = 2*code + int(p[i]); code > 1<<i {
				return FormatError("Huffman table: too many codes")
			}
		}
		if n > 256 || len(p) < 17+n {
			return FormatError("Huffman table: symbols")
		}
		copy(t.symbols[:], p[17:17+n])
		t.defined, t.built = true, notBuilt
		p = p[17+n:]
	}
	return nil
}

// build prepares decoding symbols of a kind.
func (t *table) build(k kind) {
	if t.built == k {
		return
	}
	t.built = k
	clear(t.fast[:])
	code, next := uint32(0), 0
	for n := 1; n <= 16; n++ {
		t.place[n] = int32(next) - int32(code)
		for range t.counts[n] {
			if n <= look {
				t.enter(code, n, t.symbols[next])
			}
			code++
			next++
		}
		t.limit[n] = code << (16 - n)
		code <<= 1
	}
}

// enter fills what fast tells about bits that begin with a code of n bits.
func (t *table) enter(code uint32, n int, symbol uint8) {
	run, size := int(symbol>>4), int(symbol&15)
	if t.built == dcKind {
		run, size = 0, int(symbol)
	}
	at, free := int(code)<<(look-n), look-n
	ends := t.built == acKind && size == 0 // nothing follows: the block ends, or 16 zeros
	if ends && run != 15 {
		run = endOfBlock
	}
	whole := size <= free && (size > 0 || ends || t.built == dcKind) && t.built != acPlain
	for rest := range 1 << free {
		e := uint32(symbolBit|n) | uint32(symbol)<<8
		if whole {
			v := rest >> (free - size)
			if size > 0 && v < 1<<(size-1) {
				v += 1 - 1<<size
			}
			e = uint32(n+size) | uint32(run)<<8 | uint32(uint16(int16(v)))<<16
		}
		t.fast[at+rest] = e
	}
}

// long finds a code of more than look bits at the top of acc: its length and symbol. Bits that are no code count as 16 zeros.
func (t *table) long(acc uint64) (n uint, symbol uint8) {
	top := uint32(acc >> 48)
	for n := look + 1; n <= 16; n++ {
		if top < t.limit[n] {
			return uint(n), t.symbols[uint8(int32(top>>(16-n))+t.place[n])]
		}
	}
	return 16, 0
}
