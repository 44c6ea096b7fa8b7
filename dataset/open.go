package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fovea/annotation"
)

// OpenOptions says what to read of a data set. The zero value reads everything of its training split.
type OpenOptions struct {
	// Split names the part to read: "train", "val", "test" or what the set calls it; "validation", "valid" and "val" are
	// the same, and "train" finds "train2017". Empty means the only one, or else "train".
	Split string
	// Labels is what is of interest; 0 means everything. The rest is not kept.
	Labels Labels
	// CompleteBoxes says whether every object of the classes is boxed. Without it, a file of joints with exactly one person
	// in each picture is taken as incomplete, and anything else as complete.
	CompleteBoxes *bool
	// Skeleton rearranges joints by their names; those that the set does not have are Absent. nil keeps the set's own.
	Skeleton *annotation.Skeleton
}

// layout is a way to lay out a data set on disk.
type layout struct {
	name  string
	wants string // what it is recognised by
	// splits lists the parts that a folder holds in this layout; nil when it is not laid out so. "" is a set without parts.
	splits func(root string) []string
	read   func(b *builder) error
}

// layouts in the order in which they are tried.
func layouts() []layout {
	return []layout{
		{"CIFAR", "data_batch_1.bin … test_batch.bin, or train.bin and test.bin", cifarSplits, readCIFAR},
		{"COCO and VQA v2", "annotations/instances_<split>.json, person_keypoints_<split>.json or captions_<split>.json, or questions_<split>.json with " +
			"annotations_<split>.json, and pictures in <split>/", jsonSplits, readJSONFiles},
		{"JSONL", "<split>.jsonl or <split>/metadata.jsonl", jsonlSplits, readJSONL},
		{"pictures and label maps", "<split>/ with pictures, <split>annot/ with grey PNGs of the same names, and classes.txt", pairSplits, readPairs},
		{"ImageFolder", "<split>/<class>/ or <class>/ with pictures", folderSplits, readFolders},
	}
}

// Open recognises the layout of a data set and reads its annotation files; pictures are read later, by At. path is a
// folder, or a single COCO (.json) or JSON-lines (.jsonl) file. A folder of nothing but pictures is a set without labels.
//
// Faults of single entries do not stop it: they are left out and listed in the Report of the source, which implements
// Reporter. An error says what was looked for and what is there instead.
func Open(path string, opt OpenOptions) (Source, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("dataset: %w; give the folder of a data set", err)
	}
	if !st.IsDir() {
		return openFile(path, opt)
	}
	path = filepath.Clean(path)
	for _, l := range layouts() {
		if splits := l.splits(path); splits != nil {
			return openLayout(path, l, splits, opt)
		}
	}
	if parent, l, splits := partOf(path, opt.Split); splits != nil {
		opt.Split = filepath.Base(path)
		return openLayout(parent, l, splits, opt)
	}
	if splits := photos.splits(path); splits != nil {
		return openLayout(path, photos, splits, opt)
	}
	return nil, notRecognised(path)
}

// partOf recognises a folder that is a split of a set by the one around it; splits are those of the set, nil when it is none.
func partOf(path, split string) (parent string, l layout, splits []string) {
	parent, base := filepath.Dir(path), filepath.Base(path)
	for _, l := range layouts() {
		if splits := l.splits(parent); slices.Contains(splits, base) && (split == "" || splitStem(split) == splitStem(base)) {
			return parent, l, splits
		}
	}
	return "", l, nil
}

// Splits lists the parts of the data set in a folder, in alphabetical order, and the name of its layout.
func Splits(path string) (splits []string, layout string, err error) {
	for _, l := range layouts() {
		if s := l.splits(path); s != nil {
			slices.Sort(s)
			return slices.Compact(s), l.name, nil
		}
	}
	if _, _, around := partOf(path, ""); around == nil {
		if s := photos.splits(path); s != nil {
			return s, photos.name, nil
		}
	}
	return nil, "", notRecognised(path)
}

