package dataset

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"fovea/annotation"
)

// vqaAnswers is what the file of answers says about one question.
type vqaAnswers struct {
	answers []string // most common first
	kind    string
}

// readVQA adds questions and answers in the layout of VQA v2 (https://visualqa.org/download.html). Pictures are found by
// images_<split>.json, a map from picture ids to paths, or else by COCO's names: <split>/000000000009.jpg.
func (b *builder) readVQA(questions, answers string) error {
	known, err := b.readAnswers(answers)
	if err != nil {
		return err
	}
	doc, f, err := openJSON(questions)
	if err != nil {
		return err
	}
	defer f.Close()
	find, err := b.vqaPictures(filepath.Dir(questions))
	if err != nil {
		return err
	}
	return b.parseQuestions(doc, filepath.Base(questions), known, find)
}

func (b *builder) parseQuestions(doc *jsonDoc, name string, known map[string]vqaAnswers, find func(id string) (string, bool)) error {
	pictures := map[string]*record{} // nil: looked for in vain
	asked := map[string]bool{}
	found := false
	err := doc.object(func(key string) error {
		if key != "questions" {
			return doc.skip()
		}
		found = true
		return doc.array(func(i int) error {
			q, image, err := b.readQuestion(doc, name, i, asked)
			if err != nil || q == nil {
				return err
			}
			id := fmt.Sprint(q.ID)
			r, seen := pictures[image]
			if !seen {
				if file, ok := find(image); ok {
					r = b.record(file)
				} else {
					b.report.add(MissingFile, "%s: image id %s: %s", name, image, file)
				}
				pictures[image] = r
			}
			if r == nil {
				return nil
			}
			a, ok := known[id]
			if !ok {
				b.report.add(NoAnswer, "%s: question %s", name, id)
				return nil
			}
			q.Answers, q.Type = a.answers, a.kind
			r.questions = append(r.questions, *q)
			r.labels |= HasQuestions
			return nil
		})
	})
	if err == nil && !found {
		err = fmt.Errorf("dataset: %s: want the list \"questions\" of a VQA v2 file", name)
	}
	return err
}

// readQuestion reads one element of "questions"; nil when it is at fault.
func (b *builder) readQuestion(doc *jsonDoc, name string, i int, asked map[string]bool) (*annotation.Question, string, error) {
	var e struct {
		ID      json.RawMessage `json:"question_id"`
		ImageID json.RawMessage `json:"image_id"`
		Text    string          `json:"question"`
	}
	wrong, err := doc.value(&e)
	if err != nil {
		return nil, "", err
	}
	id, ok := ident(e.ID)
	image, hasImage := ident(e.ImageID)
	text := strings.Join(strings.Fields(e.Text), " ")
	switch {
	case wrong != nil:
		b.report.add(BadEntry, "%s: question %d: %v", name, i, wrong)
	case !ok || fmt.Sprint(idNumber(id)) != id:
		b.report.add(BadEntry, "%s: question %d: it has no question_id, or none that is a number", name, i)
	case !hasImage:
		b.report.add(BadEntry, "%s: question %s: it has no image_id", name, id)
	case text == "":
		b.report.add(EmptyText, "%s: question %s", name, id)
	case asked[id]:
		b.report.add(DuplicateID, "%s: question %s", name, id)
	default:
		asked[id] = true
		return &annotation.Question{ID: idNumber(id), Text: text}, image, nil
	}
	return nil, "", nil
}

