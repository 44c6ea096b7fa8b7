package dataset

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// TestPhotos: a folder of nothing but pictures is a set without labels, unless it is a part of a set that has some.
func TestPhotos(t *testing.T) {
	dir := files{"b.png": "3×2", "a.png": "no picture", ".thumbs/x": "", "a" + DrawnEnding: "1×1"}.write(t)
	s := open(t, dir, OpenOptions{})
	if s.Len() != 2 || s.Labels() != 0 || len(s.Classes()) != 0 || at(t, s, 1).ID != "b.png" || at(t, s, 1).W != 3 {
		t.Errorf("%d pictures, labels %b", s.Len(), s.Labels())
	}
	var known *ExampleError
	if _, err := s.At(0, nil); !errors.As(err, &known) || known.ID != "a.png" {
		t.Errorf("a damaged one: %v", err)
	}
	if splits, layout, err := Splits(dir); err != nil || layout != "pictures" || len(splits) != 1 || splits[0] != "" {
		t.Errorf("%q, %s, %v", splits, layout, err)
	}
	if _, err := Open(dir, OpenOptions{Split: "val"}); err == nil || !strings.Contains(err.Error(), "no splits") {
		t.Errorf("a part of it: %v", err)
	}
	part := filepath.Join(files{"train/cat/a.png": "1×1", "train/dog/b.png": "1×1"}.write(t), "train")
	if s := open(t, part, OpenOptions{}); s.Labels() != HasClass {
		t.Errorf("a part of a set: labels %b", s.Labels())
	}
	coco := files{"val/a.png": "4×4", "annotations/instances_val.json": `{"images":[{"id":1,"file_name":"a.png","width":4,"height":4}],"annotations":[],"categories":[{"id":1,"name":"x"}]}`}.write(t)
	if s := open(t, filepath.Join(coco, "val"), OpenOptions{}); s.Labels()&HasBoxes == 0 {
		t.Errorf("the pictures of a part of a set: labels %b", s.Labels())
	}
	if _, _, err := Splits(filepath.Join(coco, "val")); err == nil {
		t.Error("the pictures of a part of a set are taken for a set")
	}
	for name, fs := range map[string]files{"notes": {"a.png": "1×1", "notes.txt": "x"}, "nothing": {".hidden.png": "1×1"}, "only drawn": {"a" + DrawnEnding: "1×1"}} {
		if _, err := Open(fs.write(t), OpenOptions{}); err == nil || !strings.Contains(err.Error(), "nothing but pictures") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
