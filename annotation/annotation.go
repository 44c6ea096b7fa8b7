// Package annotation holds what people, data sets and models say about a picture: classes, boxes, masks, joints,
// questions and captions. It is plain data: readers fill it, augment moves it, codecs turn it into tokens, models
// answer with it, eval compares it.
//
// Frame: unless a doc says otherwise, coordinates are pixels of the picture that the annotation stands beside, x to the
// right and y down, with (0, 0) the top left corner of the top left pixel, so that its centre is (0.5, 0.5).
package annotation

import "math"

// Box is an axis-aligned rectangle in pixels: X0 ≤ x < X1, Y0 ≤ y < Y1.
type Box struct{ X0, Y0, X1, Y1 float64 }

// W is the width in pixels; never negative.
func (b Box) W() float64 { return max(b.X1-b.X0, 0) }

// H is the height in pixels; never negative.
func (b Box) H() float64 { return max(b.Y1-b.Y0, 0) }

// Area is W·H in square pixels.
func (b Box) Area() float64 { return b.W() * b.H() }

// Center is the middle of the box.
func (b Box) Center() (x, y float64) { return (b.X0 + b.X1) / 2, (b.Y0 + b.Y1) / 2 }

// Empty reports a box without area, or with a coordinate that is not a number.
func (b Box) Empty() bool { return !(b.X1 > b.X0 && b.Y1 > b.Y0) }

// Finite reports that no coordinate is NaN or infinite.
func (b Box) Finite() bool {
	s := b.X0 + b.Y0 + b.X1 + b.Y1
	return !math.IsNaN(s) && !math.IsInf(s, 0)
}

// Intersect is the common part of two boxes; it is Empty when there is none.
func (b Box) Intersect(o Box) Box {
	return Box{max(b.X0, o.X0), max(b.Y0, o.Y0), min(b.X1, o.X1), min(b.Y1, o.Y1)}
}

// IoU is the area of the intersection over the area of the union, in [0, 1].
func (b Box) IoU(o Box) float64 {
	i := b.Intersect(o).Area()
	if i == 0 {
		return 0
	}
	return i / (b.Area() + o.Area() - i)
}

// Clip cuts the box to a picture of w × h pixels.
func (b Box) Clip(w, h float64) Box { return b.Intersect(Box{0, 0, w, h}) }

// Object is one thing in a picture. What is not known stays zero: a data set without masks leaves Mask nil.
type Object struct {
	Label  string  // class name, for example "person"
	Box    Box     // tight around the visible part
	Score  float64 // [0, 1]; the model's confidence, unused in labels
	Mask   *Bitmap // same size as the picture; nil when not labelled
	Joints []Joint // in Skeleton's order; nil when not labelled
	// Skeleton names the joints; required when Joints is set.
	Skeleton *Skeleton
	// Color is the name of the object's main colour (a person's shirt), or "". Only scenes know it.
	Color string
	// Area in square pixels as the data set states it (COCO's "area": the mask's area); 0 when unknown. Metrics use it.
	Area float64
	// Crowd marks a region that holds many objects (COCO's iscrowd): it is no target, and detections in it are not errors.
	Crowd bool
	// ID is the data set's own id of this annotation, 0 when it has none.
	ID int64
}

// Visibility of a joint, as COCO numbers it.
type Visibility uint8

const (
	Absent   Visibility = 0 // not labelled or outside the picture
	Occluded Visibility = 1 // position known, hidden by something
	Visible  Visibility = 2
)

// Joint is one named point of a body. X, Y are meaningless when V is Absent.
type Joint struct {
	X, Y  float64
	V     Visibility
	Score float64 // [0, 1] in predictions
}

// Question is a question about the picture with its answers.
type Question struct {
	ID   int64
	Text string // as asked, for example "What colour is the circle?"
	// Answers by the annotators, most common first; VQA v2 gives ten, other data sets one.
	Answers []string
	Type    string // the data set's name for the kind of question, or ""
	// Mentions tie words of Text to places in the picture; only scenes know them.
	Mentions []Mention
	// Predicted answer with its probability, in results.
	Answer string
	Score  float64
}

// Mention says that the Word-th white-space separated word of a question (from 0) names exactly one object.
type Mention struct {
	Word int
	X, Y float64 // centre of the object's box, pixels
}

// Picture is everything that is known about one image.
type Picture struct {
	W, H      int    // size in pixels, after EXIF orientation
	Class     string // label of the whole picture, or ""
	Objects   []Object
	Questions []Question
	Captions  []string
	Semantic  *LabelMap // class of every pixel; nil when not labelled
}

// LabelMap gives each pixel a class index, row by row; Void pixels are neither trained on nor scored.
type LabelMap struct {
	W, H int
	Pix  []uint8 // W·H class indices
}

// Void is the class index of pixels without a label.
const Void = 255

// Clone copies the picture deeply enough that transforming the copy leaves the original as it was.
func (p *Picture) Clone() *Picture {
	q := *p
	q.Objects = make([]Object, len(p.Objects))
	for i, o := range p.Objects {
		if o.Mask != nil {
			o.Mask = o.Mask.Clone()
		}
		o.Joints = append([]Joint(nil), o.Joints...)
		q.Objects[i] = o
	}
	q.Questions = make([]Question, len(p.Questions))
	for i, u := range p.Questions {
		u.Mentions = append([]Mention(nil), u.Mentions...)
		q.Questions[i] = u
	}
	if p.Semantic != nil {
		q.Semantic = &LabelMap{p.Semantic.W, p.Semantic.H, append([]uint8(nil), p.Semantic.Pix...)}
	}
	return &q
}

// JointScore is the mean of the joints' scores, how sure a pose is: with it people are ranked better than by how sure it is that they
// are there (Fang et al. 2017, RMPE). 0 for no joints.
func JointScore(joints []Joint) float64 {
	sum := 0.
	for _, j := range joints {
		sum += j.Score
	}
	return sum / float64(max(len(joints), 1))
}
