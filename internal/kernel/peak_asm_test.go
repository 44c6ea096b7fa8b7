//go:build amd64 && !noasm

package kernel

// withoutPairs hides the instructions for bfloat16 until restore is called.
func withoutPairs() (restore func()) {
	was := hasBF16
	hasBF16 = false
	return func() { hasBF16 = was }
}

// withoutTiles hides AMX until restore is called, and reports whether there is any.
func withoutTiles() (restore func(), ok bool) {
	was := hasAMX
	hasAMX = false
	return func() { hasAMX = was }, was
}

// withoutQuads hides the instructions of AVX-512 for products of bytes until restore is called.
func withoutQuads() (restore func()) {
	was := hasVNNI
	hasVNNI = false
	return func() { hasVNNI = was }
}
