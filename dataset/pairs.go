package dataset

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fovea/annotation"
)

// pair is where a split has its pictures and their label maps.
type pair struct{ split, pictures, maps string }

// pairsIn recognises pictures beside label maps, as in CamVid: train/ and trainannot/, train/images/ and train/labels/, or
// images/train/ and labels/train/, with a list of classes in classes.txt.
func pairsIn(root string) []pair {
	if classesFile(root) == "" {
		return nil
	}
	dirs := func(p pair) bool {
		for _, d := range []string{p.pictures, p.maps} {
			if st, err := os.Stat(filepath.Join(root, d)); err != nil || !st.IsDir() {
				return false
			}
		}
		return true
	}
	var out []pair
	maps := []string{"labels", "masks", "annotations", "annot"}
	for _, d := range append(subfolders(root), "") {
		for _, m := range maps {
			candidates := []pair{{d, d + "/images", d + "/" + m}}
			if d != "" {
				candidates = append(candidates, pair{d, d, d + m}, pair{d, d, d + "_" + m})
			}
			for _, p := range candidates {
				if (isSplit(d) || d == "") && dirs(p) {
					out = append(out, p)
				}
			}
		}
	}
	for _, d := range subfolders(filepath.Join(root, "images")) {
		for _, m := range maps {
			if p := (pair{d, "images/" + d, m + "/" + d}); isSplit(d) && dirs(p) {
				out = append(out, p)
			}
		}
	}
	if slices.ContainsFunc(out, func(p pair) bool { return p.split != "" }) {
		out = slices.DeleteFunc(out, func(p pair) bool { return p.split == "" })
	}
	return out
}

func classesFile(root string) string {
	for _, n := range []string{"classes.txt", "labels.txt", "label_names.txt"} {
		path := filepath.Join(root, n)
		if st, err := os.Stat(path); err == nil && !st.IsDir() {
			return path
		}
	}
	return ""
}

func pairSplits(root string) []string {
	var out []string
	for _, p := range pairsIn(root) {
		out = append(out, p.split)
	}
	return out
}

// readPairs reads a split. A picture without a label map of its name is left out.
func readPairs(b *builder) error {
	classes, values, err := readClasses(classesFile(b.root))
	if err != nil {
		return err
	}
	for _, c := range classes {
		b.class(c)
	}
	all := pairsIn(b.root)
	p := all[slices.IndexFunc(all, func(p pair) bool { return p.split == b.split })]
	dir, maps := filepath.Join(b.root, filepath.FromSlash(p.pictures)), filepath.Join(b.root, filepath.FromSlash(p.maps))
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir() || strings.HasPrefix(e.Name(), "."):
			continue
		case !isPicture(e.Name()):
			b.report.add(NotAPicture, "%s", path)
			continue
		}
		labels := filepath.Join(maps, strings.TrimSuffix(e.Name(), filepath.Ext(e.Name()))+".png")
		if !b.folders.has(labels) {
			b.report.add(MissingFile, "label map %s of %s", labels, path)
			continue
		}
		r := b.record(path)
		r.semantic, r.values, r.labels = labels, values, HasSemantic
	}
	return nil
}

// readClasses reads a list of classes, one a line: "3 road" or "road", in the order of their numbers from 0. A line that
// ends in "(ignore)" is no class: its pixels are Void, as are those of values that no line names. values maps what the
// pictures hold to indices of the classes.
func readClasses(path string) (classes []string, values *[256]uint8, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: %w", err)
	}
	defer f.Close()
	values = new([256]uint8)
	for i := range values {
		values[i] = annotation.Void
	}
	s := bufio.NewScanner(f)
	for next := 0; s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		n := next
		if word, rest, ok := strings.Cut(line, " "); ok {
			if v, err := strconv.Atoi(strings.TrimRight(word, ":,")); err == nil {
				n, line = v, strings.TrimSpace(rest)
			}
		}
		next = n + 1
		if n < 0 || n >= annotation.Void {
			return nil, nil, fmt.Errorf("dataset: %s: class %q has the number %d, want 0 … 254", path, line, n)
		}
		if strings.HasSuffix(line, "(ignore)") {
			continue
		}
		if slices.Contains(classes, line) {
			return nil, nil, fmt.Errorf("dataset: %s: class %q stands there twice", path, line)
		}
		values[n] = uint8(len(classes))
		classes = append(classes, line)
	}
	if err := s.Err(); err != nil {
		return nil, nil, fmt.Errorf("dataset: %s: %w", path, err)
	}
	if len(classes) == 0 {
		return nil, nil, fmt.Errorf("dataset: %s: it names no class", path)
	}
	return classes, values, nil
}
