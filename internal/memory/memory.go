// Package memory allocates numbers that passes stream through: at the start of a cache line, and on large pages where the system
// has them.
package memory

import "unsafe"

// Line is the size of a cache line and of an AVX-512 register in bytes.
const Line = 64

// Make allocates n zeros of a type whose size divides Line, from the start of a cache line on.
func Make[T int8 | uint8 | uint16 | float32](n int) []T {
	var zero T
	size := int(unsafe.Sizeof(zero))
	b := make([]T, n+Line/size)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(b)))%Line) / size
	preferLarge(unsafe.Pointer(unsafe.SliceData(b)), len(b)*size)
	return b[skip : skip+n : skip+n]
}
