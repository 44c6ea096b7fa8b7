package checkpoint

import (
	"os"
	"syscall"
	"unsafe"
)

// drop takes the whole pages of mapped memory out of this process; they come back from the file when they are read.
func drop(b []byte) {
	page := uintptr(os.Getpagesize())
	from := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
	skip := int(-from % page)
	if n := len(b) - skip; n > 0 {
		if n -= n % int(page); n > 0 {
			_ = syscall.Madvise(b[skip:skip+n], syscall.MADV_DONTNEED) // advice: at worst the memory stays
		}
	}
}
