//go:build !amd64 || noasm

package kernel

// Without assembly for amd64 there are no products of narrow number formats.

func bf16Shape() (s tileShape, ok bool) { return tileShape{}, false }

func int8Shape() (s tileShape, ok bool) { return tileShape{}, false }

// amxArgs is the memory of AMX's micro-kernels.
type amxArgs struct{}

func spread(x []float32) (lo, hi, zero float32) { return spreadGeneric(x) }

func encodeRow(_, _ []float32, _, _ float32) { panic("kernel: no groups of bytes without int8Shape") }

func decodeRow(_, _, _, _ []float32, _, _ float32) {
	panic("kernel: no groups of bytes without int8Shape")
}

func widenWords(_ []float32, _ []int8) { panic("kernel: no words without int8Shape") }

func wordsInt4(_ []float32, _ []byte, _ []float32, _ int) {
	panic("kernel: no words without int8Shape")
}

func pairRows(_, _ []float32, _, _, _, _ int) {
	panic("kernel: no pairs of bfloat16 without bf16Shape")
}

func pairPanels(_, _ []float32, _, _, _, _ int) {
	panic("kernel: no pairs of bfloat16 without bf16Shape")
}

func pairTile(_, _ []float32, _, _, _ int) {
	panic("kernel: no pairs of bfloat16 without bf16Shape")
}

func softmaxPairs(_, _, _, _ []float32, _, _, _, _, _ int, _ float32) {
	panic("kernel: no pairs of bfloat16 without bf16Shape")
}

func pairElements(_, _ []float32, _, _, _, _ int) {
	panic("kernel: no pairs of bfloat16 without bf16Shape")
}

func winogradInPairs(_, _ []float32, _, _, _, _, _ int) {
	panic("kernel: no pairs of bfloat16 without bf16Shape")
}

func winogradInTiles(_, _ []float32, _, _, _, _, _ int) {
	panic("kernel: no pairs of bfloat16 without bf16Shape")
}

func winogradGradTiles(_, _ []float32, _, _, _, _, _ int) {
	panic("kernel: no pairs of bfloat16 without bf16Shape")
}

// pause would tell the processor that this is a spin loop.
func pause() {}
