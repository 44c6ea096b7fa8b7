//go:build amd64 && !noasm

#include "textflag.h"

// The micro-kernels of AMX, by hand: neither avo nor Go's assembler knows tiles, so their instructions are spelled as bytes (Intel's
// manual, volume 2: VEX.128.0F38.W0). A tile register holds up to 16 rows of 64 bytes. Registers 0 … 3 are sums, 4 and 5 rows of a,
// 6 and 7 columns of b:
//
//	      6   7
//	  4 [ 0 | 1 ]
//	  5 [ 2 | 3 ]
//
// Numbers of general registers in an address: AX 0, CX 1, DX 2, BX 3, SI 6, DI 7.
#define LOAD_CONFIG(r) BYTE $0xC4; BYTE $0xE2; BYTE $0x78; BYTE $0x49; BYTE $(r)
#define RELEASE BYTE $0xC4; BYTE $0xE2; BYTE $0x78; BYTE $0x49; BYTE $0xC0
#define ZERO(t) BYTE $0xC4; BYTE $0xE2; BYTE $0x7B; BYTE $0x49; BYTE $(0xC0|t<<3)
// Rows from base on, so many bytes apart as the index register says.
#define LOAD(t, base, index) BYTE $0xC4; BYTE $0xE2; BYTE $0x7B; BYTE $0x4B; BYTE $(0x04|t<<3); BYTE $(index<<3|base)
#define STORE(t, base, index) BYTE $0xC4; BYTE $0xE2; BYTE $0x7A; BYTE $0x4B; BYTE $(0x04|t<<3); BYTE $(index<<3|base)
// The same, 64 bytes on.
#define LOAD64(t, base, index) BYTE $0xC4; BYTE $0xE2; BYTE $0x7B; BYTE $0x4B; BYTE $(0x44|t<<3); BYTE $(index<<3|base); BYTE $0x40
#define STORE64(t, base, index) BYTE $0xC4; BYTE $0xE2; BYTE $0x7A; BYTE $0x4B; BYTE $(0x44|t<<3); BYTE $(index<<3|base); BYTE $0x40
// sum += a·b: TDPBF16PS, and TDPBUSD (a without sign, b with one).
#define BF16(sum, a, b) BYTE $0xC4; BYTE $0xE2; BYTE $((15-b)<<3|2); BYTE $0x5C; BYTE $(0xC0|sum<<3|a)
#define INT8(sum, a, b) BYTE $0xC4; BYTE $0xE2; BYTE $((15-b)<<3|1); BYTE $0x5E; BYTE $(0xC0|sum<<3|a)

// Offsets in amxArgs.
#define argA 0
#define argB 8
#define argC 16
#define argInit 24
#define argConfig 32
#define argSteps 40
#define argTiles 48
#define argRS 56
#define argTS 64
#define argBS 72
#define argLDC 80
#define argInitLD 88
#define argInitTS 96
#define argRows 104
#define argAS 112
#define argAhead 120
#define argAheadStep 128

// KERNEL multiplies tiles of more than 16 rows (tall) or fewer by a panel of more than 16 columns (wide) or fewer.
//
// Registers: R10 arguments, SI and BX rows of a and those 16 below, CX from row to row; DI b, DX from row to row; AX c. R8, R9, R11
// positions of the tile in a, c and the first value of the sums; R12 tiles left.
#define BEGIN \
	MOVQ args+0(FP), R10 \
	MOVQ argConfig(R10), AX \
	LOAD_CONFIG(0) \
	MOVQ argA(R10), R8 \
	MOVQ argC(R10), R9 \
	MOVQ argInit(R10), R11 \
	MOVQ argTiles(R10), R12 \
	MOVQ argAhead(R10), R15

// What the sums are before: zero, or what init says.
#define FIRST22 \
	ZERO(0); ZERO(1); ZERO(2); ZERO(3)
#define INIT22 \
	LOAD(0, 0, 1); LOAD64(1, 0, 1); LOAD(2, 3, 1); LOAD64(3, 3, 1)
#define FIRST21 ZERO(0); ZERO(2)
#define INIT21 LOAD(0, 0, 1); LOAD(2, 3, 1)
#define FIRST12 ZERO(0); ZERO(1)
#define INIT12 LOAD(0, 0, 1); LOAD64(1, 0, 1)
#define FIRST11 ZERO(0)
#define INIT11 LOAD(0, 0, 1)

#define STEP22(F) \
	LOAD(4, 6, 1); LOAD(6, 7, 2); F(0, 4, 6) \
	LOAD64(7, 7, 2); F(1, 4, 7) \
	LOAD(5, 3, 1); F(2, 5, 6); F(3, 5, 7)
#define STEP21(F) \
	LOAD(4, 6, 1); LOAD(6, 7, 2); F(0, 4, 6) \
	LOAD(5, 3, 1); F(2, 5, 6)
#define STEP12(F) \
	LOAD(4, 6, 1); LOAD(6, 7, 2); F(0, 4, 6) \
	LOAD64(7, 7, 2); F(1, 4, 7)
