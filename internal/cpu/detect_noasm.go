//go:build !amd64 || noasm

package cpu

// AVX2 reports false: this build has no assembly.
func AVX2() bool { return false }

// AVX512 reports false: this build has no assembly.
func AVX512() bool { return false }
