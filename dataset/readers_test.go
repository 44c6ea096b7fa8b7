package dataset

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fovea/annotation"
)

func smallVQA() files {
	return files{
		"train/a.png": "4×4", "train/b.png": "4×4",
		"images_train.json":    `{"1":"train/a.png","2":"train/b.png"}`,
		"questions_train.json": `{"info":{},"questions":[{"question_id":100,"image_id":1,"question":" What  is it? "},{"question_id":101,"image_id":2,"question":"How many?"},{"question_id":102,"image_id":1,"question":"Is it?"}]}`,
		"annotations_train.json": `{"annotations":[{"question_id":101,"question_type":"how many","answer_type":"number","multiple_choice_answer":"2","answers":[{"answer":"3"},{"answer":"2"},{"answer":"3"},{"answer":"2"},{"answer":""},{"answer":"1"}]},
			{"question_id":100,"answer_type":"other","multiple_choice_answer":"a cat","answers":[]},{"question_id":102,"question_type":"is it","answers":[{"answer":"yes"}]}]}`,
	}
}

func TestVQA(t *testing.T) {
	s := open(t, smallVQA().write(t), OpenOptions{Split: "train"})
	wantFaults(t, s.Report(), nil)
	if s.Len() != 2 || s.Labels() != HasQuestions {
		t.Fatalf("%d pictures, labels %b", s.Len(), s.Labels())
	}
	want := []annotation.Question{{ID: 100, Text: "What is it?", Answers: []string{"a cat"}, Type: "other"}, {ID: 102, Text: "Is it?", Answers: []string{"yes"}, Type: "is it"}}
	if got := at(t, s, 0).Questions; !reflect.DeepEqual(got, want) {
		t.Errorf("questions %+v, want %+v", got, want)
	}
	if got := at(t, s, 1).Questions[0].Answers; !slices.Equal(got, []string{"2", "2", "3", "3", "1"}) {
		t.Errorf("answers %q: want the most common first, and of equals the one that the set names", got)
	}
}

func TestVQANamesOfCOCO(t *testing.T) {
	s := open(t, files{
		"train2014/COCO_train2014_000000000009.jpg": "x", "images/000000000010.jpg": "x",
		"v2_OpenEnded_mscoco_train2014_questions.json": `{"questions":[{"question_id":9000,"image_id":9,"question":"a?"},{"question_id":10000,"image_id":10,"question":"b?"}]}`,
		"v2_mscoco_train2014_annotations.json":         `{"annotations":[{"question_id":9000,"answers":[{"answer":"x"}]},{"question_id":10000,"answers":[{"answer":"y"}]}]}`,
	}.write(t), OpenOptions{Split: "train"})
	wantFaults(t, s.Report(), nil)
	if s.Len() != 2 || s.records[0].id != "train2014/COCO_train2014_000000000009.jpg" || s.records[1].id != "images/000000000010.jpg" {
		t.Errorf("records %+v", s.records)
	}
}

func TestVQAFaults(t *testing.T) {
	base := smallVQA()
	q := func(more string) files {
		return base.with("questions_train.json", strings.Replace(base["questions_train.json"], "}]}", "},"+more+"]}", 1))
	}
	a := func(more string) files {
		return base.with("annotations_train.json", strings.Replace(base["annotations_train.json"], "}]}]}", "}]},"+more+"]}", 1))
	}
	for _, c := range []struct {
		name string
		fs   files
		want map[string]int
	}{
		{"no answer", q(`{"question_id":103,"image_id":1,"question":"x?"}`), map[string]int{NoAnswer: 1}},
		{"question twice", q(`{"question_id":100,"image_id":1,"question":"x?"}`), map[string]int{DuplicateID: 1}},
		{"no picture", q(`{"question_id":103,"image_id":7,"question":"x?"},{"question_id":104,"image_id":7,"question":"x?"}`), map[string]int{MissingFile: 1}},
		{"no text", q(`{"question_id":103,"image_id":1,"question":" "}`), map[string]int{EmptyText: 1}},
		{"no id", q(`{"image_id":1,"question":"x?"}`), map[string]int{BadEntry: 1}},
		{"text id", q(`{"question_id":"x","image_id":1,"question":"x?"}`), map[string]int{BadEntry: 1}},
		{"no image id", q(`{"question_id":103,"question":"x?"}`), map[string]int{BadEntry: 1}},
		{"question is a number", q(`{"question_id":103,"image_id":1,"question":5}`), map[string]int{BadEntry: 1}},
		{"answers twice", a(`{"question_id":100,"answers":[{"answer":"x"}]}`), map[string]int{DuplicateID: 1}},
		{"empty answers", a(`{"question_id":103,"answers":[{"answer":" "}]}`), map[string]int{EmptyText: 1}},
		{"answer is a number", a(`{"question_id":103,"answers":[{"answer":7}]}`), map[string]int{BadEntry: 1}},
		{"path outside", base.with("images_train.json", `{"1":"train/a.png","2":"../../b.png"}`), map[string]int{MissingFile: 1}},
		{"path is a number", base.with("images_train.json", `{"1":"train/a.png","2":7}`), map[string]int{BadEntry: 1, MissingFile: 1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, c.fs.write(t), OpenOptions{})
			wantFaults(t, s.Report(), c.want)
			if n := len(at(t, s, 0).Questions); n != 2 {
				t.Errorf("the sound picture has %d questions left", n)
			}
		})
	}
}

