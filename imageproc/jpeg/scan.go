package jpeg

import "io"

// scan is what a scan header says (T.81, B.2.3).
type scan struct {
	comps      []*component
	start, end int // of the coefficients, in the order of the file
	high, low  uint
	endedRun   int // blocks that have ended besides this one
}

// scan reads a scan header and the data after it.
func (d *decoder) scan() error {
	p, err := d.payload()
	if err != nil {
		return err
	}
	if len(p) < 1 || len(p) != 4+2*int(p[0]) || p[0] < 1 || int(p[0]) > len(d.comps) {
		return FormatError("scan header")
	}
	var store [4]*component
	s := scan{comps: store[:0]}
	blocks := 0
	for i := range int(p[0]) {
		c := d.component(p[1+2*i])
		if c == nil {
			return FormatError("scan header: no such component")
		}
		for _, other := range s.comps {
			if other == c {
				return FormatError("scan header: a component twice")
			}
		}
		c.td, c.ta = p[2+2*i]>>4, p[2+2*i]&15
		if c.td > 3 || c.ta > 3 {
			return FormatError("scan header: table")
		}
		s.comps = append(s.comps, c)
		blocks += c.h * c.v
	}
	if len(s.comps) > 1 && blocks > 10 {
		return FormatError("scan header: too many blocks in a unit")
	}
	p = p[1+2*len(s.comps):]
	s.start, s.end, s.high, s.low = int(p[0]), int(p[1]), uint(p[2]>>4), uint(p[2]&15)
	if !d.progressive {
		s.start, s.end, s.high, s.low = 0, 63, 0, 0
	}
	if err := d.checkScan(&s); err != nil {
		return err
	}
	for _, c := range s.comps {
		if !c.seen { // a table may be defined anew later
			if !d.hasQ[c.tq] {
				return FormatError("no quantisation table")
			}
			c.quant, c.seen = d.quant[c.tq], true
		} else if !d.progressive {
			return FormatError("a second scan of a component")
		}
	}
	d.open()
	return d.decodeScan(&s)
}

// checkScan refuses scans that T.81, G.1.1.1.1 does not allow, and prepares the tables of the others.
func (d *decoder) checkScan(s *scan) error {
	if s.start > s.end || s.end > 63 || s.low > 13 || s.high > 0 && s.high != s.low+1 {
		return FormatError("scan header: coefficients")
	}
	if d.progressive && (s.start == 0) != (s.end == 0) || s.start > 0 && len(s.comps) > 1 {
		return FormatError("scan header: coefficients")
	}
	for _, c := range s.comps {
		dc, ac := &d.tables[0][c.td], &d.tables[1][c.ta]
		needDC, needAC := s.start == 0 && s.high == 0, s.end > 0
		if needDC && !dc.defined || needAC && !ac.defined {
			return FormatError("no Huffman table")
		}
		if needDC {
			dc.build(dcKind)
		}
		if needAC && d.progressive {
			ac.build(acPlain)
		} else if needAC {
			ac.build(acKind)
		}
	}
	return nil
}

func (d *decoder) component(id uint8) *component {
	for i := range d.comps {
		if d.comps[i].id == id {
			return &d.comps[i]
		}
	}
	return nil
}

// decodeScan goes through the units of a scan: MCUs of several components, or the blocks of one.
func (d *decoder) decodeScan(s *scan) error {
	d.resetScan(s)
	across, down := d.mcusX, d.mcusY
	alone := len(s.comps) == 1
	if alone {
		across, down = s.comps[0].blocks, s.comps[0].rows
	}
	left, marker := d.restart, uint8(0)
	for y := range down {
		if !d.progressive {
			for _, c := range s.comps {
				clear(c.coef)
			}
		}
		for x := range across {
			if d.restart > 0 {
				if left == 0 {
					if err := d.nextInterval(s, marker); err != nil {
						return err
					}
					left, marker = d.restart, (marker+1)&7
				}
				left--
			}
			if alone {
				d.block(s, s.comps[0], x, y, 0)
				continue
			}
			for _, c := range s.comps {
				for v := range c.v {
					for h := range c.h {
						d.block(s, c, x*c.h+h, y*c.v+v, v)
					}
				}
			}
		}
		if d.bits.over() {
			return io.ErrUnexpectedEOF
		}
		if !d.progressive {
			d.transform1(s, y)
		}
	}
	return nil
}

// transform1 makes pixels of the row y of units that was just decoded.
func (d *decoder) transform1(s *scan, y int) {
	if len(s.comps) == 1 {
		s.comps[0].transformRow(y, s.comps[0].coef)
	} else {
		for _, c := range s.comps {
			for v := range c.v {
				c.transformRow(y*c.v+v, c.coef[v*64*c.stride:])
			}
		}
	}
	if len(s.comps) == len(d.comps) { // the rows are still warm; smooth chroma needs a row of the next unit
		unit := 8 * d.maxV
		if len(d.comps) == 1 {
			unit = 8
		}
		d.convert(min((y+1)*unit-d.maxV, d.h))
	}
}

func (d *decoder) resetScan(s *scan) {
	s.endedRun = 0
	for _, c := range s.comps {
		c.dc = 0
	}
}

// nextInterval goes over a restart marker.
func (d *decoder) nextInterval(s *scan, n uint8) error {
	if d.bits.over() || d.pos+2 > len(d.data) {
		return io.ErrUnexpectedEOF
	}
	switch m := d.data[d.pos+1]; m {
	case markerRST0 + n:
		d.pos += 2
	case markerEOI:
		return io.ErrUnexpectedEOF
	default:
		return FormatError("restart marker expected")
	}
	d.open()
	d.resetScan(s)
	return nil
}

// block decodes block (x, y) of a component; a sequential one is in row v of the memory.
func (d *decoder) block(s *scan, c *component, x, y, v int) {
	if d.progressive {
		v = y
	}
	out := (*[64]int16)(c.coef[64*(v*c.stride+x):])
	b := &d.bits
	switch {
	case !d.progressive:
		c.dc += b.difference(&d.tables[0][c.td])
		out[0] = int16(c.dc)
		b.block(out, &d.tables[1][c.ta])
	case s.start == 0 && s.high == 0:
		c.dc += b.difference(&d.tables[0][c.td])
		out[0] = int16(c.dc << s.low)
	case s.start == 0:
		b.need()
		out[0] |= int16(b.take(1) << s.low)
	case s.high == 0:
		b.first(out, &d.tables[1][c.ta], s)
	default:
		b.refine(out, &d.tables[1][c.ta], s)
	}
}
