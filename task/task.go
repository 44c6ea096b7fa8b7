// Package task is the contract between annotations and the model: for each task, how a question about a picture is put
// into pieces, which answers are expected of which piece while training, and how answers become annotations again.
//
// Frame: inside the model a picture is a square and coordinates are fractions of its side in [0, 1]; imageproc.Geometry
// leads back to pixels of the source.
package task

import (
	"fmt"
	"strings"
)

// Task is what can be asked of a picture.
type Task uint8

const (
	Classify Task = iota // name the picture
	Detect               // box and name every object
	Segment              // mask every object
	Pose                 // find the joints of every person
	Ask                  // answer a question in words
	Caption              // describe the picture in words
	Match                // place pictures and texts in one space
)

var names = []string{"classify", "detect", "segment", "pose", "ask", "caption", "match"}

func (t Task) String() string {
	if int(t) < len(names) {
		return names[t]
	}
	return fmt.Sprintf("task(%d)", uint8(t))
}

// Parse finds a task by name.
func Parse(name string) (Task, error) {
	for i, n := range names {
		if n == name {
			return Task(i), nil
		}
	}
	return 0, fmt.Errorf("task: unknown task %q; there are %s", name, strings.Join(names, ", "))
}

// Set is a set of tasks.
type Set uint16

// SetOf makes a set.
func SetOf(ts ...Task) (s Set) {
	for _, t := range ts {
		s |= 1 << t
	}
	return s
}

// Has reports membership.
func (s Set) Has(t Task) bool { return s&(1<<t) != 0 }

// Piece is one token of a prompt: a word of the vocabulary, a name (a label or joint, embedded as the mean of its words)
// or a coordinate. Exactly one of the three is meant, as Kind says.
type Piece struct {
	Kind  PieceKind
	ID    int32   // word or name
	Coord float32 // [0, 1], model frame
}

// PieceKind says which table a piece is embedded by.
type PieceKind uint8

const (
	Word PieceKind = iota
	Name
	Coord
)

// Group is a run of pieces that is put to the model with one picture: a prompt and, while training, its answer.
type Group struct {
	Task   Task
	Pieces []Piece
	Causal bool // pieces see what precedes them; otherwise each other
	Prefix int  // of a causal group: the pieces of the prompt, which a model may let see each other
	Blind  bool // the picture is not seen: a text to be matched
	// Next[i] is the word expected after piece i, or −1; nil when nothing is.
	Next []int32
	// Points are places that pieces are expected to answer with.
	Points []Point
}

// Point says that a piece of a group answers with a place in the picture.
type Point struct {
	Piece int
	X, Y  float32 // [0, 1], model frame
	V     uint8   // annotation.Visibility of a joint
	Joint bool    // a joint, answered through the image features too; otherwise a mention, answered as coordinates
}
