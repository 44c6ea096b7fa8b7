// Package kernel holds the numeric inner loops of the engine: matrix products, activations, normalisations, softmax,
// optimiser steps and number formats, over contiguous float32 slices. It knows matrices (Mat) but no tensors, no tape and
// no layers.
//
// # Implementations
//
// Each kernel exists as generic Go, which is the readable reference, and as AVX2 and AVX-512 assembly, which package
// cpu's detection enables (internal/cpu: Select("kernel", "generic") picks one in a test). The assembly of both widths comes
// from one generator in _asm, a module of its own so that avo is no dependency of the program:
//
//	go generate ./internal/kernel
//
// rewrites the assembly, its stubs and the dispatch files; the result is committed and must not be edited. The build tag noasm
// leaves the assembly out. For arm64 what encoders need exists in NEON, by hand (kernel_arm64.s): products, sums, norms, softmax, GELU.
//
// Products of bfloat16 (Work.RoundBF16, PackBF16) and of bytes (PackInt8) have tiles of their own beside AVX-512, for processors
// that also have its BF16 or VNNI part: two or four factors lie in the 32 bits of a float32, so that blocks, packing by columns and
// the micro-kernels' addresses are those of float32. AMX multiplies both formats in tiles of 16 rows by 64 bytes (amx_amd64.s, by
// hand), from the same panels of b. Everywhere else the same rounded operands are multiplied as float32.
//
// # Rules that hold for every function
//
//   - Lengths must agree exactly; a mismatch is a bug of the caller and panics. Empty slices are allowed.
//   - A destination may be the very same slice as an input; partly overlapping slices give undefined values. Matrix products
//     allow no overlap of c with a or b.
//   - NaN and ±Inf go through as in the scalar formula, unless a function says otherwise.
//   - Nothing is allocated, except that a Work grows its buffers until it has met the largest product.
//   - Sums run in several float32 accumulators whose number depends on the implementation, so results differ between
//     implementations by rounding; with one implementation they are the same from run to run. A Gemm over a Pool gives the
//     same bits as without one.
package kernel

//go:generate sh -c "cd _asm && go run . -dir .."
