//go:build !linux

package memory

import "unsafe"

// preferLarge is advice that only Linux takes.
func preferLarge(unsafe.Pointer, int) {}
