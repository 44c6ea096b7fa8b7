//go:build (!amd64 && !arm64) || noasm

package kernel

func gemmShape() tileShape { return genericShape }

func gemmTiles(_ *tileShape, h int, g *gemmArgs, _ *amxArgs) { gemmTilesGeneric(h, g) }
