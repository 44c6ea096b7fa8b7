//go:build amd64 && !noasm

package kernel

// withoutPairs hides the instructions for bfloat16 until restore is called.
func withoutPairs() (restore func()) {
	was := hasBF16
	hasBF16 = false
	return func() { hasBF16 = was }
}

// withoutQuads hides the instructions of AVX-512 for products of bytes until restore is called.
func withoutQuads() (restore func()) {
	was := hasVNNI
	hasVNNI = false
	return func() { hasVNNI = was }
}
