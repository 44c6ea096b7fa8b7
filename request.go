package fovea

import (
	"cmp"
	"errors"
	"fmt"
	"image"
	"math"
	"strings"

	"fovea/annotation"
	"fovea/model"
	"fovea/task"
)

// Request is everything that is asked of one picture. The picture is encoded once, and all tasks are asked of that.
type Request struct {
	// Image is the picture, upright; when nil, Path names a file. An *imageproc.RGB is used as it is, others are copied.
	Image image.Image
	Path  string // also names the picture in the result
	// Beside are further pictures that the questions are about: Image is the first, these follow. For Ask alone, of models whose
	// Card.Together says so. DoEncoded takes pictures that were encoded together instead.
	Beside []image.Image
	// Tasks says what to do; every part of a Result that belongs to one of them is filled.
	Tasks task.Set

	Labels    []string // Classify: names to choose from; none means the model's own
	Template  string   // Classify: the sentence that a label is put into, at {}, before it is read; "" means the model's own (model.Reader)
	Query     []string // Detect, Segment: things to look for; none means the model's own
	Questions []string // Ask: at least one, each at most MaxText bytes

	// Boxes say where the people are, of Pose, or the things, of Segment, pixels; none means that they are looked for.
	Boxes []annotation.Box
	// Points say what is meant, of Segment: all of them one thing, that of the box if there is one (model.Pointed).
	Points []model.Mark

	Threshold float64 // least score of an object or a person, in [0, 1]; 0 means the model's own, or else DefaultThreshold
	Overlap   float64 // of two boxes of one label with a larger IoU the lower-scored is dropped; 0 means the model's own
	Top       int     // Classify: at most so many names; 0 means DefaultTop, negative means all
	Max       int     // Detect, Segment, Pose: at most so many; 0 means DefaultMax
	Views     int     // Classify, Match: mean of the scores, or the vectors, of so many views: the picture, its mirror image, both moved a little; 0 means 1, at most imageproc.MaxViews. Each costs a picture; not with DoEncoded
	Tiles     int     // Detect: look also at so many by so many overlapping parts of the picture, for small things, each at the cost of a picture; not with DoEncoded
	Pointing  bool    // Detect: a place in each thing instead of a box (Result.Spots); the middle of the box, of models that do not point by themselves
	Flip      bool    // Pose: joints from the mean of a person and of the mirror image, a little more exact, at twice the time; of models whose Card.Flips says so
	NoZoom    bool    // Pose: do not look a second time, closer, at people who are small in the picture: less exact, and several times as fast; it is done for 20 people at most, and for all of Boxes

	Semantic bool     // Segment: a label for each pixel instead of a mask for each object
	Panoptic bool     // Segment: no pixel is in two masks; Overlap is then the least share of its mask that must be left to an object
	Stuff    []string // Panoptic: labels that have one object each, such as sky
	Polygons bool     // Segment: outlines of the masks, too (Object.Polygons); of MaxCorners corners at most

	// Writing says how Ask and Caption write, for models that write token by token with a choice; zero fields mean the model's
	// own way, which is the same every time.
	Writing Writing

	// Step, when not nil, receives the text so far after every word: of the caption, or else of the first answer. It must
	// not use the Predictor.
	Step func(text string)
}

// Defaults and limits of a Request.
const (
	DefaultThreshold = .3
	DefaultTop       = 5
	DefaultMax       = 100
	MaxText          = 1000 // bytes of a question, label or text
	MaxList          = 2000 // labels, things or questions
	MaxObjects       = 1000
	MaxTogether      = 32 // pictures of one question
)

// Everything are the tasks of Look: all but questions and matching.
const Everything task.Set = 1<<task.Classify | 1<<task.Detect | 1<<task.Segment | 1<<task.Pose | 1<<task.Caption

