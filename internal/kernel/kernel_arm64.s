//go:build !noasm

#include "textflag.h"

// Go's assembler knows two instructions for vectors of floats, VFMLA and VFMLS; these are the others, for four lanes: d = n op m.
#define FADD4(m, n, d) WORD $(0x4E20D400 | (m)<<16 | (n)<<5 | (d))
#define FSUB4(m, n, d) WORD $(0x4EA0D400 | (m)<<16 | (n)<<5 | (d))
#define FMUL4(m, n, d) WORD $(0x6E20DC00 | (m)<<16 | (n)<<5 | (d))
#define FDIV4(m, n, d) WORD $(0x6E20FC00 | (m)<<16 | (n)<<5 | (d))
#define FMAX4(m, n, d) WORD $(0x4E20F400 | (m)<<16 | (n)<<5 | (d))   // NaN if either is
#define FMIN4(m, n, d) WORD $(0x4EA0F400 | (m)<<16 | (n)<<5 | (d))
#define FMAXNM4(m, n, d) WORD $(0x4E20C400 | (m)<<16 | (n)<<5 | (d)) // the other one if either is NaN
#define FADDP4(m, n, d) WORD $(0x6E20D400 | (m)<<16 | (n)<<5 | (d))  // sums of neighbours
#define FMAXNMV(n, d) WORD $(0x6E30C800 | (n)<<5 | (d))              // the largest lane
#define FNEG4(n, d) WORD $(0x6EA0F800 | (n)<<5 | (d))
#define FCMGT4(m, n, d) WORD $(0x6EA0E400 | (m)<<16 | (n)<<5 | (d))  // ones where n > m
#define FCVTNS4(n, d) WORD $(0x4E21A800 | (n)<<5 | (d))              // to integers, to nearest even
#define SCVTF4(n, d) WORD $(0x4E21D800 | (n)<<5 | (d))
#define SSHR1(n, d) WORD $(0x4F3F0400 | (n)<<5 | (d))                // n >> 1

#define SPLAT(r, v) VDUP r, v.S4

// A tile is up to 6 rows of 16 columns: 24 sums in V8 to V31, a row of b in V0 to V3, an element of a in V4 and V5.
#define CLEAR(v) VEOR v.B16, v.B16, v.B16
#define CLEARROW(p, q, r, s) CLEAR(p); CLEAR(q); CLEAR(r); CLEAR(s)
#define ADDROW(x, p, q, r, s) VFMLA V0.S4, x.S4, p.S4; VFMLA V1.S4, x.S4, q.S4; VFMLA V2.S4, x.S4, r.S4; VFMLA V3.S4, x.S4, s.S4
#define STEP(at, x, p, q, r, s) VLD1R (at), [x.S4]; ADD R6, at; ADDROW(x, p, q, r, s)

// A row that is not there is a copy of the one before.
#define BELOW(i, above, at) ADD R5, above, at; CMP $i, R9; CSEL GT, at, above, at

// STORE adds what c held, times beta, and leaves when it was the last row.
#define STORE(p, q, r, s) \
	VLD1 (R2), [V0.S4, V1.S4, V2.S4, V3.S4] \
	ADDROW(V4, p, q, r, s)                  \
	STOREONLY(p, q, r, s)
#define STOREONLY(p, q, r, s) \
	VST1 [p.S4, q.S4, r.S4, s.S4], (R2) \
	ADD  R8, R2                         \
	SUBS $1, R9                         \
	BEQ  done

