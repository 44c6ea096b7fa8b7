package tensor

import (
	"syscall"
	"unsafe"
)

// hugePage is the size of a large page on amd64 and arm64.
const hugePage = 2 << 20

// preferHuge asks for large pages under b, which save address translations when a pass streams through much memory. It is
// advice: a kernel that cannot follow it changes nothing.
func preferHuge(b []float32) {
	if len(b) == 0 {
		return
	}
	from := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	skip := -from % hugePage
	size := uintptr(len(b)) * 4
	if size < skip+hugePage {
		return
	}
	size = (size - skip) / hugePage * hugePage
	page := unsafe.Slice((*byte)(unsafe.Pointer(&b[skip/4])), size)
	_ = syscall.Madvise(page, syscall.MADV_HUGEPAGE)
}
