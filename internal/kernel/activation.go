package kernel

import "math"

// GELU's tanh form: 0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))) (Hendrycks and Gimpel 2016). Since 0.5·(1 + tanh u) is
// the sigmoid of 2u, kernels compute x·σ(geluA·x + geluB·x³).
const (
	geluA = 1.5957691216057308 // 2·√(2/π)
	geluB = geluA * 0.044715
)

// Exp sets dst = eˣ, within 2 units in the last place, subnormal results included.
func Exp(dst, x []float32) {
	same("Exp", len(dst), len(x))
	exp(dst, x)
}

// GELU sets dst = GELU(x) in its tanh form (Hendrycks and Gimpel 2016; "gelu_new", "gelu_pytorch_tanh").
func GELU(dst, x []float32) {
	same("GELU", len(dst), len(x))
	gelu(dst, x)
}

// GELUGrad adds dy·GELU′(x) to dx.
func GELUGrad(dx, x, dy []float32) {
	same("GELUGrad", len(dx), len(x))
	same("GELUGrad", len(dx), len(dy))
	geluGrad(dx, x, dy)
}

// GELUBackward is what a layer that kept x alone needs on the way back: it sets y = GELU(x) and multiplies d by GELU′(x).
func GELUBackward(y, d, x []float32) {
	same("GELUBackward", len(y), len(x))
	same("GELUBackward", len(d), len(x))
	geluBackward(y, d, x)
}

// GELUExact sets dst = x·Φ(x), Φ being the normal distribution (Hendrycks and Gimpel 2016), to an absolute error of
// 1.5e-7·|x|.
func GELUExact(dst, x []float32) {
	same("GELUExact", len(dst), len(x))
	geluExact(dst, x)
}

// GELUExactGrad adds dy·(x·Φ(x))′ to dx.
func GELUExactGrad(dx, x, dy []float32) {
	same("GELUExactGrad", len(dx), len(x))
	same("GELUExactGrad", len(dx), len(dy))
	geluExactGrad(dx, x, dy)
}

// ReLU sets dst = max(x, 0).
func ReLU(dst, x []float32) {
	same("ReLU", len(dst), len(x))
	relu(dst, x)
}

// ReLUGrad adds dy to dx where x > 0.
func ReLUGrad(dx, x, dy []float32) {
	same("ReLUGrad", len(dx), len(x))
	same("ReLUGrad", len(dx), len(dy))
	reluGrad(dx, x, dy)
}

// ReLU6 sets dst = min(max(x, 0), 6).
func ReLU6(dst, x []float32) {
	same("ReLU6", len(dst), len(x))
	relu6(dst, x)
}

// ReLU6Grad clears dy where y, what ReLU6 gave, is not between 0 and 6.
func ReLU6Grad(dy, y []float32) {
	same("ReLU6Grad", len(dy), len(y))
	relu6Grad(dy, y)
}

// SiLU sets dst = x·σ(x), also called swish (Elfwing et al. 2017).
func SiLU(dst, x []float32) {
	same("SiLU", len(dst), len(x))
	silu(dst, x)
}

// SiLUGrad adds dy·SiLU′(x) to dx.
func SiLUGrad(dx, x, dy []float32) {
	same("SiLUGrad", len(dx), len(x))
	same("SiLUGrad", len(dx), len(dy))
	siluGrad(dx, x, dy)
}

// Sigmoid sets dst = 1/(1 + e⁻ˣ).
func Sigmoid(dst, x []float32) {
	same("Sigmoid", len(dst), len(x))
	sigmoid(dst, x)
}

// Tanh sets dst = tanh(x).
func Tanh(dst, x []float32) {
	same("Tanh", len(dst), len(x))
	tanh(dst, x)
}

func expf(v float32) float32 { return float32(math.Exp(float64(v))) }

func logistic(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

func expGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = expf(v)
	}
}

func geluGeneric(dst, x []float32) {
	for i, v := range x {
		v := float64(v)
		dst[i] = float32(v * logistic(v*(geluA+geluB*v*v)))
	}
}

// The derivatives are 0 or 1 to float32's precision beyond these bounds of |x|, and are computed as at the bound, so that
// products of 0 and Inf do not arise.
const (
	geluGradLimit = 10
	siluGradLimit = 88
)

func clamp(v, limit float64) float64 {
	if v > limit {
		return limit
	} else if v < -limit {
		return -limit
	}
	return v
}

// geluSlope returns σ(u) of GELU(x) = x·σ(u), and GELU′(x).
func geluSlope(x float32) (s, slope float64) {
	v := clamp(float64(x), geluGradLimit)
	s = logistic(v * (geluA + geluB*v*v))
	return s, s + v*s*(1-s)*(geluA+3*geluB*v*v)
}

func geluGradGeneric(dx, x, dy []float32) {
	for i, v := range x {
		_, slope := geluSlope(v)
		dx[i] += dy[i] * float32(slope)
	}
}

func geluBackwardGeneric(y, d, x []float32) {
	for i, v := range x {
		s, slope := geluSlope(v)
		y[i] = float32(float64(v) * s)
		d[i] *= float32(slope)
	}
}

// gaussLimit bounds |x|: beyond, Φ is 0 or 1 and its density 0 in float32, and Inf·0 does not arise.
const gaussLimit = 40

func geluExactGeneric(dst, x []float32) {
	for i, v := range x {
		v := max(float64(v), -gaussLimit)
		dst[i] = float32(v * .5 * math.Erfc(-v/math.Sqrt2))
	}
}

func geluExactGradGeneric(dx, x, dy []float32) {
	for i, v := range x {
		v := clamp(float64(v), gaussLimit)
		dx[i] += dy[i] * float32(.5*math.Erfc(-v/math.Sqrt2)+v*math.Exp(-v*v/2)/(math.Sqrt2*math.SqrtPi))
	}
}

func reluGeneric(dst, x []float32) {
	for i, v := range x {
		if v < 0 {
			v = 0
		}
		dst[i] = v
	}
}

func reluGradGeneric(dx, x, dy []float32) {
	for i, v := range x {
		if v > 0 {
			dx[i] += dy[i]
		}
	}
}

func relu6Generic(dst, x []float32) {
	for i, v := range x {
		switch {
		case v < 0:
			v = 0
		case v > 6:
			v = 6
		}
		dst[i] = v
	}
}

func relu6GradGeneric(dy, y []float32) {
	for i, v := range y {
		if !(v > 0 && v < 6) {
			dy[i] = 0
		}
	}
}

func siluGeneric(dst, x []float32) {
	for i, v := range x {
		v := float64(v)
		dst[i] = float32(v * logistic(v))
	}
}

func siluGradGeneric(dx, x, dy []float32) {
	for i, v := range x {
		v := clamp(float64(v), siluGradLimit)
		s := logistic(v)
		dx[i] += dy[i] * float32(s+v*s*(1-s))
	}
}

func sigmoidGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = float32(logistic(float64(v)))
	}
}

func tanhGeneric(dst, x []float32) {
	for i, v := range x {
		dst[i] = float32(math.Tanh(float64(v)))
	}
}