func TestImageFolder(t *testing.T) {
	fs := files{
		"train/n1/a.png": "4×4", "train/n1/deep/b.png": "4×4", "train/n2/c.png": "4×4", "train/n2/notes.txt": "x", "train/n2/.hidden.png": "x",
		"test/n1/d.png": "4×4", "test/n2/e.png": "4×4", "test/n3/f.png": "4×4", "test/n4/g.png": "4×4",
		"classnames.json": `{"n1":"cat, puss","n2":"crane","n3":"crane, big bird"}`,
	}
	dir := fs.write(t)
	s := open(t, dir, OpenOptions{})
	if want := []string{"cat", "crane", "crane, big bird", "n4"}; !slices.Equal(s.Classes(), want) {
		t.Errorf("classes %q, want %q", s.Classes(), want)
	}
	if s.Len() != 3 || at(t, s, 0).Class != "cat" || at(t, s, 1).ID != "train/n1/deep/b.png" || at(t, s, 2).Class != "crane" || s.Labels() != HasClass {
		t.Errorf("%d pictures, classes %q", s.Len(), s.Classes())
	}
	wantFaults(t, s.Report(), map[string]int{NotAPicture: 1, NoPictures: 2})
	test := open(t, dir, OpenOptions{Split: "test"})
	if !slices.Equal(test.Classes(), s.Classes()) || test.Len() != 4 {
		t.Errorf("test has %d pictures of the classes %q, train %q", test.Len(), test.Classes(), s.Classes())
	}
	one := open(t, filepath.Join(dir, "test"), OpenOptions{}) // a folder of classes without splits
	if one.Len() != 4 || !slices.Equal(one.Classes(), []string{"n1", "n2", "n3", "n4"}) {
		t.Errorf("the folder test alone: %d pictures of %q", one.Len(), one.Classes())
	}
}

func smallPairs() files {
	return files{
		"train/a.png": "3×2", "trainannot/a.png": "3×2 grey 0 1 2 5 9 1", "train/b.png": "2×2", "trainannot/b.png": "2×2 grey 0 0 0 0",
		"classes.txt": "0 sky\n1 road\n2 unlabelled (ignore)\n5 car\n",
	}
}

func TestPairs(t *testing.T) {
	s := open(t, smallPairs().write(t), OpenOptions{})
	wantFaults(t, s.Report(), nil)
	ex := at(t, s, 0)
	if want := []uint8{0, 1, annotation.Void, 2, annotation.Void, 1}; !slices.Equal(ex.Semantic.Pix, want) || !slices.Equal(s.Classes(), []string{"sky", "road", "car"}) {
		t.Errorf("map %v, want %v; classes %q", ex.Semantic.Pix, want, s.Classes())
	}
	for _, fs := range []files{
		{"train/images/a.png": "2×2", "train/labels/a.png": "2×2 grey 0 0 0 0", "classes.txt": "x"},
		{"images/val/a.png": "2×2", "masks/val/a.png": "2×2 grey 0 0 0 0", "labels.txt": "x"},
		{"images/a.png": "2×2", "labels/a.png": "2×2 grey 0 0 0 0", "classes.txt": "x"},
	} {
		if s := open(t, fs.write(t), OpenOptions{}); s.Labels() != HasSemantic || s.Len() != 1 {
			t.Errorf("%v: labels %b", fs, s.Labels())
		}
	}
	for name, want := range map[string]string{"3×2": "in colour", "2×2 grey 0 0 0 0": "3 × 2"} {
		s := open(t, smallPairs().with("trainannot/a.png", name).write(t), OpenOptions{})
		if _, err := s.At(0, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("label map %s: error %v, want %q", name, err, want)
		}
		at(t, s, 1)
	}
	s = open(t, smallPairs().with("train/c.png", "2×2").with("train/x.txt", "?").write(t), OpenOptions{})
	wantFaults(t, s.Report(), map[string]int{MissingFile: 1, NotAPicture: 1})
	for _, bad := range []string{"", "0 a\n1 a\n", "300 x\n", "-1 x"} {
		if _, err := Open(smallPairs().with("classes.txt", bad).write(t), OpenOptions{}); err == nil || !strings.Contains(err.Error(), "classes.txt") {
			t.Errorf("classes %q: error %v", bad, err)
		}
	}
}

