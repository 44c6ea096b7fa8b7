package jpeg

// first decodes the upper bits of a block's AC coefficients (T.81, G.1.2.2).
func (b *bits) first(out *[64]int16, t *table, s *scan) {
	if s.endedRun > 0 {
		s.endedRun--
		return
	}
	for k := s.start; k <= s.end; k++ {
		symbol := b.symbol(t)
		run, size := int(symbol>>4), uint(symbol&15)
		if size == 0 {
			if run < 15 {
				s.endedRun = b.run(run) - 1
				return
			}
			k += 15
			continue
		}
		if k += run; k > 63 {
			return
		}
		out[zigzag[k]] = int16(b.value(size) << s.low)
	}
}

// run reads how many blocks end here.
func (b *bits) run(size int) int {
	b.need()
	return 1<<size + int(b.take(uint(size)))
}

// refine decodes one bit more of a block's AC coefficients (T.81, G.1.2.3): of those that are not zero in turn, and of those
// that become so.
func (b *bits) refine(out *[64]int16, t *table, s *scan) {
	one := int16(1) << s.low
	k := s.start
	for s.endedRun == 0 && k <= s.end {
		symbol := b.symbol(t)
		run, fresh := int(symbol>>4), int16(0)
		if symbol&15 > 0 {
			fresh = one
			b.need()
			if b.take(1) == 0 {
				fresh = -one
			}
		} else if run < 15 {
			s.endedRun = b.run(run)
			break
		}
		if k = b.correct(out, k, s.end, run, one); k <= s.end && fresh != 0 {
			out[zigzag[k]] = fresh
		}
		k++
	}
	if s.endedRun > 0 {
		b.correct(out, k, s.end, 64, one)
		s.endedRun--
	}
}

// correct reads the next bit of every coefficient from k on that is not zero, until it has passed so many zeros, and returns
// the place of the zero after those, or end+1.
func (b *bits) correct(out *[64]int16, k, end, zeros int, one int16) int {
	for ; k <= end; k++ {
		c := &out[zigzag[k]]
		if *c == 0 {
			if zeros == 0 {
				return k
			}
			zeros--
			continue
		}
		b.need()
		if b.take(1) > 0 && *c&one == 0 {
			if *c > 0 {
				*c += one
			} else {
				*c -= one
			}
		}
	}
	return k
}
