package fovea

import (
	"bytes"
	"encoding/json"
	"math"
	"time"

	"fovea/annotation"
	"fovea/chat"
	"fovea/model"
	"fovea/task"
)

// The parts of a result. Boxes are pixels of the picture, scores probabilities in [0, 1].
type (
	Class   = model.Class   // a name of the whole picture
	Object  = model.Object  // a thing, with its mask when it was segmented
	Spot    = model.Spot    // a place of a thing
	Answer  = model.Answer  // the answer to a question
	Caption = model.Caption // a description
	Writing = model.Writing // how answers and descriptions are written
	Message = chat.Message  // what was said before a question (Writing.Before)
	Part    = chat.Part     // a picture or a text of a Message
)

// Person is someone whose joints were found.
type Person struct {
	Score    float64            // of the person as an object, times the mean of the joints'; 1 for a box that was given
	Box      annotation.Box     // pixels of the picture
	Joints   []annotation.Joint // in the order of Skeleton, pixels of the picture
	Skeleton *annotation.Skeleton
}

// Semantic labels every pixel with at most one class.
type Semantic struct {
	Classes []string         // those that occur, in the order of the best object of each
	Map     []annotation.RLE // the pixels of each class
}

// Result is what was found in one picture. The parts that belong to a task that was asked for are not nil, even when they
// are empty. Its JSON encoding is the one of the command line, see docs/reference/json.md.
type Result struct {
	Image         string   // the file's name, or what Request.Path says
	Frame         *int     // number of the frame, from 0, when the picture is one of a video; the caller sets it
	Images        []string // names of all pictures, Image first, when questions were about several; the caller sets it
	Width, Height int      // pixels, upright
	Model         string
	Tasks         task.Set
	Elapsed       time.Duration // from decoded picture to answers

	Classes  []Class   // Classify: best first
	Objects  []Object  // Detect, Segment: best first
	Spots    []Spot    // Detect, in place of objects when asked for (Request.Pointing): best first
	Semantic *Semantic // Segment, in place of masks when asked for
	People   []Person  // Pose: best first
	Answers  []Answer  // Ask: in the order of the questions
	Caption  *Caption  // Caption
	Vector   []float32 // Match: a unit vector in the joint space of pictures and texts
}

// wire is the JSON of a result, in the order of its fields.
type wire struct {
	Image  string   `json:"image"`
	Images []string `json:"images,omitempty"`
	Frame  *int     `json:"frame,omitempty"`
	Width  int      `json:"width"`
	Height int      `json:"height"`
	Model  string   `json:"model"`
	Task   string   `json:"task"`
	MS     float64  `json:"ms"`

	Classes  any          `json:"classes,omitempty"`
	Map      *mapWire     `json:"map,omitempty"`
	Objects  []objectWire `json:"objects,omitzero"`
	Points   []Spot       `json:"points,omitzero"`
	People   []personWire `json:"people,omitzero"`
	Answers  []Answer     `json:"answers,omitempty"`
	Question *string      `json:"question,omitempty"`
	Answer   *string      `json:"answer,omitempty"`
	Caption  *string      `json:"caption,omitempty"`
	Score    *float64     `json:"score,omitempty"`
	Vector   []float32    `json:"vector,omitempty"`
}

type objectWire struct {
	Label    string      `json:"label"`
	Score    float64     `json:"score"`
	Box      [4]float64  `json:"box"`
	Area     *float64    `json:"area,omitempty"`
	Mask     *maskWire   `json:"mask,omitempty"`
	Polygons [][]float64 `json:"polygons,omitzero"`
}

type maskWire struct {
	Size   [2]int `json:"size"` // height, width
	Counts string `json:"counts"`
}

type mapWire struct {
	Size [2]int   `json:"size"`
	RLE  []string `json:"rle"`
}

type personWire struct {
	Score  float64     `json:"score"`
	Box    [4]float64  `json:"box"`
	Joints []jointWire `json:"joints"`
}