// func tileNEON(a, b, c, bias *float32, k, rs, ks, bs, ldc, h, beta int)
TEXT ·tileNEON(SB), NOSPLIT, $0-88
	MOVD a+0(FP), R0
	MOVD b+8(FP), R1
	MOVD c+16(FP), R2
	MOVD bias+24(FP), R3
	MOVD k+32(FP), R4
	MOVD rs+40(FP), R5
	MOVD ks+48(FP), R6
	MOVD bs+56(FP), R7
	MOVD ldc+64(FP), R8
	MOVD h+72(FP), R9
	MOVD beta+80(FP), R10
	LSL  $2, R5
	LSL  $2, R6
	LSL  $2, R7
	LSL  $2, R8
	BELOW(1, R0, R11)
	BELOW(2, R11, R12)
	BELOW(3, R12, R13)
	BELOW(4, R13, R14)
	BELOW(5, R14, R15)
	CLEARROW(V8, V9, V10, V11)
	CLEARROW(V12, V13, V14, V15)
	CLEARROW(V16, V17, V18, V19)
	CLEARROW(V20, V21, V22, V23)
	CLEARROW(V24, V25, V26, V27)
	CLEARROW(V28, V29, V30, V31)

loop:
	VLD1 (R1), [V0.S4, V1.S4, V2.S4, V3.S4]
	ADD  R7, R1
	STEP(R0, V4, V8, V9, V10, V11)
	STEP(R11, V5, V12, V13, V14, V15)
	STEP(R12, V4, V16, V17, V18, V19)
	STEP(R13, V5, V20, V21, V22, V23)
	STEP(R14, V4, V24, V25, V26, V27)
	STEP(R15, V5, V28, V29, V30, V31)
	SUBS $1, R4
	BNE  loop

	FMOVS $1.0, F4
	SPLAT(V4.S[0], V4)
	CBZ   R3, nobias
	VLD1  (R3), [V0.S4, V1.S4, V2.S4, V3.S4]
	ADDROW(V4, V8, V9, V10, V11)
	ADDROW(V4, V12, V13, V14, V15)
	ADDROW(V4, V16, V17, V18, V19)
	ADDROW(V4, V20, V21, V22, V23)
	ADDROW(V4, V24, V25, V26, V27)
	ADDROW(V4, V28, V29, V30, V31)

nobias:
	CBZ R10, over
	STORE(V8, V9, V10, V11)
	STORE(V12, V13, V14, V15)
	STORE(V16, V17, V18, V19)
	STORE(V20, V21, V22, V23)
	STORE(V24, V25, V26, V27)
	STORE(V28, V29, V30, V31)

over:
	STOREONLY(V8, V9, V10, V11)
	STOREONLY(V12, V13, V14, V15)
	STOREONLY(V16, V17, V18, V19)
	STOREONLY(V20, V21, V22, V23)
	STOREONLY(V24, V25, V26, V27)
	STOREONLY(V28, V29, V30, V31)

done:
	RET

// The functions below take n elements, a multiple of 4 and not 0.

// func addNEON(dst, a, b *float32, n int)
TEXT ·addNEON(SB), NOSPLIT, $0-32
	MOVD dst+0(FP), R0
	MOVD a+8(FP), R1
	MOVD b+16(FP), R2
	MOVD n+24(FP), R4

loop:
	VLD1.P 16(R1), [V0.S4]
	VLD1.P 16(R2), [V1.S4]
	FADD4(1, 0, 0)
	VST1.P [V0.S4], 16(R0)
	SUBS   $4, R4
	BNE    loop
	RET

// func axpyNEON(alpha float32, x, y *float32, n int)
TEXT ·axpyNEON(SB), NOSPLIT, $0-32
	FMOVS alpha+0(FP), F2
	MOVD  x+8(FP), R1
	MOVD  y+16(FP), R0
	MOVD  n+24(FP), R4
	SPLAT(V2.S[0], V2)

loop:
	VLD1.P 16(R1), [V0.S4]
	VLD1   (R0), [V1.S4]
	VFMLA  V0.S4, V2.S4, V1.S4
	VST1.P [V1.S4], 16(R0)
	SUBS   $4, R4
	BNE    loop
	RET

// func scaleNEON(dst *float32, alpha float32, n int)
TEXT ·scaleNEON(SB), NOSPLIT, $0-24
	MOVD  dst+0(FP), R0
	FMOVS alpha+8(FP), F2
	MOVD  n+16(FP), R4
	SPLAT(V2.S[0], V2)

loop:
	VLD1   (R0), [V0.S4]
	FMUL4(2, 0, 0)
	VST1.P [V0.S4], 16(R0)
	SUBS   $4, R4
	BNE    loop
	RET