func smallCIFAR(names string, labels ...byte) files {
	rec := func(head []byte, r, g, b byte) string {
		p := make([]byte, 3*cifarPlane)
		p[0], p[cifarPlane], p[2*cifarPlane] = r, g, b
		return string(head) + string(p)
	}
	return files{"train.bin": rec(labels, 1, 2, 3) + rec(labels, 4, 5, 6), "fine_label_names.txt": names}
}

func TestCIFAR(t *testing.T) {
	names := ""
	for i := range 100 {
		names += "class_" + string(rune('a'+i/26)) + string(rune('a'+i%26)) + "\n"
	}
	s := open(t, smallCIFAR(names, 7, 3).write(t), OpenOptions{})
	if ex := at(t, s, 1); s.Len() != 2 || ex.Class != "class ad" || !slices.Equal(ex.Image.Pix[:6], []uint8{4, 5, 6, 0, 0, 0}) || ex.W != 32 {
		t.Errorf("CIFAR-100: %d pictures, class %q", s.Len(), ex.Class)
	}
	ten := files{"batches.meta.txt": "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n", "test_batch.bin": smallCIFAR("", 9)["train.bin"], "data_batch_2.bin": smallCIFAR("", 3)["train.bin"] + "cut"}
	dir := ten.write(t)
	s = open(t, dir, OpenOptions{Split: "test"})
	if at(t, s, 0).Class != "j" || len(s.Classes()) != 10 {
		t.Errorf("CIFAR-10: class %q of %q", at(t, s, 0).Class, s.Classes())
	}
	s = open(t, dir, OpenOptions{})
	wantFaults(t, s.Report(), map[string]int{UnreadableFile: 1})
	if s.Len() != 2 {
		t.Errorf("%d pictures before the cut", s.Len())
	}
	s = open(t, ten.with("test_batch.bin", ten["test_batch.bin"]+smallCIFAR("", 200)["train.bin"]).write(t), OpenOptions{Split: "test"})
	wantFaults(t, s.Report(), map[string]int{BadLabel: 2})
	if _, err := Open(ten.with("batches.meta.txt", "a\nb\n").write(t), OpenOptions{}); err == nil || !strings.Contains(err.Error(), "want 10") {
		t.Errorf("two names: error %v", err)
	}
}

func smallJSONL() files {
	return files{"a.png": "20×10", "sub/b.png": "8×8", "train.jsonl": `{"labels":["cat","dog"]}
{"image":"a.png","width":20,"height":10,"label":"dog","objects":[{"label":"dog","box":[1,2,9,8],"polygons":[[1,2,9,2,9,8]],"color":"red","joints":[{"name":"nose","x":3,"y":4},{"name":"left_paw","x":1,"y":2,"v":1},{"name":"right_paw","x":0,"y":0,"v":0}]}]}

{"image":"a.png","question":"What is it?","answer":"a dog","caption":"A  dog."}
{"image":"sub/b.png","objects":[],"questions":[{"question":"Anything?","answers":["no","no","yes"],"type":"exists"}],"captions":["Nothing.","Empty."]}
`}
}