type jointWire struct {
	Name  string  `json:"name"`
	X     float64 `json:"x"`
	Y     float64 `json:"y"`
	Score float64 `json:"score"`
}

// MarshalJSON encodes the result as the command line prints it. Coordinates are rounded to hundredths of a pixel and
// scores are cut to five digits, so that those of classes never sum to more than 1.
func (r *Result) MarshalJSON() ([]byte, error) {
	w := wire{Image: r.Image, Images: r.Images, Frame: r.Frame, Width: r.Width, Height: r.Height, Model: r.Model, Task: resultTask(r.Tasks),
		MS: math.Round(float64(r.Elapsed.Microseconds())/100) / 10, Vector: r.Vector}
	if r.Classes != nil {
		list := make([]Class, len(r.Classes))
		for i, c := range r.Classes {
			list[i] = Class{Label: c.Label, Score: score(c.Score)}
		}
		w.Classes = list
	}
	if s := r.Semantic; s != nil {
		w.Classes, w.Map = s.Classes, &mapWire{Size: [2]int{r.Height, r.Width}, RLE: []string{}}
		for _, m := range s.Map {
			w.Map.RLE = append(w.Map.RLE, m.Compress())
		}
	}
	if r.Objects != nil && r.Semantic == nil {
		w.Objects = []objectWire{}
		for _, o := range r.Objects {
			w.Objects = append(w.Objects, object(o))
		}
	}
	if r.Spots != nil {
		w.Points = []Spot{}
		for _, s := range r.Spots {
			w.Points = append(w.Points, Spot{Label: s.Label, Score: score(s.Score), X: pixel(s.X), Y: pixel(s.Y)})
		}
	}
	if r.People != nil {
		w.People = []personWire{}
		for _, p := range r.People {
			w.People = append(w.People, p.wire())
		}
	}
	w.answers(r)
	return encode(w)
}

// encode is json.Marshal without the escapes for HTML, which would blow up run lengths.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// answers puts one question beside the picture's own fields, and several, or one among other tasks, into a list.
func (w *wire) answers(r *Result) {
	list := make([]Answer, len(r.Answers))
	for i, a := range r.Answers {
		list[i] = Answer{Question: a.Question, Answer: a.Answer, Score: score(a.Score)}
	}
	if len(list) == 1 && r.Tasks == task.SetOf(task.Ask) {
		w.Question, w.Answer, w.Score = &list[0].Question, &list[0].Answer, &list[0].Score
	} else {
		w.Answers = list
	}
	if r.Caption != nil {
		s := score(r.Caption.Score)
		w.Caption, w.Score = &r.Caption.Text, &s
	}
}

func object(o Object) objectWire {
	w := objectWire{Label: o.Label, Score: score(o.Score), Box: corners(o.Box)}
	if o.Mask == nil {
		return w
	}
	area := o.Mask.Area()
	w.Area = &area
	w.Mask = &maskWire{[2]int{o.Mask.H, o.Mask.W}, o.Mask.Compress()}
	w.Polygons = o.Polygons
	return w
}

func (p *Person) wire() personWire {
	w := personWire{Score: score(p.Score), Box: corners(p.Box), Joints: []jointWire{}}
	for i, j := range p.Joints {
		w.Joints = append(w.Joints, jointWire{p.Skeleton.Joints[i], pixel(j.X), pixel(j.Y), score(j.Score)})
	}
	return w
}

// resultTask is the name of a task, or "look" for several.
func resultTask(s task.Set) string {
	if list := tasks(s); len(list) == 1 {
		return taskName(list[0])
	}
	return "look"
}

func pixel(v float64) float64 { return math.Round(v*100)/100 + 0 } // + 0 makes of −0 a 0

func score(v float64) float64 { return math.Floor(v*1e5) / 1e5 }

func corners(b annotation.Box) [4]float64 {
	return [4]float64{pixel(b.X0), pixel(b.Y0), pixel(b.X1), pixel(b.Y1)}
}
