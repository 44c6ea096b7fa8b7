package kernel

import "math"

// AdamW does one step of Adam with decoupled weight decay (Loshchilov and Hutter 2017) on the parameters p with gradient g,
// first moment m and second moment v, all of one length:
//
//	m = beta1·m + (1 − beta1)·g
//	v = beta2·v + (1 − beta2)·g²
//	p = p − lr·(m/c1 / (√(v/c2) + eps) + wd·p)
//
// c1 = 1 − beta1ᵗ and c2 = 1 − beta2ᵗ correct the bias of step t, counted from 1.
func AdamW(p, g, m, v []float32, lr, beta1, beta2, eps, wd, c1, c2 float32) {
	same("AdamW", len(p), len(g))
	same("AdamW", len(p), len(m))
	same("AdamW", len(p), len(v))
	// p·(1 − lr·wd) − (lr·√c2/c1)·m / (√v + eps·√c2): one square root and one division an element.
	root := math.Sqrt(float64(c2))
	step := float32(float64(lr) * root / float64(c1))
	adamW(p, g, m, v, beta1, beta2, 1-lr*wd, step, float32(float64(eps)*root))
}

func adamWGeneric(p, g, m, v []float32, beta1, beta2, decay, step, eps float32) {
	for i, d := range g {
		a := m[i] + (1-beta1)*(d-m[i])
		b := v[i] + (1-beta2)*(d*d-v[i])
		m[i], v[i] = a, b
		p[i] = p[i]*decay - step*a/(float32(math.Sqrt(float64(b)))+eps)
	}
}