func TestJSONL(t *testing.T) {
	s := open(t, smallJSONL().write(t), OpenOptions{})
	wantFaults(t, s.Report(), nil)
	a, b := at(t, s, 0), at(t, s, 1)
	if s.Len() != 2 || !slices.Equal(s.Classes(), []string{"cat", "dog"}) || a.Labels != HasClass|HasBoxes|HasMasks|HasJoints|HasQuestions|HasCaptions {
		t.Errorf("%d pictures, classes %q, labels %b", s.Len(), s.Classes(), a.Labels)
	}
	o := a.Objects[0]
	if a.Class != "dog" || o.Color != "red" || o.Box != (annotation.Box{X0: 1, Y0: 2, X1: 9, Y1: 8}) || o.Mask.Area() == 0 || !slices.Equal(o.Skeleton.Flip, []int{0, 2, 1}) ||
		!slices.Equal(o.Joints, []annotation.Joint{{X: 3, Y: 4, V: 2}, {X: 1, Y: 2, V: 1}, {}}) {
		t.Errorf("object %+v", o)
	}
	if !slices.Equal(a.Captions, []string{"A dog."}) || a.Questions[0].Text != "What is it?" || a.Questions[0].Answers[0] != "a dog" {
		t.Errorf("texts %q %+v", a.Captions, a.Questions)
	}
	if b.ID != "sub/b.png" || b.Labels != HasBoxes|HasQuestions|HasCaptions || !slices.Equal(b.Questions[0].Answers, []string{"no", "no", "yes"}) || b.Questions[0].Type != "exists" {
		t.Errorf("second picture %+v", b)
	}
	// The program's own results are labels, too.
	s = open(t, files{"a.png": "20×10", "results.jsonl": `{"image":"a.png","width":20,"height":10,"model":"nano","task":"pose","ms":4,"people":[{"score":0.9,"box":[1,1,9,9],"joints":[{"name":"nose","x":3,"y":4,"score":0.8}]}]}
{"image":"b.png","error":{"code":"image.truncated"}}`}.write(t), OpenOptions{})
	wantFaults(t, s.Report(), map[string]int{BadEntry: 1})
	if p := at(t, s, 0).Objects[0]; p.Label != "person" || p.Joints[0].X != 3 {
		t.Errorf("a result as a label: %+v", p)
	}
}

