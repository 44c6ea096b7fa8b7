package kernel

func channelMomentsGeneric(sum, squares, x, shift []float32, n, c int) {
	for j := range c {
		var s, q float32
		for i := range n {
			d := x[i*c+j] - shift[j]
			s += d
			q += d * d
		}
		sum[j] += s
		squares[j] += q
	}
}

// atLeast is max(v, floor), and NaN for NaN.
func atLeast(v, floor float32) float32 {
	if v < floor {
		return floor
	}
	return v
}

func channelAffineGeneric(y, x, mul, add []float32, n, c int, floor float32) {
	for i := range n * c {
		y[i] = atLeast(x[i]*mul[i%c]+add[i%c], floor)
	}
}

func channelAffineAddGeneric(y, x, res, mul, add []float32, n, c int, floor float32) {
	for i := range n * c {
		y[i] = atLeast(x[i]*mul[i%c]+add[i%c]+res[i], floor)
	}
}

func channelGradSumsGeneric(sum, dot, x, y, dy, mean []float32, n, c int, floor float32) {
	for j := range c {
		var s, d float32
		for i := j; i < n*c; i += c {
			var g float32
			if y[i] > floor {
				g = dy[i]
			}
			s += g
			d += g * (x[i] - mean[j])
		}
		sum[j] += s
		dot[j] += d
	}
}

func channelGradGeneric(dx, x, y, dy, a, b, k []float32, n, c int, floor float32) {
	for i := range n * c {
		dx[i] = affineGrad(x[i], y[i], dy[i], a[i%c], b[i%c], k[i%c], floor)
	}
}

func channelGradAddGeneric(dx, x, y, dy, a, b, k []float32, n, c int, floor float32) {
	for i := range n * c {
		dx[i] += affineGrad(x[i], y[i], dy[i], a[i%c], b[i%c], k[i%c], floor)
	}
}

func affineGrad(x, y, dy, a, b, k, floor float32) float32 {
	if y > floor {
		return a*dy + b*x + k
	}
	return b*x + k
}

func aboveGeneric(dst, y, dy []float32, floor float32) {
	clear(dst)
	aboveAddGeneric(dst, y, dy, floor)
}

func aboveAddGeneric(dst, y, dy []float32, floor float32) {
	for i, v := range y {
		if v > floor {
			dst[i] += dy[i]
		}
	}
}

func pool2Generic(y, x []float32, rs, c, n int) {
	for i := range n * c {
		at := i/c*2*c + i%c
		y[i] = x[at]
		for _, v := range [3]float32{x[at+c], x[at+rs], x[at+rs+c]} {
			if v > y[i] || v != v {
				y[i] = v
			}
		}
	}
}

func pool2GradGeneric(dx, x, y, dy []float32, rs, c, n int) {
	for l := range 2 {
		clear(dx[l*rs : l*rs+2*n*c])
	}
	pool2GradAddGeneric(dx, x, y, dy, rs, c, n)
}

func pool2GradAddGeneric(dx, x, y, dy []float32, rs, c, n int) {
	for i := range n * c {
		at := i/c*2*c + i%c
		for _, p := range [4]int{at, at + c, at + rs, at + rs + c} {
			if x[p] == y[i] {
				dx[p] += dy[i]
				break
			}
		}
	}
}
