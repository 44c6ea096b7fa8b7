package kernel

// tileLines is lhs for AMX and bfloat16: tiles of lines of amxUnits pairs, the first line of each row of the tile, then the second of
// each row, so that a tile register is loaded from adjacent memory. What a last line lacks is zero, but for operands that lie ready.
func (p *product) tileLines(buf *packBuf, g *gemmArgs, i0, i1, pc, k, h, tall int) lhsTiles {
	a, rs := p.a, ceilDiv(k, amxUnits)*amxUnits
	n := min(2*k, p.k-2*pc)
	data := grow(&buf.a, (i1-i0)*rs)
	g.rs, g.ks = amxUnits, 1
	for row := i0; row < i1; {
		rows := h
		if row < i0+tall*(h+1) {
			rows++
		}
		to := data[(row-i0)*rs:][:rows*rs]
		switch {
		case p.ready: // pairs already
			for u := 0; u < k; u += amxUnits {
				packCols(to[u*rows:][:rows*amxUnits], a.Data[row+(pc+u)*a.CS:], rows, a.CS, min(amxUnits, k-u), amxUnits)
			}
		case p.patchesLeft:
			t := grow(&buf.pairs, rows*n)
			p.patches.rows(t, n, row, row+rows, 2*pc, 2*pc+n)
			pairTile(to, t, rows, n, n)
		case a.CS == 1:
			pairTile(to, a.Data[row*a.RS+2*pc:], rows, a.RS, n)
		default:
			width := 16
			if rows > width {
				width = 32
			}
			t := grow(&buf.strip, packRun*width)
			for r := 0; r < k; r += packRun {
				units := min(packRun, k-r)
				pairPanel(t[:units*width], a.T(), pc+r, units, row, row+rows, width, &buf.pairs)
				clear(t[units*width : p.padded(units)*width])
				for u := 0; u < units; u += amxUnits {
					packCols(to[(r+u)*rows:][:rows*amxUnits], t[u*width:], rows, width, amxUnits, amxUnits)
				}
			}
		}
		row += rows
	}
	return lhsTiles{data: data, skip: tall * (h + 1) * rs, rs: rs, line: amxUnits}
}
