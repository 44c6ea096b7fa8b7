package scenes

import (
	"bytes"
	"encoding/json"
	"errors"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/annotation"
	"fovea/dataset"
)

type cocoFile struct {
	Images []struct {
		ID, Width, Height int
		FileName          string `json:"file_name"`
	}
	Categories []struct {
		ID        int
		Name      string
		Keypoints []string
		Skeleton  [][2]int
	}
	Annotations []struct {
		ID           int
		ImageID      int `json:"image_id"`
		CategoryID   int `json:"category_id"`
		Bbox         [4]float64
		Area         float64
		Color        string
		Caption      string
		Keypoints    []float64
		NumKeypoints int `json:"num_keypoints"`
		Segmentation struct {
			Size   [2]int
			Counts string
		}
	}
}

func readJSON(t *testing.T, v any, path ...string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

func TestExportIsWhatWasDrawn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "set")
	src, val := New(Config{Seed: 21, N: 30}), New(Config{Seed: 22, N: 3, Size: 64})
	var calls []int
	err := ExportSplits(dir, []Split{{Name: "train", Source: src, N: 20}, {Name: "val", Source: val, N: 3}}, func(done int) { calls = append(calls, done) })
	if err != nil {
		t.Fatal(err)
	}
	if len(calls) != 23 || calls[22] != 23 {
		t.Errorf("progress was told %v", calls)
	}
	var inst, people, capt cocoFile
	readJSON(t, &inst, dir, "annotations", "instances_train.json")
	readJSON(t, &people, dir, "annotations", "person_keypoints_train.json")
	readJSON(t, &capt, dir, "annotations", "captions_train.json")
	if len(inst.Images) != 20 || len(inst.Categories) != len(Classes()) {
		t.Fatalf("%d pictures, %d categories", len(inst.Images), len(inst.Categories))
	}
	if c := people.Categories[personClass]; c.Name != Person || annotation.SkeletonOf(c.Keypoints) != annotation.COCO17 || c.Skeleton[0] != [2]int{16, 14} {
		t.Errorf("category %+v, want the joints of COCO", c)
	}
	at, person, caption := 0, 0, 0
	for i := range 20 {
		ex, _ := src.At(i, nil)
		im := inst.Images[i]
		f, err := os.Open(filepath.Join(dir, "train", im.FileName))
		if err != nil {
			t.Fatal(err)
		}
		got, err := png.Decode(f)
		f.Close()
		if err != nil || im.ID != i+1 || im.Width != 128 || got.Bounds() != ex.Image.Bounds() {
			t.Fatalf("picture %d: %+v, %v, %v", i, im, got.Bounds(), err)
		}
		if r, g, b, _ := got.At(17, 40).RGBA(); [3]uint8{uint8(r), uint8(g), uint8(b)} != [3]uint8(ex.Image.Pix[3*(40*128+17):]) {
			t.Errorf("picture %d: a pixel changed", i)
		}
		for _, o := range ex.Objects {
			a := inst.Annotations[at]
			at++
			box := [4]float64{o.Box.X0, o.Box.Y0, o.Box.W(), o.Box.H()}
			if a.ID != at || a.ImageID != i+1 || inst.Categories[a.CategoryID-1].Name != o.Label || a.Bbox != box || a.Area != o.Area || a.Color != o.Color {
				t.Errorf("picture %d: %+v, want %+v", i, a, o)
			}
			r, err := annotation.ParseRLE(a.Segmentation.Size[0], a.Segmentation.Size[1], a.Segmentation.Counts)
			if err != nil {
				t.Fatal(err)
			}
			if m, err := r.Bitmap(); err != nil || !slices.Equal(m.Pix, o.Mask.Pix) {
				t.Errorf("picture %d: the mask changed (%v)", i, err)
			}
			if o.Joints == nil {
				continue
			}
			p := people.Annotations[person]
			person++
			n := 0
			for k, j := range o.Joints {
				x, y, v := p.Keypoints[3*k], p.Keypoints[3*k+1], p.Keypoints[3*k+2]
				if j.V != annotation.Absent {
					n++
				}
				if v != float64(j.V) || j.X-x < 0 || j.X-x > .0101 || j.Y-y < 0 || j.Y-y > .0101 {
					t.Errorf("picture %d: joint %d is %v, %v, %v, want %+v", i, k, x, y, v, j)
				}
			}
			if p.ID != at || p.NumKeypoints != n {
				t.Errorf("picture %d: person %d with %d joints, want %d with %d", i, p.ID, p.NumKeypoints, at, n)
			}
		}
		for _, c := range ex.Captions {
			if a := capt.Annotations[caption]; a.Caption != c || a.ImageID != i+1 {
				t.Errorf("picture %d: caption %+v, want %q", i, a, c)
			}
			caption++
		}
	}
	if len(inst.Annotations) != at || len(people.Annotations) != person || len(capt.Annotations) != caption || person == 0 {
		t.Errorf("%d, %d, %d annotations, want %d, %d, %d", len(inst.Annotations), len(people.Annotations), len(capt.Annotations), at, person, caption)
	}
	checkVQA(t, dir, src)
}

