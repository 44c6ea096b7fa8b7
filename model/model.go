// Package model says what a vision-language model is to the rest of the program: something that looks at a picture once
// and then answers any number of questions about it, of every task that it is capable of.
//
// The interfaces speak in annotations: pictures come in as files hold them (upright, any size), and answers leave in
// pixels of that picture. How a family resizes, crops and normalises its input, and how it writes a box, is its own
// business. Package fovea opens models, checks requests against their capabilities and shares runners between goroutines.
package model

import (
	"fovea/annotation"
	"fovea/imageproc"
	"fovea/task"
)

// Model is a vision-language model with its weights, which it never changes. It is safe for concurrent use.
type Model interface {
	Card() Card
	// NewRunner makes the working memory of one goroutine, whose matrix products are spread over so many threads.
	NewRunner(threads int) Runner
}

// Card says what a model is and can do.
type Card struct {
	Name       string   // as people name it: "nano", or the folder that it came from
	Family     string   // architecture, as its config.json states it
	Tasks      task.Set // what it is capable of; nothing else is asked of it
	Parameters int
	Size       int // longer side of its input, pixels
	// Labels are the things that it detects and Classes what it recognises when nothing else is asked for.
	Labels, Classes []string
	Pixels          []string // classes that a picture is divided among, where they are others than Labels
	OpenVocabulary  bool     // other words than those can be asked for
	Anything        bool     // without a query it detects whatever it sees, though it has no list of it
	Skeleton        *annotation.Skeleton
	Flips           bool // its views of people are Flippers
	NeedsBoxes      bool // Pose is all it does with people: somebody else has to find them
	Embed           int  // length of its vectors in the joint space, 0 without one
	PicturesOnly    bool // that space holds pictures but no texts
	Writes          bool // it writes token by token, in the way that a Writing says
	Talks           bool // a question may follow a conversation (Writing.Before)
	Together        bool // a question may be about several pictures: its runners are Gatherers
	// Threshold is the least score of objects when nothing else is asked for; 0 means the program's own.
	Threshold float64
	// Question says what is wrong with a question, for models that know only some; nil: any will do.
	Question func(question string) error
}

// Runner looks at pictures and answers. It serves one goroutine at a time; runners of one model work side by side.
type Runner interface {
	// Encode runs a picture through the model once. The view is valid until the next Encode.
	Encode(img *imageproc.RGB) (View, error)
	// TextVector places a text in the joint space of pictures and texts: a unit vector.
	TextVector(text string) []float32
	// Close ends the runner's threads.
	Close()
}

// Rounder is a Runner that can round what it multiplies to bfloat16 where no weights have two bytes, too: in convolutions and attention.
type Rounder interface {
	Runner
	RoundBF16()
}

// Gatherer is a Runner that can look at several pictures at once, for questions about all of them.
type Gatherer interface {
	Runner
	// EncodeAll runs pictures through the model, in the order in which a question shows them. The view, of which Ask alone may
	// be called, is valid until the next Encode or EncodeAll.
	EncodeAll(pictures []*imageproc.RGB) (View, error)
}

// View is a picture that has been encoded. Only methods for tasks on the model's card may be called. Everything that is
// asked of one view costs a small part of encoding it.
type View interface {
	// Classify weighs labels against each other as names of the whole picture, best first; none means Card.Classes.
	Classify(labels []string) []Class
	// Detect boxes and names objects, best first.
	Detect(o DetectOptions) []Object
	// Pose finds the joints of the people in boxes (pixels), a slice in the order of Card.Skeleton each.
	Pose(boxes []annotation.Box) [][]annotation.Joint
	// Ask answers questions in words, in their order. step, when not nil, receives the first answer so far after every word.
	Ask(questions []string, step func(text string)) []Answer
	// Caption describes the picture. step, when not nil, receives the text so far after every word.
	Caption(step func(text string)) Caption
	// Vector places the picture in the joint space: a unit vector.
	Vector() []float32
}

// Zoomer is a View that can look a second time, closer, at people who are small in the picture. After Zoom its Pose does, of the first
// so many boxes: it is more exact, and takes about the time of another picture for each of them.
type Zoomer interface{ Zoom(most int) }

// Flipper is a View that can look at people in the mirror, too. After Flip the joints of its Pose come from the mean of the heat
// maps of a person and of the mirror image ("flip test"), which takes twice the time. Card.Flips says so.
type Flipper interface{ Flip() }

// DetectOptions says which objects are wanted.
type DetectOptions struct {
	Query     []string // labels to look for; none means Card.Labels
	Threshold float64  // least score
	Overlap   float64  // of two boxes of one label with a larger IoU the lower-scored is dropped; 0 means the model's own
	Max       int      // at most so many objects; 0 means 100
	Masks     bool     // with Object.Mask
}

// Class is a name of the whole picture.
type Class struct {
	Label string  `json:"label"`
	Score float64 `json:"score"` // probability in [0, 1]; those of all names that were weighed sum to 1
}

// Object is a thing in the picture.
type Object struct {
	Label string
	Score float64        // probability in [0, 1]
	Box   annotation.Box // pixels of the picture
	Mask  *annotation.RLE
	// Polygons are the outlines of Mask, when they were asked for: x0, y0, x1, y1, … in pixels each, see annotation.RLE.Polygons.
	Polygons [][]float64
}

// Answer is the answer to a question.
type Answer struct {
	Question string  `json:"question"`
	Answer   string  `json:"answer"`
	Score    float64 `json:"score"` // probability in [0, 1] of the whole answer
}

// Caption is a description in words.
type Caption struct {
	Text  string  `json:"caption"`
	Score float64 `json:"score"` // probability in [0, 1] of the whole text, small for long ones
}
