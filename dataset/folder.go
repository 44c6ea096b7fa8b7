package dataset

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// subfolders lists the visible folders in a folder, sorted.
func subfolders(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var out []string
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(e.Name(), "__") {
			out = append(out, e.Name())
		}
	}
	return out
}

// holdsPictures looks for a picture in the folder, or in a folder in it.
func holdsPictures(dir string) bool {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !e.IsDir() && isPicture(e.Name()) {
			return true
		}
	}
	for _, sub := range subfolders(dir) {
		entries, _ := os.ReadDir(filepath.Join(dir, sub))
		if slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() && isPicture(e.Name()) }) {
			return true
		}
	}
	return false
}

// folderSplits recognises ImageFolder (torchvision): a folder for each class, in a folder for each split or without.
func folderSplits(root string) []string {
	var splits, classes []string
	for _, d := range subfolders(root) {
		dir := filepath.Join(root, d)
		classed := slices.ContainsFunc(subfolders(dir), func(c string) bool { return holdsPictures(filepath.Join(dir, c)) })
		switch {
		case isSplit(d) && classed:
			splits = append(splits, d)
		case !isSplit(d) && holdsPictures(dir):
			classes = append(classes, d)
		}
	}
	if splits != nil {
		return splits
	}
	if len(classes) > 0 {
		return []string{""}
	}
	return nil
}

// readFolders reads a split. The classes are those of all splits, so that train and test agree; classnames.json, a map
// from folders to names, renames them. Of names that list synonyms with commas the first is taken unless another class
// has it too.
func readFolders(b *builder) error {
	var folders []string
	if b.split == "" {
		folders = subfolders(b.root)
	}
	for _, s := range folderSplits(b.root) {
		if s != "" {
			folders = append(folders, subfolders(filepath.Join(b.root, s))...)
		}
	}
	slices.Sort(folders)
	folders = slices.Compact(folders)
	names, err := classNames(b.root, folders)
	if err != nil {
		return err
	}
	for _, f := range folders {
		b.class(names[f])
		dir := filepath.Join(b.root, b.split, f)
		before := len(b.records)
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				if path != dir { // a class may lack in this split
					b.report.add(MissingFile, "%v", err)
				}
				return nil
			case e.IsDir() && strings.HasPrefix(e.Name(), ".") && path != dir:
				return fs.SkipDir
			case e.IsDir() || strings.HasPrefix(e.Name(), "."):
				return nil
			case !isPicture(e.Name()):
				b.report.add(NotAPicture, "%s", path)
				return nil
			}
			r := b.record(path)
			r.class, r.labels = names[f], HasClass
			return nil
		})
		if err != nil {
			return fmt.Errorf("dataset: %w", err)
		}
		if len(b.records) == before {
			b.report.add(NoPictures, "%s", dir)
		}
	}
	return nil
}

func classNames(root string, folders []string) (map[string]string, error) {
	names := map[string]string{}
	for _, f := range folders {
		names[f] = f
	}
	path := filepath.Join(root, "classnames.json")
	raw, err := os.ReadFile(path)
	if err != nil {
		return names, nil // there is none
	}
	var given map[string]string
	if err := json.Unmarshal(raw, &given); err != nil {
		return nil, fmt.Errorf("dataset: %s: want a map from folders to names of classes: %w", path, err)
	}
	count := map[string]int{}
	first := func(f string) string {
		name, _, _ := strings.Cut(given[f], ",")
		return strings.TrimSpace(name)
	}
	for _, f := range folders {
		count[first(f)]++
	}
	full := map[string]int{}
	for _, f := range folders {
		full[strings.TrimSpace(given[f])]++
	}
	for _, f := range folders {
		switch name := strings.TrimSpace(given[f]); {
		case count[first(f)] == 1:
			names[f] = cmp.Or(first(f), f)
		case full[name] == 1:
			names[f] = cmp.Or(name, f)
		default: // two classes of one name must stay two
			names[f] = f
		}
	}
	return names, nil
}
