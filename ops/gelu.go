package ops

import (
	"math"

	"fovea/internal/kernel"
)

// gaussBlock is how many exponentials are computed at a time.
const gaussBlock = 256

// gauss calls f for blocks of x with e[i] = exp(−x[i]²/2), from which Φ and its density follow.
func gauss(x []float32, f func(from int, x, e []float32)) {
	var buf [gaussBlock]float32
	for i := 0; i < len(x); i += gaussBlock {
		b := x[i:min(i+gaussBlock, len(x))]
		e := buf[:len(b)]
		for j, v := range b {
			e[j] = -.5 * v * v
		}
		kernel.Exp(e, e)
		f(i, b, e)
	}
}

// normal is Φ(x) for e = exp(−x²/2): formula 7.1.26 of Abramowitz & Stegun, "Handbook of Mathematical Functions" (1964),
// at x/√2. Its error is at most 0.8·10⁻⁷.
func normal(x, e float32) float32 {
	const (
		p  = .3275911 / math.Sqrt2
		a1 = .254829592 / 2
		a2 = -.284496736 / 2
		a3 = 1.421413741 / 2
		a4 = -1.453152027 / 2
		a5 = 1.061405429 / 2
	)
	t := 1 / (1 + p*max(x, -x))
	tail := ((((a5*t+a4)*t+a3)*t+a2)*t + a1) * t * e
	if x < 0 {
		return tail
	}
	return 1 - tail
}

func geluExact(dst, x []float32) {
	gauss(x, func(from int, x, e []float32) {
		dst := dst[from:][:len(x)]
		for i, v := range x {
			dst[i] = v * normal(v, e[i])
			if v < -14 { // Φ is 0 to float32, and −Inf·0 is not
				dst[i] = 0
			}
		}
	})
}

func geluExactGrad(dx, x, dy []float32) {
	const density = 1 / (math.Sqrt2 * math.SqrtPi)
	gauss(x, func(from int, x, e []float32) {
		dx, dy := dx[from:][:len(x)], dy[from:][:len(x)]
		for i, v := range x {
			g := normal(v, e[i])
			if e[i] > 0 {
				g += v * density * e[i]
			}
			dx[i] += dy[i] * g
		}
	})
}

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
