//go:build amd64 && !noasm

package pixel

import "fovea/internal/cpu"

var (
	useAVX2   = cpu.AVX2()
	useAVX512 = cpu.AVX512()
)

func init() {
	cpu.Register("pixel", "avx2", &useAVX2)
	cpu.Register("pixel", "avx512", &useAVX512)
}

// vector reports whether the kernels that have no AVX-512 form of their own may run.
func vector() bool { return useAVX2 || useAVX512 }

func idct(dst []uint8, stride int, coef []int16, quant *[64]int16) {
	done := 0 // blocks
	if useAVX512 {
		if n := len(coef) / 64 &^ 3; n > 0 {
			idctAVX512(dst, stride, coef[:64*n], &quant[0])
			done = n
		}
	}
	if vector() {
		if n := (len(coef)/64 - done) &^ 1; n > 0 {
			idctAVX2(dst[8*done:], stride, coef[64*done:64*(done+n)], &quant[0])
			done += n
		}
	}
	if 64*done < len(coef) {
		idctGeneric(dst[8*done:], stride, coef[64*done:], quant)
	}
}

// pieces runs a kernel over n elements of which it takes by at once: the last piece overlaps the one before. It reports false
// when there is less than one piece.
func pieces(n, by int, f func(from, n int)) bool {
	if n < by || !vector() {
		return false
	}
	f(0, n/by*by)
	if n%by > 0 {
		f(n-by, by)
	}
	return true
}

func rgbFromYCC(rgb, y, cb, cr []uint8) {
	if !pieces(len(y), 32, func(i, n int) { rgbFromYCCAVX2(rgb[3*i:3*(i+n)], y[i:i+n], cb[i:i+n], cr[i:i+n]) }) {
		rgbFromYCCGeneric(rgb, y, cb, cr)
	}
}

func columns(sum []uint16, near, far []uint8) {
	if !pieces(len(sum), 16, func(i, n int) { columnsAVX2(sum[i:i+n], near[i:i+n], far[i:i+n]) }) {
		columnsGeneric(sum, near, far)
	}
}

func stretch(dst []uint8, sum []uint16, even, odd uint16) {
	if !pieces(len(sum)-2, 16, func(i, n int) { stretchAVX2(dst[2*i:2*(i+n)], sum[i:i+n+2], even, odd) }) {
		stretchGeneric(dst, sum, even, odd)
	}
}

func interleave(dst, src []uint8, stride, n int) {
	if !pieces(n, 8, func(i, n int) { interleaveAVX2(dst[Rows*i:], src[i:], stride, n) }) {
		interleaveGeneric(dst, src, stride, n)
	}
}

func separate(dst, src []uint8, stride, n int) {
	if !pieces(n, 8, func(i, n int) { separateAVX2(dst[i:], src[Rows*i:], stride, n) }) {
		separateGeneric(dst, src, stride, n)
	}
}

func across(dst, src []uint8, t *Taps, c int) {
	var f func(dst, src []uint8, start, count []int, size int, k []int32)
	switch {
	case len(dst) == 0 || !vector():
		acrossGeneric(dst, src, t, c)
		return
	case c == 1 && useAVX512:
		f = across1AVX512
	case c == 3 && useAVX512:
		f = across3AVX512
	case c == 4 && useAVX512:
		f = across4AVX512
	case c == 1:
		f = across1AVX2
	case c == 3:
		f = across3AVX2
	default:
		f = across4AVX2
	}
	f(dst, src, t.Start, t.Count, t.Size, t.K)
}

func down(dst, src []uint8, k []int32) {
	stride, by, f := len(dst), 32, downAVX2
	if useAVX512 && stride >= 64 {
		by, f = 64, downAVX512
	}
	if len(k) == 0 || !pieces(stride, by, func(i, n int) { f(dst[i:i+n], src[i:], stride, k) }) {
		downGeneric(dst, src, k)
	}
}
