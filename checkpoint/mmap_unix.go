//go:build unix

package checkpoint

import (
	"fmt"
	"os"
	"syscall"
)

// load maps a file into memory, read-only. free ends the mapping.
func load(path string) (b []byte, free func() error, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	switch n := st.Size(); {
	case !st.Mode().IsRegular():
		return nil, nil, fmt.Errorf("%s is not a regular file", path)
	case n == 0:
		return nil, func() error { return nil }, nil
	case int64(int(n)) != n:
		return nil, nil, fmt.Errorf("%d bytes do not fit this machine's address space", n)
	default:
		b, err = syscall.Mmap(int(f.Fd()), 0, int(n), syscall.PROT_READ, syscall.MAP_SHARED)
		if err != nil {
			return nil, nil, fmt.Errorf("map: %w", err)
		}
		return b, func() error { return syscall.Munmap(b) }, nil
	}
}
