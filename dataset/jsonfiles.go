package dataset

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// jsonFile is an annotation file that was recognised by its name.
type jsonFile struct {
	path  string
	split string
	kind  int
}

// Kinds of annotation files in the order in which they are read.
const (
	instancesFile = iota
	keypointsFile
	captionsFile
	questionsFile
)

// jsonFiles lists the annotation files of a folder in the layouts of COCO and VQA v2, by their names:
//
//	annotations/instances_train.json, annotations/*.json     objects, joints or captions
//	instances_train.json, person_keypoints_…, captions_…     the same beside the pictures
//	train/_annotations.coco.json                             the same, as Roboflow writes it
//	questions_train.json, v2_OpenEnded_…_questions.json      questions, with the answers in another file
func jsonFiles(root string) []jsonFile {
	var out []jsonFile
	add := func(dir, split string, any bool) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			name := e.Name()
			if e.IsDir() || !strings.EqualFold(filepath.Ext(name), ".json") || strings.HasPrefix(name, ".") {
				continue
			}
			f := jsonFile{filepath.Join(dir, name), cmp.Or(split, splitOf(name)), instancesFile}
			switch lower := strings.ToLower(name); {
			case strings.Contains(lower, "question"):
				f.kind = questionsFile
			case strings.HasPrefix(lower, "v2_") || strings.HasPrefix(lower, "panoptic") || strings.HasPrefix(lower, "stuff") ||
				strings.HasPrefix(lower, "image_info"):
				continue // answers, and what other tasks need
			case strings.Contains(lower, "keypoints"):
				f.kind = keypointsFile
			case strings.Contains(lower, "captions"):
				f.kind = captionsFile
			case strings.HasPrefix(lower, "instances") || strings.HasSuffix(lower, ".coco.json") || any:
			default:
				continue
			}
			out = append(out, f)
		}
	}
	add(root, "", false)
	add(filepath.Join(root, "annotations"), "", true)
	entries, _ := os.ReadDir(root)
	for _, e := range entries {
		if e.IsDir() && isSplit(e.Name()) {
			add(filepath.Join(root, e.Name()), e.Name(), false)
		}
	}
	return out
}

func jsonSplits(root string) []string {
	var splits []string
	for _, f := range jsonFiles(root) {
		splits = append(splits, f.split)
	}
	return splits
}

// readJSONFiles reads all files of the split; what they say about the same picture comes together.
func readJSONFiles(b *builder) error {
	var files []jsonFile
	for _, f := range jsonFiles(b.root) {
		if f.split == b.split {
			files = append(files, f)
		}
	}
	slices.SortStableFunc(files, func(x, y jsonFile) int { return cmp.Compare(x.kind, y.kind) })
	objects := false
	for _, f := range files {
		if f.kind == questionsFile {
			answers, err := answersFile(f.path)
			if err != nil {
				return err
			}
			if err := b.readVQA(f.path, answers); err != nil {
				return err
			}
			continue
		}
		if err := b.readCOCO(f.path, objects); err != nil {
			return err
		}
		objects = objects || f.kind != captionsFile
	}
	return nil
}

// answersFile finds the answers to a file of questions by its name: questions_train.json has annotations_train.json, and
// v2_OpenEnded_mscoco_train2014_questions.json has v2_mscoco_train2014_annotations.json.
func answersFile(questions string) (string, error) {
	dir, name := filepath.Split(questions)
	want := strings.Replace(name, "questions", "annotations", 1)
	for _, c := range []string{want, strings.Replace(want, "OpenEnded_", "", 1), strings.Replace(name, "questions", "answers", 1)} {
		if path := filepath.Join(dir, c); c != name {
			if st, err := os.Stat(path); err == nil && !st.IsDir() {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("dataset: %s: its answers are missing: want %s beside it", questions, want)
}
