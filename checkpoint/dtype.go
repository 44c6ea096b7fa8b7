package checkpoint

import (
	"encoding/binary"
	"math"
	"unsafe"

	"fovea/internal/kernel"
)

// DType is the number format of a stored tensor, spelt as safetensors spells it.
type DType uint8

// The formats that can be read. F32, BF16, I8 and I4 can be written.
const (
	F32 DType = iota
	BF16
	I8
	F16
	F64
	F8E4M3 // 1 sign, 4 exponent, 3 mantissa bits; no infinities (OCP "E4M3FN")
	F8E5M2 // 1 sign, 5 exponent, 2 mantissa bits
	Bool
	U8
	I16
	U16
	I32
	U32
	I64
	U64
	// I4 is half a byte, and a scale for each I4Group of a row. Files have no name for it: see int4.go.
	I4
)

var dtypes = [...]struct {
	name string
	size int
}{
	F32: {"F32", 4}, BF16: {"BF16", 2}, I8: {"I8", 1}, F16: {"F16", 2}, F64: {"F64", 8},
	F8E4M3: {"F8_E4M3", 1}, F8E5M2: {"F8_E5M2", 1}, Bool: {"BOOL", 1}, U8: {"U8", 1},
	I16: {"I16", 2}, U16: {"U16", 2}, I32: {"I32", 4}, U32: {"U32", 4}, I64: {"I64", 8}, U64: {"U64", 8}, I4: {"I4", 0},
}

func (d DType) String() string { return dtypes[d].name }

// Size is the number of bytes of an element; of I4, which takes half a byte, 0.
func (d DType) Size() int { return dtypes[d].size }

func parseDType(name []byte) (DType, bool) {
	for d, t := range dtypes {
		if t.name == string(name) && DType(d) != I4 {
			return DType(d), true
		}
	}
	return 0, false
}

// littleEndian says that memory holds numbers as safetensors files do.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// bytesOf is the memory of x.
func bytesOf(x []float32) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), 4*len(x))
}

// decode converts len(dst) elements of format d to float32, rounding to nearest where float32 has fewer digits.
func decode(dst []float32, raw []byte, d DType) {
	le := binary.LittleEndian
	switch d {
	case F32:
		if littleEndian {
			copy(bytesOf(dst), raw)
			return
		}
		for i := range dst {
			dst[i] = math.Float32frombits(le.Uint32(raw[4*i:]))
		}
	case BF16:
		if w := words(raw); w != nil && len(w) == len(dst) {
			kernel.FromBF16(dst, w)
			return
		}
		for i := range dst {
			dst[i] = math.Float32frombits(uint32(le.Uint16(raw[2*i:])) << 16)
		}
	case F16:
		for i := range dst {
			dst[i] = kernel.Float16(le.Uint16(raw[2*i:]))
		}
	case F64:
		for i := range dst {
			dst[i] = float32(math.Float64frombits(le.Uint64(raw[8*i:])))
		}
	case F8E4M3:
		for i := range dst {
			dst[i] = fromE4M3(raw[i])
		}
	case F8E5M2: // the upper half of a float16
		for i := range dst {
			dst[i] = kernel.Float16(uint16(raw[i]) << 8)
		}
	case I8:
		for i := range dst {
			dst[i] = float32(int8(raw[i]))
		}
	case U8:
		for i := range dst {
			dst[i] = float32(raw[i])
		}
	case Bool:
		for i := range dst {
			dst[i] = 0
			if raw[i] != 0 {
				dst[i] = 1
			}
		}
	case I16:
		for i := range dst {
			dst[i] = float32(int16(le.Uint16(raw[2*i:])))
		}
	case U16:
		for i := range dst {
			dst[i] = float32(le.Uint16(raw[2*i:]))
		}
	case I32:
		for i := range dst {
			dst[i] = float32(int32(le.Uint32(raw[4*i:])))
		}
	case U32:
		for i := range dst {
			dst[i] = float32(le.Uint32(raw[4*i:]))
		}
	case I64:
		for i := range dst {
			dst[i] = float32(int64(le.Uint64(raw[8*i:])))
		}
	case U64:
		for i := range dst {
			dst[i] = float32(le.Uint64(raw[8*i:]))
		}
	}
}

// fromE4M3 widens the 8-bit format with bias 7 whose only special values are the two NaNs, 0x7f and 0xff.
func fromE4M3(b byte) float32 {
	exp, frac := int(b>>3)&15, float64(b&7)
	v := math.Ldexp(1+frac/8, exp-7)
	switch {
	case b&0x7f == 0x7f:
		v = math.NaN()
	case exp == 0:
		v = math.Ldexp(frac, -9)
	}
	if b&0x80 != 0 {
		v = -v
	}
	return float32(v)
}

// toBF16 rounds to nearest, ties to even; NaN stays NaN.
func toBF16(f float32) uint16 {
	u := math.Float32bits(f)
	if u&0x7fffffff > 0x7f800000 {
		return uint16(u>>16) | 0x40
	}
	return uint16((u + 0x7fff + u>>16&1) >> 16)
}
