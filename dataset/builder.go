package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fovea/annotation"
)

// builder gathers what the annotation files of a set say, by picture.
type builder struct {
	root    string
	split   string
	opt     OpenOptions
	report  *Report
	folders folders
	records []*record
	byFile  map[string]*record
	byID    map[string]objectAt // objects of COCO files by their id
	boxed   map[*record]bool    // pictures whose objects a COCO file has listed
	classes []string
	known   map[string]bool
}

// objectAt is an object's place.
type objectAt struct {
	r *record
	i int
}

func newBuilder(root, split string, opt OpenOptions) *builder {
	return &builder{root: root, split: split, opt: opt, report: &Report{}, folders: folders{}, byFile: map[string]*record{},
		byID: map[string]objectAt{}, boxed: map[*record]bool{}, known: map[string]bool{}}
}

// record is the record of a picture's file, made when it is new.
func (b *builder) record(file string) *record {
	r := b.byFile[file]
	if r == nil {
		id := file
		if rel, err := filepath.Rel(b.root, file); err == nil && filepath.IsLocal(rel) {
			id = filepath.ToSlash(rel)
		}
		r = &record{id: id, file: file}
		b.byFile[file] = r
		b.records = append(b.records, r)
	}
	return r
}

// class adds a label to the set's classes, in the order in which they come.
func (b *builder) class(name string) {
	if !b.known[name] {
		b.known[name] = true
		b.classes = append(b.classes, name)
	}
}

// set ends the building.
func (b *builder) set(name string) (*set, error) {
	s := &set{name: name, classes: b.classes, records: b.records, report: b.report}
	if b.opt.Labels != 0 {
		for _, r := range s.records {
			r.restrict(b.opt.Labels)
		}
	}
	if len(s.records) == 0 {
		return nil, fmt.Errorf("dataset: %s: no usable picture%s", b.root, summary(b.report))
	}
	s.finish()
	return s, nil
}

// summary lists the faults on one line, for errors.
func summary(r *Report) string {
	var parts []string
	for _, f := range r.Faults() {
		parts = append(parts, fmt.Sprintf("%s: %d, for example %s", f.Kind, f.Count, f.Examples[0]))
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, "; ") + ")"
}

// pictureFolder finds the folder that holds most of the named pictures.
func (b *builder) pictureFolder(beside string, names []string) (dir string, tried []string) {
	stem := splitStem(b.split)
	best := -1
	seen := map[string]bool{}
	for _, c := range []string{
		filepath.Join(b.root, b.split), filepath.Join(b.root, "images", b.split), filepath.Join(b.root, b.split, "images"),
		filepath.Join(b.root, stem), filepath.Join(b.root, "images", stem), filepath.Join(b.root, "images"), b.root, beside,
		filepath.Join(b.root, "JPEGImages"), filepath.Join(b.root, "data"),
	} {
		if seen[c] {
			continue
		}
		seen[c] = true
		if st, err := os.Stat(c); err != nil || !st.IsDir() {
			continue
		}
		tried = append(tried, c)
		hits := 0
		for _, n := range names {
			if filepath.IsLocal(n) && b.folders.has(filepath.Join(c, n)) {
				hits++
			}
		}
		if hits > best {
			best, dir = hits, c
		}
	}
	return dir, tried
}

// joints arranges a body's joints in the skeleton that the options ask for, by name; without that they stay.
func (b *builder) joints(js []annotation.Joint, s *annotation.Skeleton) ([]annotation.Joint, *annotation.Skeleton) {
	want := b.opt.Skeleton
	if want == nil || want == s || js == nil {
		return js, s
	}
	out := make([]annotation.Joint, len(want.Joints))
	for i, name := range want.Joints {
		if k := s.Index(name); k >= 0 {
			out[i] = js[k]
		}
	}
	return out, want
}