// func dotNEON(x, y *float32, n int) float32
TEXT ·dotNEON(SB), NOSPLIT, $0-28
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R4
	CLEARROW(V16, V17, V18, V19)
	CMP  $16, R4
	BLT  four

sixteen:
	VLD1.P 64(R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R1), [V4.S4, V5.S4, V6.S4, V7.S4]
	VFMLA  V0.S4, V4.S4, V16.S4
	VFMLA  V1.S4, V5.S4, V17.S4
	VFMLA  V2.S4, V6.S4, V18.S4
	VFMLA  V3.S4, V7.S4, V19.S4
	SUB    $16, R4
	CMP    $16, R4
	BGE    sixteen
	CBZ    R4, total

four:
	VLD1.P 16(R0), [V0.S4]
	VLD1.P 16(R1), [V4.S4]
	VFMLA  V0.S4, V4.S4, V16.S4
	SUBS   $4, R4
	BNE    four

total:
	FADD4(17, 16, 16)
	FADD4(19, 18, 18)
	FADD4(18, 16, 16)
	FADDP4(16, 16, 16)
	FADDP4(16, 16, 16)
	FMOVS F16, ret+24(FP)
	RET

// func deviationNEON(x *float32, n int, mean float32) (sum, sq float32)
// sums x − mean and its square.
TEXT ·deviationNEON(SB), NOSPLIT, $0-32
	MOVD  x+0(FP), R0
	MOVD  n+8(FP), R4
	FMOVS mean+16(FP), F4
	SPLAT(V4.S[0], V4)
	CLEAR(V16)
	CLEAR(V17)

loop:
	VLD1.P 16(R0), [V0.S4]
	FSUB4(4, 0, 0)
	FADD4(0, 16, 16)
	VFMLA  V0.S4, V0.S4, V17.S4
	SUBS   $4, R4
	BNE    loop
	FADDP4(16, 16, 16)
	FADDP4(16, 16, 16)
	FADDP4(17, 17, 17)
	FADDP4(17, 17, 17)
	FMOVS  F16, sum+24(FP)
	FMOVS  F17, sq+28(FP)
	RET

// func normalizeNEON(y, x, gain, bias *float32, n int, mean, rstd float32)
// gain and bias may be nil.
TEXT ·normalizeNEON(SB), NOSPLIT, $0-48
	MOVD  y+0(FP), R0
	MOVD  x+8(FP), R1
	MOVD  gain+16(FP), R2
	MOVD  bias+24(FP), R3
	MOVD  n+32(FP), R4
	FMOVS mean+40(FP), F4
	FMOVS rstd+44(FP), F5
	SPLAT(V4.S[0], V4)
	SPLAT(V5.S[0], V5)

loop:
	VLD1.P 16(R1), [V0.S4]
	FSUB4(4, 0, 0)
	FMUL4(5, 0, 0)
	CBZ    R2, nogain
	VLD1.P 16(R2), [V1.S4]
	FMUL4(1, 0, 0)

nogain:
	CBZ    R3, nobias
	VLD1.P 16(R3), [V1.S4]
	FADD4(1, 0, 0)

nobias:
	VST1.P [V0.S4], 16(R0)
	SUBS   $4, R4
	BNE    loop
	RET

// func largestNEON(x *float32, n int, scale float32) float32
// is the maximum of scale·x; NaN is passed over.
TEXT ·largestNEON(SB), NOSPLIT, $0-28
	MOVD  x+0(FP), R0
	MOVD  n+8(FP), R4
	FMOVS scale+16(FP), F2
	SPLAT(V2.S[0], V2)
	MOVD  $0xff800000, R5
	VDUP  R5, V1.S4

loop:
	VLD1.P 16(R0), [V0.S4]
	FMUL4(2, 0, 0)
	FMAXNM4(0, 1, 1)
	SUBS   $4, R4
	BNE    loop
	FMAXNMV(1, 1)
	FMOVS  F1, ret+24(FP)
	RET

