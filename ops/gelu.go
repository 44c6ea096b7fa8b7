package ops

import (
	"math"

	"fovea/internal/kernel"
)

const quick = 1.702

func quickGELU(dst, x []float32) {
	for i, v := range x {
		dst[i] = quick * v
	}
	kernel.SiLU(dst, dst)
	kernel.Scale(dst, 1/float32(quick))
}

func quickGELUGrad(dx, x, dy []float32) {
	for i, v := range x { // the derivative of SiLU(c·x)/c at x is SiLU′(c·x)
		v *= quick
		s := sigmoid(v)
		dx[i] += dy[i] * s * (1 + min(max(v, -88), 88)*(1-s))
	}
}

func sigmoidGrad(dx, x, dy []float32) {
	for i, v := range x {
		s := sigmoid(v)
		dx[i] += dy[i] * s * (1 - s)
	}
}

func tanhGrad(dx, x, dy []float32) {
	for i, v := range x {
		t := float32(math.Tanh(float64(v)))
		dx[i] += dy[i] * (1 - t*t)
	}
}
