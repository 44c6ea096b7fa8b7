// Package pixel holds the inner loops over 8-bit samples: JPEG's inverse cosine transform, its smooth chroma and its
// colours, and the two passes of resizing. Each exists as generic Go, which is the reference, and as AVX2 and AVX-512
// assembly that gives the same bytes; internal/cpu chooses ("pixel").
//
//	go generate ./internal/pixel
//
// rewrites the assembly from the generator in _asm, a module of its own. The build tag noasm leaves the assembly out.
//
// Lengths that do not fit together are a bug of the caller and panic. Destinations must not overlap inputs.
package pixel

//go:generate sh -c "cd _asm && go run . -dir .."

func clamp8(v int32) uint8 {
	if uint32(v) > 255 {
		v = ^(v >> 31) // all ones above, zero below
	}
	return uint8(v)
}

func clamp16(v int32) int16 { return int16(max(min(v, 1<<15-1), -1<<15)) }