func TestJSONLFaults(t *testing.T) {
	base := smallJSONL()
	for _, c := range []struct {
		line string
		want map[string]int
	}{
		{`{"image":"no.png"}`, map[string]int{MissingFile: 1}},
		{`{"label":"cat"}`, map[string]int{BadEntry: 1}},
		{`{"image":"a.png"`, map[string]int{BadEntry: 1}},
		{`[1]`, map[string]int{BadEntry: 1}},
		{`{"image":5}`, map[string]int{BadEntry: 1}},
		{`{"image":"a.png","label":"cat"}`, map[string]int{DuplicateID: 1}},
		{`{"image":"a.png","width":5}`, map[string]int{BadEntry: 1}},
		{`{"image":"a.png","width":5,"height":5}`, map[string]int{SizeMismatch: 1}},
		{`{"image":"a.png","question":"x?"}`, map[string]int{NoAnswer: 1}},
		{`{"image":"a.png","answer":"x"}`, map[string]int{EmptyText: 1}},
		{`{"image":"a.png","objects":[{"box":[1,1,2,2]}]}`, map[string]int{BadLabel: 1}},
		{`{"image":"a.png","objects":[{"label":"x"}]}`, map[string]int{BadEntry: 1}},
		{`{"image":"a.png","objects":[{"label":"x","box":[1,1,2]}]}`, map[string]int{BadEntry: 1}},
		{`{"image":"a.png","objects":[{"label":"x","box":[1,1,NaN,2]}]}`, map[string]int{NotANumber: 1}},
		{`{"image":"a.png","objects":[{"label":"x","box":[5,5,5,9]}]}`, map[string]int{BoxEmpty: 1}},
		{`{"image":"a.png","objects":[{"label":"x","box":[5,5,50,9]}]}`, map[string]int{BoxClipped: 1}},
		{`{"image":"a.png","objects":[{"label":"x","box":[5,5,8,9],"polygons":[[1,1]]}]}`, map[string]int{BadMask: 1}},
		{`{"image":"a.png","objects":[{"label":"x","box":[5,5,8,9],"joints":[{"name":"a","x":1,"y":1},{"name":"a","x":1,"y":1}]}]}`, map[string]int{BadJoints: 1}},
		{`{"image":"a.png","objects":[{"label":"x","box":[5,5,8,9],"joints":[{"name":"a","x":NaN,"y":1}]}]}`, map[string]int{NotANumber: 1}},
	} {
		s, err := Open(base.with("train.jsonl", base["train.jsonl"]+c.line+"\n").write(t), OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if wantFaults(t, s.(*set).Report(), c.want); t.Failed() {
			t.Fatal(c.line)
		}
		at(t, s, 1)
	}
	lost := open(t, base.with("train.jsonl", `{"image":"a.png","complete":false,"objects":[{"label":"x","box":[1,1,2,2],"joints":[{"name":"a","x":1,"y":1}]}]}`).write(t), OpenOptions{})
	if lost.Labels() != HasJoints {
		t.Errorf("incomplete objects: labels %b", lost.Labels())
	}
}

func TestOpenExplains(t *testing.T) {
	empty := t.TempDir()
	for _, c := range []struct {
		name string
		dir  string
		opt  OpenOptions
		want []string
	}{
		{"no folder", filepath.Join(empty, "nowhere"), OpenOptions{}, []string{"nowhere"}},
		{"empty folder", empty, OpenOptions{}, []string{"Looked for", "ImageFolder", "JSONL", "CIFAR", "the folder is empty"}},
		{"other files", files{"readme.txt": "x", "data/x.csv": "1"}.write(t), OpenOptions{}, []string{"data/", "readme.txt"}},
		{"wrong split", smallCOCO().write(t), OpenOptions{Split: "test"}, []string{`no split "test"`, "train"}},
		{"no such split", files{"a/1.png": "2×2"}.write(t), OpenOptions{Split: "val"}, []string{"no splits"}},
		{"which split", files{"val/a/1.png": "2×2", "test/a/1.png": "2×2"}.write(t), OpenOptions{}, []string{"name a split", "test, val"}},
		{"cut off", smallCOCO().with("annotations/captions_train.json", `{"images":[`).write(t), OpenOptions{}, []string{"captions_train.json", "cut off"}},
		{"no JSON", smallCOCO().with("annotations/instances_train.json", `hello`).write(t), OpenOptions{}, []string{"instances_train.json"}},
		{"another JSON", smallCOCO().with("annotations/instances_train.json", `{"a":1}`).write(t), OpenOptions{}, []string{`"images"`}},
		{"a list", smallCOCO().with("annotations/instances_train.json", `[]`).write(t), OpenOptions{}, []string{"an object"}},
		{"no pictures at all", files{"annotations/instances_train.json": smallCOCO()["annotations/instances_train.json"]}.write(t), OpenOptions{}, []string{"a.png", "none of them"}},
		{"no answers", files{"questions_train.json": `{"questions":[]}`}.write(t), OpenOptions{}, []string{"annotations_train.json"}},
		{"nothing usable", files{"train.jsonl": `{"image":"x.png"}`}.write(t), OpenOptions{}, []string{"no usable picture", "x.png"}},
		{"file of another kind", filepath.Join(files{"x.csv": "1"}.write(t), "x.csv"), OpenOptions{}, []string{"x.csv", ".jsonl"}},
		{"bad names", files{"train/a/1.png": "2×2", "classnames.json": "[]"}.write(t), OpenOptions{}, []string{"classnames.json"}},
	} {
		_, err := Open(c.dir, c.opt)
		if err == nil {
			t.Errorf("%s: no error", c.name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q lacks %q", c.name, err, w)
			}
		}
		if !strings.HasPrefix(err.Error(), "dataset: ") {
			t.Errorf("%s: %q does not name the package", c.name, err)
		}
	}
}

func TestSplits(t *testing.T) {
	dir := files{"train2017/1/a.png": "2×2", "val/1/a.png": "2×2"}.write(t)
	if s, layout, err := Splits(dir); !slices.Equal(s, []string{"train2017", "val"}) || layout != "ImageFolder" || err != nil {
		t.Errorf("splits %q of %s, %v", s, layout, err)
	}
	for ask, want := range map[string]string{"": "train2017", "train": "train2017", "validation": "val", "dev": "val"} {
		if s := open(t, dir, OpenOptions{Split: ask}); !strings.HasSuffix(s.Name(), "/"+want) {
			t.Errorf("split %q is %s", ask, s.Name())
		}
	}
	// A split's folder stands for the split where that is no set of its own.
	coco := smallCOCO().write(t)
	if s := open(t, filepath.Join(coco, "train"), OpenOptions{}); s.Len() != 2 || s.Labels()&HasBoxes == 0 {
		t.Errorf("%s: labels %b", s.Name(), s.Labels())
	}
	if _, _, err := Splits(t.TempDir()); err == nil {
		t.Error("splits of an empty folder")
	}
}

// TestSetsAtHand reads data sets on this machine, all of them through and without a fault that costs a picture.
func TestSetsAtHand(t *testing.T) {
	root := os.Getenv("FOVEA_DATA")
	if root == "" {
		t.Skip("FOVEA_DATA names no folder with data sets")
	}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		dir := filepath.Join(root, e.Name())
		splits, layout, err := Splits(dir)
		if err != nil {
			t.Error(err)
		}
		for _, split := range splits {
			s := open(t, dir, OpenOptions{Split: split})
			for i := 0; i < s.Len(); i += max(s.Len()/100, 1) {
				at(t, s, i)
			}
			t.Logf("%s (%s): %d pictures, %d classes, labels %b, faults %+v", s.Name(), layout, s.Len(), len(s.Classes()), s.Labels(), s.Report().Faults())
			if s.Len() == 0 || s.Report().Count(MissingFile)+s.Report().Count(BadEntry) > 0 {
				t.Errorf("%s: faults %+v", s.Name(), s.Report().Faults())
			}
		}
	}
}
