package model

import (
	"fovea/imageproc"
	"fovea/nn"
)

// Trunk is the part of a network that looks at pictures, for another network to be built upon.
type Trunk struct {
	Vision *nn.Vision
	Post   *nn.LayerNorm        // its last norm, where it stands outside Vision; nil: it does not
	Pixels *imageproc.Processor // how it wants its pictures
}

// Encoder is a Network that has a plain vision transformer.
type Encoder interface {
	Network
	// Trunk is that transformer; it shares its weights with the network.
	Trunk() (Trunk, error)
}