#define STEP11(F) \
	LOAD(4, 6, 1); LOAD(6, 7, 2); F(0, 4, 6)

#define LAST22 STORE(0, 0, 1); STORE64(1, 0, 1); STORE(2, 3, 1); STORE64(3, 3, 1)
#define LAST21 STORE(0, 0, 1); STORE(2, 3, 1)
#define LAST12 STORE(0, 0, 1); STORE64(1, 0, 1)
#define LAST11 STORE(0, 0, 1)

// SIXTEEN sets to to 16 rows below from.
#define SIXTEEN(from, ld, to) \
	MOVQ ld, to \
	SHLQ $4, to \
	ADDQ from, to

// FETCH_AHEAD asks for amxAhead bytes from R15 on.
#define FETCH_AHEAD \
	PREFETCHT1 (R15); PREFETCHT1 64(R15); PREFETCHT1 128(R15); PREFETCHT1 192(R15) \
	PREFETCHT1 256(R15); PREFETCHT1 320(R15); PREFETCHT1 384(R15); PREFETCHT1 448(R15) \
	ADDQ argAheadStep(R10), R15

#define KERNEL(FIRST, INIT, STEP, LAST, F) \
	BEGIN \
tile: \
	TESTQ R11, R11 \
	JZ zero \
	MOVQ R11, AX \
	MOVQ argInitLD(R10), CX \
	SIXTEEN(AX, CX, BX) \
	INIT \
	ADDQ argInitTS(R10), R11 \
	JMP ready \
zero: \
	FIRST \
ready: \
	MOVQ R8, SI \
	MOVQ argRS(R10), CX \
	SIXTEEN(SI, CX, BX) \
	ADDQ argTS(R10), R8 \
	MOVQ argB(R10), DI \
	MOVQ argBS(R10), DX \
	MOVQ DX, R13 \
	SHLQ $4, R13 \
	MOVQ argAS(R10), R14 \
	MOVQ argSteps(R10), AX \
step: \
	FETCH_AHEAD \
	STEP(F) \
	ADDQ R14, SI \
	ADDQ R14, BX \
	ADDQ R13, DI \
	DECQ AX \
	JNZ step \
	MOVQ R9, AX \
	MOVQ argLDC(R10), CX \
	SIXTEEN(AX, CX, BX) \
	LAST \
	MOVQ argRows(R10), AX \
	IMULQ CX, AX \
	ADDQ AX, R9 \
	DECQ R12 \
	JNZ tile \
	RELEASE \
	RET

// func amx22BF16(args *amxArgs)
TEXT ·amx22BF16(SB), NOSPLIT, $0-8
	KERNEL(FIRST22, INIT22, STEP22, LAST22, BF16)

// func amx21BF16(args *amxArgs)
TEXT ·amx21BF16(SB), NOSPLIT, $0-8
	KERNEL(FIRST21, INIT21, STEP21, LAST21, BF16)

// func amx12BF16(args *amxArgs)
TEXT ·amx12BF16(SB), NOSPLIT, $0-8
	KERNEL(FIRST12, INIT12, STEP12, LAST12, BF16)

// func amx11BF16(args *amxArgs)
TEXT ·amx11BF16(SB), NOSPLIT, $0-8
	KERNEL(FIRST11, INIT11, STEP11, LAST11, BF16)

// func amx22Int8(args *amxArgs)
TEXT ·amx22Int8(SB), NOSPLIT, $0-8
	KERNEL(FIRST22, INIT22, STEP22, LAST22, INT8)

// func amx21Int8(args *amxArgs)
TEXT ·amx21Int8(SB), NOSPLIT, $0-8
	KERNEL(FIRST21, INIT21, STEP21, LAST21, INT8)

// func amx12Int8(args *amxArgs)
TEXT ·amx12Int8(SB), NOSPLIT, $0-8
	KERNEL(FIRST12, INIT12, STEP12, LAST12, INT8)

// func amx11Int8(args *amxArgs)
TEXT ·amx11Int8(SB), NOSPLIT, $0-8
	KERNEL(FIRST11, INIT11, STEP11, LAST11, INT8)

// PEAK multiplies the same tiles again and again, with sums that do not wait for one another.
#define PEAK(F) \
	MOVQ args+0(FP), R10 \
	MOVQ argConfig(R10), AX \
	LOAD_CONFIG(0) \
	MOVQ argSteps(R10), AX \
	ZERO(0); ZERO(1); ZERO(2); ZERO(3); ZERO(4); ZERO(5); ZERO(6); ZERO(7) \
step: \
	F(0, 4, 6); F(1, 4, 7); F(2, 5, 6); F(3, 5, 7) \
	DECQ AX \
	JNZ step \
	RELEASE \
	RET

// func amxPeakBF16(args *amxArgs)
TEXT ·amxPeakBF16(SB), NOSPLIT, $0-8
	PEAK(BF16)

// func amxPeakInt8(args *amxArgs)
TEXT ·amxPeakInt8(SB), NOSPLIT, $0-8
	PEAK(INT8)