// The exponential function of _asm/activation.go: bounds, log2 e, ln 2 in two parts, the polynomial, 127.
DATA expo<>+0(SB)/4, $-104.0
DATA expo<>+4(SB)/4, $89.0
DATA expo<>+8(SB)/4, $1.4426950408889634
DATA expo<>+12(SB)/4, $0.693359375
DATA expo<>+16(SB)/4, $-0.00021219444005469057
DATA expo<>+20(SB)/4, $0.0013814467238262296
DATA expo<>+24(SB)/4, $0.008368780836462975
DATA expo<>+28(SB)/4, $0.04166839271783829
DATA expo<>+32(SB)/4, $0.1666651964187622
DATA expo<>+36(SB)/4, $0.4999999403953552
DATA expo<>+40(SB)/4, $1.0
DATA expo<>+44(SB)/4, $127
GLOBL expo<>(SB), RODATA|NOPTR, $48

#define CONSTANT(v) VLD1R.P 4(R5), [v.S4]
#define EXPO \
	MOVD $expo<>(SB), R5 \
	CONSTANT(V20)        \
	CONSTANT(V21)        \
	CONSTANT(V22)        \
	CONSTANT(V23)        \
	CONSTANT(V24)        \
	CONSTANT(V25)        \
	CONSTANT(V26)        \
	CONSTANT(V27)        \
	CONSTANT(V28)        \
	CONSTANT(V29)        \
	CONSTANT(V30)        \
	CONSTANT(V31)

// EXP sets V0 = e^V0 and uses V1 to V5: what is exact of x − n·ln 2 in V0, n in V1, the polynomial in V3 and V4 by turns.
#define HORNER(c, from, to) VMOV c.B16, to.B16; VFMLA V0.S4, from.S4, to.S4
#define EXP \
	FMAX4(20, 0, 0)            \
	FMIN4(21, 0, 0)            \
	FMUL4(22, 0, 1)            \
	FCVTNS4(1, 1)              \
	SCVTF4(1, 2)               \
	VFMLS V2.S4, V23.S4, V0.S4 \
	VFMLS V2.S4, V24.S4, V0.S4 \
	HORNER(V26, V25, V3)       \
	HORNER(V27, V3, V4)        \
	HORNER(V28, V4, V3)        \
	HORNER(V29, V3, V4)        \
	FMUL4(0, 0, 5)             \
	VFMLA V4.S4, V5.S4, V0.S4  \
	FADD4(30, 0, 0)            \
	SSHR1(1, 2)                \
	VSUB  V2.S4, V1.S4, V1.S4  \
	VADD  V31.S4, V2.S4, V2.S4 \
	VADD  V31.S4, V1.S4, V1.S4 \
	VSHL  $23, V2.S4, V2.S4    \
	VSHL  $23, V1.S4, V1.S4    \
	FMUL4(2, 0, 0)             \
	FMUL4(1, 0, 0)