func openLayout(root string, l layout, splits []string, opt OpenOptions) (Source, error) {
	split, err := chooseSplit(splits, opt.Split)
	if err != nil {
		return nil, fmt.Errorf("dataset: %s (%s): %w", root, l.name, err)
	}
	b := newBuilder(root, split, opt)
	if err := l.read(b); err != nil {
		return nil, err
	}
	s, err := b.set(setName(root, split))
	if err != nil {
		return nil, err
	}
	return s, nil
}

func setName(root, split string) string {
	if abs, err := filepath.Abs(root); err == nil {
		root = abs
	}
	name := filepath.Base(root)
	if split != "" {
		name += "/" + split
	}
	return name
}

func openFile(path string, opt OpenOptions) (Source, error) {
	root := filepath.Dir(path)
	if filepath.Base(root) == "annotations" {
		root = filepath.Dir(root)
	}
	split := splitOf(filepath.Base(path))
	if opt.Split != "" && split != "" && splitStem(split) != splitStem(opt.Split) {
		return nil, fmt.Errorf("dataset: %s is of the split %q, not %q", path, split, opt.Split)
	}
	b := newBuilder(root, split, opt)
	var err error
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".json":
		err = b.readCOCO(path, false)
	case ".jsonl", ".ndjson":
		err = b.readLines(path)
	default:
		err = fmt.Errorf("dataset: %s: want a folder, a .json file in COCO's format or a .jsonl file", path)
	}
	if err != nil {
		return nil, err
	}
	s, err := b.set(filepath.Base(path))
	if err != nil {
		return nil, err
	}
	return s, nil
}

// chooseSplit finds the split that is asked for.
func chooseSplit(splits []string, want string) (string, error) {
	have := slices.Compact(slices.Sorted(slices.Values(splits)))
	switch {
	case slices.Contains(have, want):
		return want, nil
	case want == "" && len(have) == 1:
		return have[0], nil
	case want != "" && len(have) == 1 && have[0] == "":
		return "", fmt.Errorf("the set has no splits, leave out %q", want)
	}
	for _, s := range have {
		if splitStem(s) == splitStem(cmp.Or(want, "train")) {
			return s, nil
		}
	}
	if want == "" {
		return "", fmt.Errorf("name a split: it has %s", strings.Join(have, ", "))
	}
	return "", fmt.Errorf("no split %q: it has %s", want, strings.Join(have, ", "))
}

// stems are the names of splits, each with what it is also called.
var stems = map[string]string{"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "minival": "val",
	"test": "test", "testing": "test", "trainval": "trainval"}

// splitStem takes the year off a split's name and makes different names of one split equal: "train2017" is "train".
func splitStem(name string) string {
	s := strings.TrimRight(strings.ToLower(name), "0123456789-_")
	return cmp.Or(stems[s], s)
}

func isSplit(name string) bool { return stems[splitStem(name)] != "" }

// splitOf finds the name of a split among the words of a file's name: "val" in "instances_val.json"; "" when none is.
func splitOf(file string) string {
	words := strings.FieldsFunc(strings.TrimSuffix(file, filepath.Ext(file)), func(r rune) bool { return r == '_' || r == '-' || r == '.' })
	for _, w := range slices.Backward(words) {
		if isSplit(w) {
			return w
		}
	}
	return ""
}

// notRecognised explains what was looked for and what the folder holds.
func notRecognised(path string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "dataset: %s is in no layout that is known. Looked for:", path)
	for _, l := range append(layouts(), photos) {
		fmt.Fprintf(&b, "\n  %s: %s", l.name, l.wants)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	if len(entries) == 0 {
		return errors.New(b.String() + "\nFound nothing: the folder is empty.")
	}
	b.WriteString("\nFound: ")
	const listed = 12
	for i, e := range entries[:min(len(entries), listed)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(e.Name())
		if e.IsDir() {
			b.WriteString("/")
		}
	}
	if more := len(entries) - listed; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return errors.New(b.String())
}
