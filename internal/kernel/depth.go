package kernel

import "fmt"

// A line of a depthwise convolution: n places, step elements apart in a line x of the picture, whose c channels lie c elements
// apart in a line y of the result, by a line w of the kernel, k taps of c channels each. Kernels of 3 and 5 taps have assembly.

// DepthRow adds the convolution of the line: y[i, ch] += Σⱼ x[i·step + j·c + ch]·w[j, ch].
func DepthRow(y, x, w []float32, k, n, c, step int) {
	checkDepth("DepthRow", len(y), len(x), len(w), k, n, c, step)
	byTaps(depthRow3, depthRow5, depthRowGeneric, y, x, w, k, n, c, step)
}

// DepthRowSpread is DepthRow's gradient by x: dx[i·step + j·c + ch] += dy[i, ch]·w[j, ch].
func DepthRowSpread(dx, dy, w []float32, k, n, c, step int) {
	checkDepth("DepthRowSpread", len(dy), len(dx), len(w), k, n, c, step)
	byTaps(depthSpread3, depthSpread5, depthSpreadGeneric, dx, dy, w, k, n, c, step)
}

// DepthRowGrad is DepthRow's gradient by w: dw[j, ch] += Σᵢ x[i·step + j·c + ch]·dy[i, ch].
func DepthRowGrad(dw, x, dy []float32, k, n, c, step int) {
	checkDepth("DepthRowGrad", len(dy), len(x), len(dw), k, n, c, step)
	byTaps(depthGrad3, depthGrad5, depthGradGeneric, dw, x, dy, k, n, c, step)
}

// byTaps calls the function that is made for k taps, or the one for any number.
func byTaps(three, five func(to, a, b []float32, n, c, step int), other func(to, a, b []float32, k, n, c, step int), to, a, b []float32, k, n, c, step int) {
	switch {
	case n == 0 || c == 0:
	case k == 3:
		three(to, a, b, n, c, step)
	case k == 5:
		five(to, a, b, n, c, step)
	default:
		other(to, a, b, k, n, c, step)
	}
}

func checkDepth(fn string, y, x, w, k, n, c, step int) {
	if k < 1 || n < 0 || c < 0 || step < 0 || y < n*c || w < k*c || n > 0 && x < (n-1)*step+k*c {
		panic(fmt.Sprintf("kernel: %s: %d places of %d channels, %d taps, step %d, for lines of %d and %d elements and %d weights", fn, n, c, k, step, y, x, w))
	}
}

func depthRowGeneric(y, x, w []float32, k, n, c, step int) {
	for i := range n {
		for j := range k {
			mulTo(y[i*c:(i+1)*c], x[i*step+j*c:i*step+(j+1)*c], w[j*c:(j+1)*c])
		}
	}
}

func depthSpreadGeneric(dx, dy, w []float32, k, n, c, step int) {
	for i := range n {
		for j := range k {
			mulTo(dx[i*step+j*c:i*step+(j+1)*c], dy[i*c:(i+1)*c], w[j*c:(j+1)*c])
		}
	}
}

func depthGradGeneric(dw, x, dy []float32, k, n, c, step int) {
	for i := range n {
		for j := range k {
			mulTo(dw[j*c:(j+1)*c], x[i*step+j*c:i*step+(j+1)*c], dy[i*c:(i+1)*c])
		}
	}
}

func depthRow3Generic(y, x, w []float32, n, c, step int) { depthRowGeneric(y, x, w, 3, n, c, step) }
func depthRow5Generic(y, x, w []float32, n, c, step int) { depthRowGeneric(y, x, w, 5, n, c, step) }
func depthSpread3Generic(dx, dy, w []float32, n, c, step int) {
	depthSpreadGeneric(dx, dy, w, 3, n, c, step)
}
func depthSpread5Generic(dx, dy, w []float32, n, c, step int) {
	depthSpreadGeneric(dx, dy, w, 5, n, c, step)
}
func depthGrad3Generic(dw, x, dy []float32, n, c, step int) {
	depthGradGeneric(dw, x, dy, 3, n, c, step)
}
func depthGrad5Generic(dw, x, dy []float32, n, c, step int) {
	depthGradGeneric(dw, x, dy, 5, n, c, step)
}
