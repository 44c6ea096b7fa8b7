//go:build !amd64 || noasm

package kernel

func gemmShape() tileShape { return genericShape }

func gemmTiles(h int, g *gemmArgs) { gemmTilesGeneric(h, g) }

// pause would tell the processor that this is a spin loop.
func pause() {}