// check fills in defaults and names the first thing that is wrong.
func (r *Request) check(card *model.Card) error {
	bad := func(code, format string, args ...any) error {
		return badInput(code, fmt.Errorf("fovea: "+format, args...))
	}
	if r.Tasks == 0 {
		return bad("request.task", "no task is asked for; set Request.Tasks")
	}
	if missing := r.Tasks &^ card.Tasks; missing != 0 {
		return bad("request.task", "the model %q cannot %s; it can %s", card.Name, taskList(missing), taskList(card.Tasks))
	}
	for _, n := range []struct {
		name  string
		value float64
	}{{"threshold", r.Threshold}, {"overlap", r.Overlap}} {
		if math.IsNaN(n.value) || n.value < 0 || n.value > 1 {
			return bad("request."+n.name, "the %s %g is not in [0, 1]", n.name, n.value)
		}
	}
	if r.Max < 0 || r.Max > MaxObjects {
		return bad("request.max", "%d objects, want 0 … %d", r.Max, MaxObjects)
	}
	if r.Tasks.Has(task.Ask) && len(r.Questions) == 0 {
		return bad("request.question", "no question is asked")
	}
	for _, l := range []struct {
		code string
		list []string
	}{{"request.label", r.Labels}, {"request.query", r.Query}, {"request.question", r.Questions}} {
		if err := checkTexts(l.code, l.list); err != nil {
			return err
		}
	}
	if err := r.words(card); err != nil {
		return err
	}
	if r.Template != "" && (!strings.Contains(r.Template, "{}") || len(r.Template) > MaxText) {
		return bad("request.template", "the template %.80q has no {}, where a label is put, or more than %d bytes", r.Template, MaxText)
	}
	if len(r.Writing.Before) > 0 && !card.Talks {
		return bad("request.writing", "the model %q answers questions one by one; leave out instructions and what was said before", card.Name)
	}
	if err := r.Writing.Check(); err != nil {
		return badInput("request.writing", fmt.Errorf("fovea: %w", err))
	}
	if err := r.division(card); err != nil {
		return err
	}
	if r.Pointing && (r.Tasks != task.SetOf(task.Detect) || r.Tiles > 1) {
		return bad("request.points", "places are for detection in the whole picture alone; leave them out, or tiles and other tasks")
	}
	if r.Flip && !(card.Flips && r.Tasks.Has(task.Pose)) {
		return bad("request.flip", "people in the mirror are for poses, of ViTPose; the model %q does without", card.Name)
	}
	if err := r.together(len(r.Beside), card); err != nil {
		return err
	}
	if err := r.checkViews(); err != nil {
		return err
	}
	if err := r.checkTiles(); err != nil {
		return err
	}
	if r.Threshold == 0 {
		r.Threshold = cmp.Or(card.Threshold, DefaultThreshold)
	}
	return nil
}

// together says what is wrong with a request about a picture and n others.
func (r *Request) together(n int, card *model.Card) error {
	var err error
	switch {
	case n == 0:
		return nil
	case !card.Together:
		err = fmt.Errorf("fovea: the model %q answers about one picture at a time", card.Name)
	case r.Tasks != task.SetOf(task.Ask):
		err = errors.New("fovea: several pictures at once are for questions alone; leave the other tasks out")
	case n >= MaxTogether:
		err = fmt.Errorf("fovea: more than %d pictures for one question", MaxTogether)
	default:
		return nil
	}
	return badInput("request.pictures", err)
}

// checkTexts refuses lists and texts that are too long, and texts without a word.
func checkTexts(code string, list []string) error {
	what := strings.TrimPrefix(code, "request.")
	if len(list) > MaxList {
		return badInput(code, fmt.Errorf("fovea: %d entries in one %s list, at most %d are taken", len(list), what, MaxList))
	}
	for _, s := range list {
		if len(s) > MaxText {
			return badInput(code, fmt.Errorf("fovea: a %s of %d bytes, at most %d are taken", what, len(s), MaxText))
		}
		if len(task.Split(s)) == 0 {
			return badInput(code, fmt.Errorf("fovea: the %s %q has no word", what, s))
		}
	}
	return nil
}

// tasks lists a set in the order of package task.
func tasks(s task.Set) (out []task.Task) {
	for t := task.Classify; t <= task.Match; t++ {
		if s.Has(t) {
			out = append(out, t)
		}
	}
	return out
}

func taskList(s task.Set) string {
	var names []string
	for _, t := range tasks(s) {
		names = append(names, taskName(t))
	}
	return strings.Join(names, ", ")
}

// taskName is the name in commands and results: what training calls match is the command embed.
func taskName(t task.Task) string {
	if t == task.Match {
		return "embed"
	}
	return t.String()
}
