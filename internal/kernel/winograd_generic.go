package kernel

// winogradInGeneric sets dst[p·ds + t·ld + ch] to part p of Bᵀ·d·B of window t of n, whose pixels are src[i·rs + (2t+j)·c + ch].
func winogradInGeneric(dst, src []float32, ds, ld, rs, c, n int) {
	for t := range n {
		for ch := range c {
			var d [4][4]float32
			for i := range 4 {
				for j := range 4 {
					d[i][j] = src[i*rs+(2*t+j)*c+ch]
				}
			}
			for j := range 4 {
				d[0][j], d[1][j], d[2][j], d[3][j] = d[0][j]-d[2][j], d[1][j]+d[2][j], d[2][j]-d[1][j], d[3][j]-d[1][j]
			}
			for i, r := range d {
				for j, v := range [4]float32{r[0] - r[2], r[1] + r[2], r[2] - r[1], r[3] - r[1]} {
					dst[(4*i+j)*ds+t*ld+ch] = v
				}
			}
		}
	}
}

// winogradGradGeneric sets dst[p·ds + t·ld + ch] to part p of A·d·Aᵀ of window t of n, whose pixels are src[i·rs + (2t+j)·c + ch].
func winogradGradGeneric(dst, src []float32, ds, ld, rs, c, n int) {
	spread := func(a, b float32) [4]float32 { return [4]float32{a, a + b, a - b, b} }
	for t := range n {
		for ch := range c {
			at := 2*t*c + ch
			left, right := spread(src[at], src[rs+at]), spread(src[at+c], src[rs+at+c])
			for i := range 4 {
				for j, v := range spread(left[i], right[i]) {
					dst[(4*i+j)*ds+t*ld+ch] = v
				}
			}
		}
	}
}

// winogradOutGeneric sets dst[i·rs + (2t+j)·c + ch] to Aᵀ·d·A of parts d[p] = src[p·ds + t·ld + ch].
func winogradOutGeneric(dst, src []float32, ds, ld, rs, c, n int) {
	winogradResults(src, ds, ld, c, n, func(i, j, t, ch int, v float32) { dst[i*rs+(2*t+j)*c+ch] = v })
}

// winogradOutAddGeneric is winogradOutGeneric that adds.
func winogradOutAddGeneric(dst, src []float32, ds, ld, rs, c, n int) {
	winogradResults(src, ds, ld, c, n, func(i, j, t, ch int, v float32) { dst[i*rs+(2*t+j)*c+ch] += v })
}

func winogradResults(src []float32, ds, ld, c, n int, to func(i, j, t, ch int, v float32)) {
	gather := func(a, b, c, d float32) [2]float32 { return [2]float32{a + b + c, b - c + d} }
	for t := range n {
		for ch := range c {
			var columns [4][2]float32
			for j := range columns {
				at := func(i int) float32 { return src[(4*i+j)*ds+t*ld+ch] }
				columns[j] = gather(at(0), at(1), at(2), at(3))
			}
			for i := range 2 {
				for j, v := range gather(columns[0][i], columns[1][i], columns[2][i], columns[3][i]) {
					to(i, j, t, ch, v)
				}
			}
		}
	}
}
