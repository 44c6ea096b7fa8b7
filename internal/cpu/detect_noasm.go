//go:build !amd64 || noasm

package cpu

// AVX2 reports false: this build has no assembly.
func AVX2() bool { return false }

// AVX512 reports false: this build has no assembly.
func AVX512() bool { return false }

// AVX512BF16 reports false: this build has no assembly.
func AVX512BF16() bool { return false }

// AVX512VNNI reports false: this build has no assembly.
func AVX512VNNI() bool { return false }

// AMX reports false: this build has no assembly.
func AMX() bool { return false }