func checkVQA(t *testing.T, dir string, src dataset.Source) {
	var questions struct {
		Questions []struct {
			QuestionID int `json:"question_id"`
			ImageID    int `json:"image_id"`
			Question   string
		}
	}
	var answers struct {
		Annotations []struct {
			QuestionID   int    `json:"question_id"`
			QuestionType string `json:"question_type"`
			AnswerType   string `json:"answer_type"`
			Answers      []struct{ Answer string }
			Best         string `json:"multiple_choice_answer"`
		}
	}
	var paths map[string]string
	readJSON(t, &questions, dir, "questions_train.json")
	readJSON(t, &answers, dir, "annotations_train.json")
	readJSON(t, &paths, dir, "images_train.json")
	if len(questions.Questions) != 160 || len(answers.Annotations) != 160 || paths["20"] != "train/000020.png" {
		t.Fatalf("%d questions, %d answers, picture 20 is %q", len(questions.Questions), len(answers.Annotations), paths["20"])
	}
	for i := range 160 {
		ex, _ := src.At(i/8, nil)
		want := ex.Questions[i%8]
		q, a := questions.Questions[i], answers.Annotations[i]
		if q.Question != want.Text || q.ImageID != i/8+1 || q.QuestionID != a.QuestionID || len(a.Answers) != 10 || a.Answers[9].Answer != want.Answers[0] ||
			a.Best != want.Answers[0] || a.QuestionType != want.Type {
			t.Errorf("question %d: %+v %+v, want %+v", i, q, a, want)
		}
		if yes := a.Best == "yes" || a.Best == "no"; yes != (a.AnswerType == "yes/no") || (want.Type == Count) != (a.AnswerType == "number") {
			t.Errorf("question %d: %q is of type %q", i, a.Best, a.AnswerType)
		}
	}
}

// broken fails at one picture.
type broken struct{ *Source }

func (b broken) At(i int, rng *rand.Rand) (*dataset.Example, error) {
	if i == 3 {
		return nil, errors.New("disk on fire")
	}
	return b.Source.At(i, rng)
}

func TestExportLeavesNothingHalfDone(t *testing.T) {
	src := New(Config{N: 5})
	for _, c := range []struct {
		name, want string
		run        func(dir string) error
	}{
		{"source fails", "disk on fire", func(dir string) error { return Export(filepath.Join(dir, "x"), broken{src}, 5, nil) }},
		{"too many", "holds 5", func(dir string) error { return Export(filepath.Join(dir, "x"), src, 6, nil) }},
		{"bad split", "cannot name", func(dir string) error {
			return ExportSplits(filepath.Join(dir, "x"), []Split{{Name: "../y", Source: src, N: 1}}, nil)
		}},
	} {
		dir := t.TempDir()
		if err := c.run(dir); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.want)
		}
		if left, _ := os.ReadDir(dir); len(left) != 0 {
			t.Errorf("%s: left %v behind", c.name, left)
		}
	}
	dir := t.TempDir() // exists and is empty
	if err := Export(dir, src, 1, nil); err != nil {
		t.Error(err)
	}
	if err := Export(dir, src, 1, nil); err == nil || !strings.Contains(err.Error(), "holds files") {
		t.Errorf("export over files: %v", err)
	}
}

// TestExportSkips: what cannot be read is left out when that is allowed, and those after it have numbers without a gap.
func TestExportSkips(t *testing.T) {
	src := New(Config{N: 5})
	var said []error
	split := Split{Name: "train", Source: broken{src}, N: 5, Skip: func(err error) bool { said = append(said, err); return true }}
	dir := filepath.Join(t.TempDir(), "x")
	if err := ExportSplits(dir, []Split{split}, nil); err != nil {
		t.Fatal(err)
	}
	got, err := dataset.Open(dir, dataset.OpenOptions{})
	if err != nil || got.Len() != 4 || len(said) != 1 || said[0].Error() != "disk on fire" {
		t.Fatalf("%v, %v, said %v", got, err, said)
	}
	if pictures, err := filepath.Glob(filepath.Join(dir, "train", "00000[1-4].png")); err != nil || len(pictures) != 4 {
		t.Errorf("%q, %v", pictures, err)
	}
	want, err := src.At(4, nil)
	if err != nil {
		t.Fatal(err)
	}
	if last, err := got.At(3, nil); err != nil || !bytes.Equal(last.Image.Pix, want.Image.Pix) {
		t.Errorf("the last picture is another, %v", err)
	}
	split.Skip = func(error) bool { return false }
	if err := ExportSplits(filepath.Join(t.TempDir(), "y"), []Split{split}, nil); err == nil {
		t.Error("it was left out though that was not allowed")
	}
	split.Source, split.Skip = nothing{src}, func(error) bool { return true }
	empty := filepath.Join(t.TempDir(), "z")
	if err := ExportSplits(empty, []Split{split}, nil); err == nil || !strings.Contains(err.Error(), "no picture can be read") {
		t.Errorf("a set of nothing: %v", err)
	}
	if _, err := os.Stat(empty); !os.IsNotExist(err) {
		t.Errorf("it is there: %v", err)
	}
}

type nothing struct{ *Source }

func (nothing) At(int, *rand.Rand) (*dataset.Example, error) { return nil, errors.New("gone") }
