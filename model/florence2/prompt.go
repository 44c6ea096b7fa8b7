package florence2

import (
	"fmt"
	"math"
	"strings"

	"fovea/annotation"
)

// Task is something that Florence-2 was trained to do.
type Task struct {
	Name   string // as people write it: "<OD>"
	Prompt string // as the model reads it; %s is what the task is about
	Kind   Kind   // of the answer
}

// takes reports that something follows the name: words, or a region.
func (t *Task) takes() bool { return strings.Contains(t.Prompt, "%s") }

// Kind is the form of an answer.
type Kind uint8

// The forms of answers, see Result.
const (
	Text            Kind = iota // words, as they are
	Boxes                       // boxes, each with a label
	Places                      // boxes without labels
	Phrases                     // boxes, each with a phrase of the caption
	Outlines                    // polygons
	BoxesOrOutlines             // either, each with a label
	Quads                       // four corners around a text, each with the text
)

// tasks are all tasks, with the prompts that the model was trained on.
var tasks = []Task{
	{"<CAPTION>", "What does the image describe?", Text},
	{"<DETAILED_CAPTION>", "Describe in detail what is shown in the image.", Text},
	{"<MORE_DETAILED_CAPTION>", "Describe with a paragraph what is shown in the image.", Text},
	{"<OCR>", "What is the text in the image?", Text},
	{"<OCR_WITH_REGION>", "What is the text in the image, with regions?", Quads},
	{"<OD>", "Locate the objects with category name in the image.", Boxes},
	{"<DENSE_REGION_CAPTION>", "Locate the objects in the image, with their descriptions.", Boxes},
	{"<REGION_PROPOSAL>", "Locate the region proposals in the image.", Places},
	{"<CAPTION_TO_PHRASE_GROUNDING>", "Locate the phrases in the caption: %s", Phrases},
	{"<REFERRING_EXPRESSION_SEGMENTATION>", "Locate %s in the image with mask", Outlines},
	{"<REGION_TO_SEGMENTATION>", "What is the polygon mask of region %s", Outlines},
	{"<OPEN_VOCABULARY_DETECTION>", "Locate %s in the image.", BoxesOrOutlines},
	{"<REGION_TO_CATEGORY>", "What is the region %s?", Text},
	{"<REGION_TO_DESCRIPTION>", "What does the region %s describe?", Text},
	{"<REGION_TO_OCR>", "What text is in the region %s?", Text},
}

// Tasks lists all tasks.
func Tasks() []Task { return append([]Task(nil), tasks...) }

// split finds the task whose name stands in a text, nil when there is none, and what else the text says.
func split(text string) (*Task, string) {
	for i := range tasks {
		if t := &tasks[i]; strings.Contains(text, t.Name) {
			return t, strings.TrimSpace(strings.ReplaceAll(text, t.Name, ""))
		}
	}
	return nil, text
}

// Prompt is what the model reads for a text: the prompt of the task whose name stands in it, about the rest of the text.
// Texts without a task stay as they are.
func Prompt(text string) (string, error) {
	t, about := split(text)
	switch {
	case t == nil:
		return text, nil
	case t.takes():
		return strings.Replace(t.Prompt, "%s", about, 1), nil
	case text != t.Name:
		return "", fmt.Errorf("florence2: %s stands alone; leave out %q", t.Name, about)
	}
	return t.Prompt, nil
}

// checkQuestion says what is wrong with a question: Florence-2 knows its tasks only.
func checkQuestion(text string) error {
	t, about := split(text)
	switch {
	case t == nil || !strings.HasPrefix(text, t.Name):
		var names []string
		for _, t := range tasks {
			names = append(names, t.Name)
		}
		return fmt.Errorf("florence2: the question %q does not begin with a task; there are %s", text, strings.Join(names, ", "))
	case t.takes() && about == "":
		return fmt.Errorf("florence2: %s is about something: words, or a region such as <loc_52><loc_332><loc_932><loc_774>; write it behind the task", t.Name)
	}
	_, err := Prompt(text)
	return err
}

// bins is the number of steps along each side of a picture.
const bins = 1000

// bin is the piece of a step.
func bin(i int) string { return fmt.Sprintf("<loc_%d>", i) }

// Region writes a box, in pixels of a picture of w × h pixels, as prompts have it: four bins, x first.
func Region(b annotation.Box, w, h int) string {
	return bin(quantise(b.X0, w)) + bin(quantise(b.Y0, h)) + bin(quantise(b.X1, w)) + bin(quantise(b.Y1, h))
}

// quantise is the bin of a coordinate, in pixels along a side of size pixels. Like the reference it computes in single
// precision.
func quantise(x float64, size int) int {
	q := math.Floor(float64(float32(x) / float32(float64(size)/bins)))
	return int(min(max(q, 0), bins-1))
}

// dequantise is the middle of a bin in pixels, cut off to whole ones.
func dequantise(bin, size int) int { return int((float32(bin) + .5) * float32(float64(size)/bins)) }