func (b *builder) readAnswers(path string) (map[string]vqaAnswers, error) {
	doc, f, err := openJSON(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return b.parseAnswers(doc, filepath.Base(path))
}

func (b *builder) parseAnswers(doc *jsonDoc, name string) (map[string]vqaAnswers, error) {
	out := map[string]vqaAnswers{}
	found := false
	err := doc.object(func(key string) error {
		if key != "annotations" {
			return doc.skip()
		}
		found = true
		return doc.array(func(i int) error {
			var e struct {
				ID      json.RawMessage `json:"question_id"`
				Kind    string          `json:"question_type"`
				Answer  string          `json:"answer_type"`
				Best    string          `json:"multiple_choice_answer"`
				Answers []struct {
					Answer string `json:"answer"`
				} `json:"answers"`
			}
			wrong, err := doc.value(&e)
			if err != nil {
				return err
			}
			var given []string
			for _, a := range e.Answers {
				given = append(given, a.Answer)
			}
			id, ok := ident(e.ID)
			answers := byFrequency(given, e.Best)
			switch {
			case wrong != nil:
				b.report.add(BadEntry, "%s: annotation %d: %v", name, i, wrong)
			case !ok:
				b.report.add(BadEntry, "%s: annotation %d: it has no question_id", name, i)
			case len(answers) == 0:
				b.report.add(EmptyText, "%s: question %s has no answer with words", name, id)
			default:
				if _, twice := out[id]; twice {
					b.report.add(DuplicateID, "%s: answers to question %s", name, id)
					return nil
				}
				out[id] = vqaAnswers{answers, cmp.Or(e.Kind, e.Answer)}
			}
			return nil
		})
	})
	if err == nil && !found {
		err = fmt.Errorf("dataset: %s: want the list \"annotations\" of a VQA v2 file", name)
	}
	return out, err
}

// byFrequency drops empty answers and puts those first that were given most often; best comes first among equals, and
// stands alone when there are no others.
func byFrequency(given []string, best string) []string {
	count := map[string]int{}
	first := map[string]int{}
	var out []string
	best = strings.Join(strings.Fields(best), " ")
	for i, a := range given {
		if a = strings.Join(strings.Fields(a), " "); a != "" {
			if count[a]++; count[a] == 1 {
				first[a] = i
			}
			out = append(out, a)
		}
	}
	if len(out) == 0 && best != "" {
		return []string{best}
	}
	if count[best] > 0 {
		first[best] = -1
	}
	slices.SortStableFunc(out, func(a, b string) int {
		return cmp.Or(cmp.Compare(count[b], count[a]), cmp.Compare(first[a], first[b]))
	})
	return out
}

// vqaPictures is how pictures are found by their ids. The path comes with a failure, too, so that it can be named.
func (b *builder) vqaPictures(dir string) (func(id string) (string, bool), error) {
	path := filepath.Join(dir, "images_"+b.split+".json")
	doc, f, err := openJSON(path)
	if errors.Is(err, fs.ErrNotExist) {
		return b.cocoNames, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	paths := map[string]string{}
	if err := doc.object(func(key string) error {
		var p string
		wrong, err := doc.value(&p)
		if id, ok := ident(json.RawMessage(key)); ok {
			key = id
		}
		if wrong != nil || p == "" {
			b.report.add(BadEntry, "%s: image id %q: want a path", filepath.Base(path), key)
			p = ""
		}
		paths[key] = p
		return err
	}); err != nil {
		return nil, err
	}
	return func(id string) (string, bool) {
		p, ok := paths[id]
		name := filepath.FromSlash(p)
		if !ok || !filepath.IsLocal(name) {
			return fmt.Sprintf("%q in %s", p, filepath.Base(path)), false
		}
		full := filepath.Join(dir, name)
		return full, b.folders.has(full)
	}, nil
}

// cocoNames finds a picture by the names that COCO gives: the id with twelve digits, until 2014 after the split.
func (b *builder) cocoNames(id string) (string, bool) {
	n := idNumber(id)
	digits := fmt.Sprintf("%012d.jpg", n)
	var last string
	for _, dir := range []string{filepath.Join(b.root, b.split), filepath.Join(b.root, "images", b.split), filepath.Join(b.root, "images"), b.root} {
		for _, name := range []string{digits, "COCO_" + b.split + "_" + digits, id + ".jpg", id + ".png"} {
			path := filepath.Join(dir, name)
			if b.folders.has(path) {
				return path, true
			}
			last = cmp.Or(last, path)
		}
	}
	return last, false
}
