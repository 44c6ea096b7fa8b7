package kernel

import (
	"fmt"
	"math"
)

// LayerNormRows normalises each of the rows of x [rows, d] (Ba et al. 2016): y = (x − mean)·rstd·g + b with
// rstd = 1/√(var + eps). g and b [d] may be nil (1 and 0). mean and rstd [rows] receive what LayerNormRowsGrad needs;
// both may be nil together. y may be x.
func LayerNormRows(y, mean, rstd, x, g, b []float32, rows, d int, eps float32) {
	checkRows("LayerNormRows", rows, d, x, y)
	checkOptional("LayerNormRows", d, g, b)
	checkOptional("LayerNormRows", rows, mean, rstd)
	for i := range rows {
		m, r := layerNormRow(y[i*d:(i+1)*d], x[i*d:(i+1)*d], g, b, eps)
		if mean != nil {
			mean[i], rstd[i] = m, r
		}
	}
}

// LayerNormRowsGrad adds the gradient of LayerNormRows to dx [rows, d], dg [d] and db [d], given dy [rows, d], the input
// x, the gain g (nil as in the forward pass) and the mean and rstd that the forward pass kept. dx, dg and db may each be
// nil when not wanted.
func LayerNormRowsGrad(dx, dg, db, dy, x, g, mean, rstd []float32, rows, d int) {
	checkRows("LayerNormRowsGrad", rows, d, x, dy)
	checkOptional("LayerNormRowsGrad", rows*d, dx, nil)
	checkOptional("LayerNormRowsGrad", d, dg, db)
	checkOptional("LayerNormRowsGrad", d, g, nil)
	same("LayerNormRowsGrad", rows, len(mean))
	same("LayerNormRowsGrad", rows, len(rstd))
	for i := range rows {
		j, k := i*d, (i+1)*d
		layerNormGradRow(rowOf(dx, j, k), dg, db, dy[j:k], x[j:k], g, mean[i], rstd[i])
	}
}

// RMSNormRows scales each row of x [rows, d] to unit root mean square (Zhang and Sennrich 2019): y = x·rstd·g with
// rstd = 1/√(mean(x²) + eps). g [d] may be nil. rstd [rows] may be nil when no gradient follows. y may be x. For Gemma's
// "1 + weight" add the one to g beforehand.
func RMSNormRows(y, rstd, x, g []float32, rows, d int, eps float32) {
	checkRows("RMSNormRows", rows, d, x, y)
	checkOptional("RMSNormRows", d, g, nil)
	checkOptional("RMSNormRows", rows, rstd, nil)
	for i := range rows {
		r := rmsNormRow(y[i*d:(i+1)*d], x[i*d:(i+1)*d], g, eps)
		if rstd != nil {
			rstd[i] = r
		}
	}
}

// RMSNormRowsGrad adds the gradient of RMSNormRows to dx [rows, d] and dg [d], each of which may be nil.
func RMSNormRowsGrad(dx, dg, dy, x, g, rstd []float32, rows, d int) {
	checkRows("RMSNormRowsGrad", rows, d, x, dy)
	checkOptional("RMSNormRowsGrad", rows*d, dx, nil)
	checkOptional("RMSNormRowsGrad", d, dg, g)
	same("RMSNormRowsGrad", rows, len(rstd))
	for i := range rows {
		j, k := i*d, (i+1)*d
		rmsNormGradRow(rowOf(dx, j, k), dg, dy[j:k], x[j:k], g, rstd[i])
	}
}

func rowOf(x []float32, j, k int) []float32 {
	if x == nil {
		return nil
	}
	return x[j:k]
}

func checkRows(fn string, rows, d int, x, y []float32) {
	if rows < 0 || d < 0 || len(x) != rows*d || len(y) != rows*d {
		panic(fmt.Sprintf("kernel: %s: %d and %d elements for %d rows of %d", fn, len(x), len(y), rows, d))
	}
}

func checkOptional(fn string, n int, a, b []float32) {
	if a != nil && len(a) != n {
		panicLen(fn, n, len(a))
	}
	if b != nil && len(b) != n {
		panicLen(fn, n, len(b))
	}
}

func layerNormRowGeneric(y, x, g, b []float32, eps float32) (mean, rstd float32) {
	n := float32(len(x))
	mean = sumGeneric(x) / n
	var v float32
	for _, a := range x {
		v += (a - mean) * (a - mean)
	}
	rstd = float32(1 / math.Sqrt(float64(v/n+eps)))
	for i, a := range x {
		a = (a - mean) * rstd
		if g != nil {
			a *= g[i]
		}
		if b != nil {
			a += b[i]
		}
		y[i] = a
	}
	return mean, rstd
}

// With x̂ = (x − mean)·rstd and d = dy·g: dx = rstd·(d − mean(d) − x̂·mean(d·x̂)), dg = dy·x̂, db = dy.
func layerNormGradRowGeneric(dx, dg, db, dy, x, g []float32, mean, rstd float32) {
	var s0, s1 float32
	for i, a := range x {
		h := (a - mean) * rstd
		d := dy[i]
		if dg != nil {
			dg[i] += d * h
		}
		if db != nil {
			db[i] += d
		}
		if g != nil {
			d *= g[i]
		}
		s0 += d
		s1 += d * h
	}
	if dx == nil {
		return
	}
	s0 /= float32(len(x))
	s1 /= float32(len(x))
	for i, a := range x {
		d := dy[i]
		if g != nil {
			d *= g[i]
		}
		dx[i] += rstd * (d - s0 - (a-mean)*rstd*s1)
	}
}

func rmsNormRowGeneric(y, x, g []float32, eps float32) (rstd float32) {
	rstd = float32(1 / math.Sqrt(float64(sumSqGeneric(x)/float32(len(x))+eps)))
	for i, a := range x {
		a *= rstd
		if g != nil {
			a *= g[i]
		}
		y[i] = a
	}
	return rstd
}

// With d = dy·g: dx = rstd·(d − x·rstd²·mean(d·x)), dg = dy·x·rstd.
func rmsNormGradRowGeneric(dx, dg, dy, x, g []float32, rstd float32) {
	var s float32
	for i, a := range x {
		d := dy[i]
		if dg != nil {
			dg[i] += d * a * rstd
		}
		if g != nil {
			d *= g[i]
		}
		s += d * a
	}
	if dx == nil {
		return
	}
	s *= rstd * rstd / float32(len(x))
	for i, a := range x {
		d := dy[i]
		if g != nil {
			d *= g[i]
		}
		dx[i] += rstd * (d - a*s)
	}
}