// func expNEON(dst, x *float32, n int)
TEXT ·expNEON(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R4
	EXPO

loop:
	VLD1.P 16(R1), [V0.S4]
	EXP
	VST1.P [V0.S4], 16(R0)
	SUBS   $4, R4
	BNE    loop
	RET

// func expSumNEON(x *float32, n int, scale, top float32) float32
// sets x = e^(scale·x − top) and returns the sum.
TEXT ·expSumNEON(SB), NOSPLIT, $0-28
	MOVD  x+0(FP), R0
	MOVD  n+8(FP), R4
	FMOVS scale+16(FP), F6
	FMOVS top+20(FP), F7
	SPLAT(V6.S[0], V6)
	SPLAT(V7.S[0], V7)
	CLEAR(V16)
	EXPO

loop:
	VLD1   (R0), [V0.S4]
	FMUL4(6, 0, 0)
	FSUB4(7, 0, 0)
	EXP
	FADD4(0, 16, 16)
	VST1.P [V0.S4], 16(R0)
	SUBS   $4, R4
	BNE    loop
	FADDP4(16, 16, 16)
	FADDP4(16, 16, 16)
	FMOVS  F16, ret+24(FP)
	RET

// func geluNEON(dst, x *float32, n int, a, b float32)
// is x/(1 + e^−u) with u = x·(a + b·x²).
TEXT ·geluNEON(SB), NOSPLIT, $0-32
	MOVD  dst+0(FP), R0
	MOVD  x+8(FP), R1
	MOVD  n+16(FP), R4
	FMOVS a+24(FP), F6
	FMOVS b+28(FP), F7
	SPLAT(V6.S[0], V6)
	SPLAT(V7.S[0], V7)
	EXPO

loop:
	VLD1.P 16(R1), [V16.S4]
	FMUL4(16, 16, 1)
	VMOV   V6.B16, V0.B16
	VFMLA  V1.S4, V7.S4, V0.S4
	FMUL4(16, 0, 0)
	FNEG4(0, 0)
	EXP
	FADD4(30, 0, 0)
	FDIV4(0, 16, 0)
	VST1.P [V0.S4], 16(R0)
	SUBS   $4, R4
	BNE    loop
	RET

// x·(½ + x·p(x²)/q(x²)) up to 5.5, see _asm/activation.go: the bound, p and q from the highest power down, ½.
DATA gauss<>+0(SB)/4, $-5.5
DATA gauss<>+4(SB)/4, $5.5
DATA gauss<>+8(SB)/4, $2.274973631699595e-08
DATA gauss<>+12(SB)/4, $6.352094715111889e-06
DATA gauss<>+16(SB)/4, $0.00016882162890397012
DATA gauss<>+20(SB)/4, $0.004677236080169678
DATA gauss<>+24(SB)/4, $0.033852241933345795
DATA gauss<>+28(SB)/4, $0.398942232131958
DATA gauss<>+32(SB)/4, $1.197513142869866e-06
DATA gauss<>+36(SB)/4, $7.364623888861388e-05
DATA gauss<>+40(SB)/4, $0.0018844217993319035
DATA gauss<>+44(SB)/4, $0.02864564023911953
DATA gauss<>+48(SB)/4, $0.25152090191841125
DATA gauss<>+52(SB)/4, $1.0
DATA gauss<>+56(SB)/4, $0.5
GLOBL gauss<>(SB), RODATA|NOPTR, $60

#define POWER(c, from, to) VMOV c.B16, to.B16; VFMLA V1.S4, from.S4, to.S4

// func geluExactNEON(dst, x *float32, n int)
TEXT ·geluExactNEON(SB), NOSPLIT, $0-24
	MOVD dst+0(FP), R0
	MOVD x+8(FP), R1
	MOVD n+16(FP), R4
	MOVD $gauss<>(SB), R5
	CONSTANT(V16)
	CONSTANT(V17)
	CONSTANT(V18)
	CONSTANT(V19)
	CONSTANT(V20)
	CONSTANT(V21)
	CONSTANT(V22)
	CONSTANT(V23)
	CONSTANT(V24)
	CONSTANT(V25)
	CONSTANT(V26)
	CONSTANT(V27)
	CONSTANT(V28)
	CONSTANT(V29)
	CONSTANT(V30)

loop:
	VLD1.P 16(R1), [V7.S4]
	FMAX4(16, 7, 0)
	FMIN4(17, 0, 0)
	FMUL4(0, 0, 1)
	POWER(V19, V18, V2)
	POWER(V25, V24, V4)
	POWER(V20, V2, V3)
	POWER(V26, V4, V5)
	POWER(V21, V3, V2)
	POWER(V27, V5, V4)
	POWER(V22, V2, V3)
	POWER(V28, V4, V5)
	POWER(V23, V3, V2)
	POWER(V29, V5, V4)
	FMUL4(0, 2, 2)
	FDIV4(4, 2, 2)
	FADD4(30, 2, 2)
	FMUL4(7, 2, 2)
	FCMGT4(7, 16, 3)      // below the bound
	MOVD   $0x80000000, R6
	VDUP   R6, V4.S4       // the result is −0
	VBIT   V3.B16, V4.B16, V2.B16
	VST1.P [V2.S4], 16(R0)
	SUBS   $4, R4
	BNE    loop
	RET
