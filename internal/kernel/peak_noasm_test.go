//go:build !amd64 || noasm

package kernel

// peak is not known here.
func peak(_ int) float64 { return 0 }

func withoutPairs() (restore func()) { return func() {} }

func withoutQuads() (restore func()) { return func() {} }
