package kernel

import "math"

// ToBF16 rounds src to bfloat16, to nearest with ties to even. NaN stays NaN (quiet); numbers beyond the largest bfloat16
// become ±Inf.
func ToBF16(dst []uint16, src []float32) {
	same("ToBF16", len(dst), len(src))
	toBF16(dst, src)
}

// FromBF16 widens bfloat16 to float32, exactly.
func FromBF16(dst []float32, src []uint16) {
	same("FromBF16", len(dst), len(src))
	fromBF16(dst, src)
}

// DequantInt8 sets dst = scale·q: one row of weights with one scale.
func DequantInt8(dst []float32, q []int8, scale float32) {
	same("DequantInt8", len(dst), len(q))
	dequantInt8(dst, q, scale)
}

func toBF16Generic(dst []uint16, src []float32) {
	for i, v := range src {
		b := math.Float32bits(v)
		if v != v {
			dst[i] = uint16(b>>16) | 0x40
			continue
		}
		dst[i] = uint16((b + 0x7fff + b>>16&1) >> 16)
	}
}

func fromBF16Generic(dst []float32, src []uint16) {
	for i, v := range src {
		dst[i] = math.Float32frombits(uint32(v) << 16)
	}
}

func dequantInt8Generic(dst []float32, q []int8, scale float32) {
	for i, v := range q {
		dst[i] = float32(v) * scale
	}
}
