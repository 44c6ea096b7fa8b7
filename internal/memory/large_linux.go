package memory

import (
	"syscall"
	"unsafe"
)

const (
	// largePage is the size of a large page on amd64 and arm64.
	largePage = 2 << 20
	// largeLeast is the size from which memory is worth the call.
	largeLeast = 64 << 10
)

// preferLarge asks for large pages wherever size bytes at p lie, before they are touched: a pass that streams through weights waits
// for the translation of addresses, which a virtual machine does twice, more than for memory itself where pages have 4 KiB. Matrices
// are often smaller than a large page and lie side by side, so whole pages are asked for, whatever else is on them. It is advice:
// a system that does not follow it, or has nothing at an end of the pages, changes nothing.
func preferLarge(p unsafe.Pointer, size int) {
	if size < largeLeast {
		return
	}
	from := uintptr(p) &^ (largePage - 1)
	to := (uintptr(p) + uintptr(size) + largePage - 1) &^ (largePage - 1)
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, from, to-from, syscall.MADV_HUGEPAGE)
}
