package pixel

import "fmt"

// IDCT writes the pixels of blocks of 8 × 8 that stand side by side: dst gets 8 rows, stride bytes apart, of 8 samples a
// block. coef holds 64 coefficients a block, row by row, each to be multiplied by its entry of quant.
//
// The arithmetic is that of libjpeg's "slow integer" transform (jidctint.c; Loeffler, Ligtenberg and Moschytz 1989), columns
// first. Where damaged data leave its range, products wrap and sums saturate at 16 bits, as in libjpeg-turbo's vector code.
func IDCT(dst []uint8, stride int, coef []int16, quant *[64]int16) {
	n := len(coef) / 64
	if len(coef)%64 != 0 || n > 0 && len(dst) < 7*stride+8*n || stride < 8*n {
		panic(fmt.Sprintf("pixel: IDCT of %d coefficients into %d bytes, stride %d", len(coef), len(dst), stride))
	}
	idct(dst, stride, coef, quant)
}

// The transform's constants have 13 fraction bits; the sums of the first pass keep 2.
const (
	f0298 = 2446
	f0390 = 3196
	f0541 = 4433
	f0765 = 6270
	f0899 = 7373
	f1175 = 9633
	f1501 = 12299
	f1847 = 15137
	f1961 = 16069
	f2053 = 16819
	f2562 = 20995
	f3072 = 25172

	idctBits, passBits = 13, 2
)

func idctGeneric(dst []uint8, stride int, coef []int16, quant *[64]int16) {
	for b := 0; b < len(coef); b += 64 {
		var w, o [64]int16
		for i := range w {
			w[i] = coef[b+i] * quant[i]
		}
		for i := range 8 {
			idct8(&o, &w, i, 8, idctBits-passBits)
		}
		for i := range 8 {
			idct8(&w, &o, 8*i, 1, idctBits+passBits+3)
			d := dst[i*stride+b/8:][:8]
			for j, v := range w[8*i : 8*i+8] {
				d[j] = clamp8(int32(v) + 128)
			}
		}
	}
}

// idct8 transforms the 8 values of in that begin at i and are step apart, and drops so many bits.
func idct8(out, in *[64]int16, i, step, shift int) {
	at := func(k int) int32 { return int32(in[i+k*step]) }
	odd := func(a, b int) int32 { return int32(in[i+a*step] + in[i+b*step]) } // wraps at 16 bits
	z2, z3 := at(2), at(6)
	t2 := z2*f0541 + z3*(f0541-f1847)
	t3 := z2*(f0541+f0765) + z3*f0541
	t0, t1 := int32(in[i]+in[i+4*step])<<idctBits, int32(in[i]-in[i+4*step])<<idctBits
	even := [4]int32{t0 + t3, t1 + t2, t1 - t2, t0 - t3}

	z3, z4 := odd(7, 3), odd(5, 1)
	z3, z4 = z3*(f1175-f1961)+z4*f1175, z3*f1175+z4*(f1175-f0390)
	a, b, c, d := at(7), at(5), at(3), at(1)
	high := [4]int32{
		a*-f0899 + d*(f1501-f0899) + z4,
		b*-f2562 + c*(f3072-f2562) + z3,
		b*(f2053-f2562) + c*-f2562 + z4,
		a*(f0298-f0899) + d*-f0899 + z3,
	}
	round := int32(1) << (shift - 1)
	for k := range 4 {
		out[i+k*step] = clamp16((even[k] + high[k] + round) >> shift)
		out[i+(7-k)*step] = clamp16((even[k] - high[k] + round) >> shift)
	}
}
