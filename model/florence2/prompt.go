package florence2

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"fovea/model"
	"fovea/task/place"
)

// Task is something that Florence-2 was trained to do.
type Task struct {
	Name   string     // as people write it: "<OD>"
	Prompt string     // as the model reads it; %s is what the task is about
	Kind   place.Kind // of the answer
}

// takes reports that something follows the name: words, or a region.
func (t *Task) takes() bool { return strings.Contains(t.Prompt, "%s") }

// tasks are all tasks, with the prompts that the model was trained on.
var tasks = []Task{
	{"<CAPTION>", "What does the image describe?", place.Text},
	{"<DETAILED_CAPTION>", "Describe in detail what is shown in the image.", place.Text},
	{"<MORE_DETAILED_CAPTION>", "Describe with a paragraph what is shown in the image.", place.Text},
	{"<OCR>", "What is the text in the image?", place.Text},
	{"<OCR_WITH_REGION>", "What is the text in the image, with regions?", place.Quads},
	{"<OD>", "Locate the objects with category name in the image.", place.Boxes},
	{"<DENSE_REGION_CAPTION>", "Locate the objects in the image, with their descriptions.", place.Boxes},
	{"<REGION_PROPOSAL>", "Locate the region proposals in the image.", place.Places},
	{"<CAPTION_TO_PHRASE_GROUNDING>", "Locate the phrases in the caption: %s", place.Phrases},
	{"<REFERRING_EXPRESSION_SEGMENTATION>", "Locate %s in the image with mask", place.Outlines},
	{"<REGION_TO_SEGMENTATION>", "What is the polygon mask of region %s", place.Outlines},
	{"<OPEN_VOCABULARY_DETECTION>", "Locate %s in the image.", place.BoxesOrOutlines},
	{"<REGION_TO_CATEGORY>", "What is the region %s?", place.Text},
	{"<REGION_TO_DESCRIPTION>", "What does the region %s describe?", place.Text},
	{"<REGION_TO_OCR>", "What text is in the region %s?", place.Text},
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

// readParser reads the settings of a repository. Those of the older spelling are in its code: it bans nothing that we know,
// and leaves out quads of less than a hundredth.
func readParser(f *model.Folder, c *Config) (place.Florence, error) {
	var p place.Florence
	if c.Legacy {
		p.Least = .01
	}
	b, err := f.Read("processor_config.json")
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	} else if err != nil {
		return p, err
	}
	var file struct {
		Post struct {
			OCR    map[string]any `json:"ocr"`
			Phrase struct {
				Banned []string `json:"banned_grounding_tokens"`
			} `json:"phrase_grounding"`
		} `json:"post_processor_config"`
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return p, fmt.Errorf("processor_config.json: %w", err)
	}
	if least, ok := file.Post.OCR["AREA_THRESHOLD"].(float64); ok { // in lower case, as files have it, the reference ignores it
		p.Least = least
	}
	p.Banned = file.Post.Phrase.Banned
	return p, nil
}
