// Package dataset reads annotated pictures: the layouts that people have on disk, mixtures of them, and (in
// dataset/scenes) pictures that are drawn on the fly.
package dataset

import (
	"math/rand/v2"

	"fovea/annotation"
	"fovea/imageproc"
)

// Example is one picture with everything known about it. The picture is upright and as large as its file.
type Example struct {
	ID    string // unique within its data set: a file name or an index
	Image *imageproc.RGB
	annotation.Picture
	Labels Labels
}

// Labels says which annotations of an example are complete, so that silence can be taught: a picture whose objects are
// all labelled teaches "nothing here" elsewhere; one where a single person was labelled does not.
type Labels uint16

const (
	HasClass     Labels = 1 << iota // Class is set
	HasBoxes                        // every object of Classes is boxed (crowds are marked)
	HasMasks                        // every boxed object has a mask
	HasJoints                       // people have joints; some may be without
	HasQuestions                    // Questions is set
	HasCaptions                     // Captions is set
	HasSemantic                     // Semantic is set
	SomeBoxes                       // what is boxed is right, but other objects may not be boxed
)

// Source is a data set: examples with a fixed order that can be read in any order, by several goroutines at once.
type Source interface {
	Name() string
	Len() int
	// Labels is what examples of the set carry (the union over them).
	Labels() Labels
	// Classes lists the labels that Object.Label, Picture.Class or the semantic indices may take, in the set's order.
	Classes() []string
	// At reads example i ∈ [0, Len). rng is for sets that draw their examples; a reader of files ignores it. The caller
	// owns the result. An example that cannot be read is an error that names its file, of sets on disk an
	// *ExampleError; the set stays usable.
	At(i int, rng *rand.Rand) (*Example, error)
}
