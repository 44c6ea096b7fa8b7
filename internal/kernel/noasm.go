//go:build !amd64 || noasm

package kernel

func gemmShape() tileShape { return genericShape }

func bf16Shape() (s tileShape, ok bool) { return tileShape{}, false }

func gemmTiles(_, h int, g *gemmArgs) { gemmTilesGeneric(h, g) }

func pairRows(_, _ []float32, _, _, _, _ int) {
	panic("kernel: no pairs of bfloat16 without bf16Shape")
}

func pairElements(_, _ []float32, _, _, _, _ int) {
	panic("kernel: no pairs of bfloat16 without bf16Shape")
}

// pause would tell the processor that this is a spin loop.
func pause() {}
