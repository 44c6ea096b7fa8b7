package kernel

// genericShape is a tile of 2 × 4: its eight sums, four elements of b and one of a fit sixteen registers.
var genericShape = tileShape{mr: 2, nr: 4, strip: 2, group: 1}

// gemmTilesGeneric is the micro-kernel for tiles of 1 or 2 rows.
func gemmTilesGeneric(h int, g *gemmArgs) {
	for t := range g.tiles {
		a, c := g.a[t*g.ts:], g.c[t*h*g.ldc:]
		var s [2][4]float32
		if h == 2 {
			s = tile2x4(g, a)
		} else {
			s[0] = tile1x4(g, a)
		}
		for i := range h {
			row := c[i*g.ldc : i*g.ldc+g.cols]
			for j := range row {
				v := s[i][j]
				if g.beta != 0 {
					v += row[j]
				}
				if len(g.bias) > 0 {
					v += g.bias[j]
				}
				row[j] = v
			}
		}
	}
}

func tile2x4(g *gemmArgs, a []float32) [2][4]float32 {
	var s00, s01, s02, s03, s10, s11, s12, s13 float32
	b := g.b
	for k := range g.k {
		a0, a1 := a[k*g.ks], a[k*g.ks+g.rs]
		b := b[k*g.bs : k*g.bs+4 : k*g.bs+4]
		s00 += a0 * b[0]
		s01 += a0 * b[1]
		s02 += a0 * b[2]
		s03 += a0 * b[3]
		s10 += a1 * b[0]
		s11 += a1 * b[1]
		s12 += a1 * b[2]
		s13 += a1 * b[3]
	}
	return [2][4]float32{{s00, s01, s02, s03}, {s10, s11, s12, s13}}
}

func tile1x4(g *gemmArgs, a []float32) [4]float32 {
	var s0, s1, s2, s3 float32
	for k := range g.k {
		a0 := a[k*g.ks]
		b := g.b[k*g.bs : k*g.bs+4 : k*g.bs+4]
		s0 += a0 * b[0]
		s1 += a0 * b[1]
		s2 += a0 * b[2]
		s3 += a0 * b[3]
	}
	return [4]float32{s0, s1, s2, s3}
}
