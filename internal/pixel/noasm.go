//go:build !amd64 || noasm

package pixel

func idct(dst []uint8, stride int, coef []int16, quant *[64]int16) {
	idctGeneric(dst, stride, coef, quant)
}
func rgbFromYCC(rgb, y, cb, cr []uint8)                   { rgbFromYCCGeneric(rgb, y, cb, cr) }
func columns(sum []uint16, near, far []uint8)             { columnsGeneric(sum, near, far) }
func stretch(dst []uint8, sum []uint16, even, odd uint16) { stretchGeneric(dst, sum, even, odd) }
func interleave(dst, src []uint8, stride, n int)          { interleaveGeneric(dst, src, stride, n) }
func separate(dst, src []uint8, stride, n int)            { separateGeneric(dst, src, stride, n) }
func across(dst, src []uint8, t *Taps, c int)             { acrossGeneric(dst, src, t, c) }
func down(dst, src []uint8, k []int32)                    { downGeneric(dst, src, k) }
