//go:build !linux

package tensor

// preferHuge is advice that only Linux takes.
func preferHuge([]float32) {}
