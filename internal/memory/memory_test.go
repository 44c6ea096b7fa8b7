package memory

import (
	"testing"
	"unsafe"
)

func TestMake(t *testing.T) {
	for _, n := range []int{0, 1, 7, 64, 1000, 1 << 20} {
		check(t, Make[int8](n), n)
		check(t, Make[uint16](n), n)
		check(t, Make[float32](n), n)
	}
}

func check[T int8 | uint16 | float32](t *testing.T, b []T, n int) {
	t.Helper()
	if len(b) != n || cap(b) != n || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%Line != 0 {
		t.Fatalf("%d of %d elements, capacity %d, at %p", len(b), n, cap(b), unsafe.SliceData(b))
	}
	for i, v := range b {
		if v != 0 {
			t.Fatalf("element %d of %d is %v", i, n, v)
		}
	}
}
