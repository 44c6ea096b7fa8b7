package dataset

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fovea/annotation"
)

// sound checks what every example must keep, whatever its files say. It returns the examples that could be read.
func sound(t *testing.T, s Source) (read int, failed []error) {
	t.Helper()
	classes := map[string]bool{}
	for _, c := range s.Classes() {
		if c == "" || classes[c] {
			t.Errorf("%s: class %q is empty or repeated", s.Name(), c)
		}
		classes[c] = true
	}
	for i := range s.Len() {
		ex, err := s.At(i, nil)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		read++
		if ex.W != ex.Image.W || ex.H != ex.Image.H || ex.Labels&^s.Labels() != 0 {
			t.Errorf("%s: %d × %d with a picture of %d × %d, labels %b of %b", ex.ID, ex.W, ex.H, ex.Image.W, ex.Image.H, ex.Labels, s.Labels())
		}
		if ex.Class != "" && !classes[ex.Class] {
			t.Errorf("%s: class %q is not listed", ex.ID, ex.Class)
		}
		for _, o := range ex.Objects {
			soundObject(t, ex, o, classes)
		}
		for _, q := range ex.Questions {
			if q.Text == "" || len(q.Answers) == 0 || q.Answers[0] == "" {
				t.Errorf("%s: question %+v", ex.ID, q)
			}
		}
		for _, c := range ex.Captions {
			if strings.TrimSpace(c) == "" {
				t.Errorf("%s: an empty caption", ex.ID)
			}
		}
	}
	return read, failed
}

func soundObject(t *testing.T, ex *Example, o annotation.Object, classes map[string]bool) {
	t.Helper()
	if !classes[o.Label] || o.Box.Empty() || !o.Box.Finite() || o.Box != o.Box.Clip(float64(ex.W), float64(ex.H)) {
		t.Errorf("%s: object %q with the box %v in %d × %d", ex.ID, o.Label, o.Box, ex.W, ex.H)
	}
	if o.Mask != nil && (o.Mask.W != ex.W || o.Mask.H != ex.H || o.Mask.Area() == 0) {
		t.Errorf("%s: mask of %d × %d", ex.ID, o.Mask.W, o.Mask.H)
	}
	if o.Mask == nil && !o.Crowd && ex.Labels&HasMasks != 0 {
		t.Errorf("%s: an object without a mask among complete masks", ex.ID)
	}
	if o.Joints != nil && (o.Skeleton == nil || len(o.Joints) != len(o.Skeleton.Joints)) {
		t.Errorf("%s: %d joints of %v", ex.ID, len(o.Joints), o.Skeleton)
	}
	for _, j := range o.Joints {
		if j.V > annotation.Visible || j.V != annotation.Absent && !(j.X >= 0 && j.Y >= 0 && j.X < float64(ex.W) && j.Y < float64(ex.H)) {
			t.Errorf("%s: joint %+v", ex.ID, j)
		}
	}
}

var (
	numberInJSON = regexp.MustCompile(`[:\[,]-?[0-9.]+`)
	textInJSON   = regexp.MustCompile(`:"[^"]*"`)
)

// TestDamage spoils each file of small sets in many ways. Nothing may panic, what is left must be sound, and the damage
// must be named, by the error or the report, wherever it cannot be mistaken for data.
func TestDamage(t *testing.T) {
	sets := map[string]files{"coco": smallCOCO(), "vqa": smallVQA(), "jsonl": smallJSONL(), "pairs": smallPairs(),
		"folder": {"train/a/1.png": "4×4", "train/b/2.png": "4×4", "classnames.json": `{"a":"x","b":"y"}`}}
	for name, fs := range sets {
		t.Run(name, func(t *testing.T) {
			dir := fs.write(t)
			rng := rand.New(rand.NewPCG(1, 2))
			n := 0
			for file := range fs {
				path := filepath.Join(dir, filepath.FromSlash(file))
				whole, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				for _, d := range damages(whole, filepath.Ext(file), rng) {
					n++
					if err := os.WriteFile(path, d.content, 0o666); err != nil {
						t.Fatal(err)
					}
					named := judge(t, dir)
					if d.certain && !strings.Contains(named, filepath.Base(file)) && !strings.Contains(named, filepath.Base(strings.TrimSuffix(file, ".json"))) {
						t.Errorf("%s: %s: not named by %q", file, d.what, named)
					}
				}
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				judge(t, dir)
				if err := os.WriteFile(path, whole, 0o666); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d kinds of damage", n)
			if named := judge(t, dir); named != "" {
				t.Errorf("the set is whole again, but %q", named)
			}
		})
	}
}

// judge opens the set, checks it and returns everything that was said against it.
func judge(t *testing.T, dir string) string {
	t.Helper()
	s, err := Open(dir, OpenOptions{})
	if err != nil {
		return err.Error()
	}
	_, failed := sound(t, s)
	var b strings.Builder
	for _, f := range s.(*set).Report().Faults() {
		fmt.Fprintln(&b, f)
	}
	for _, err := range failed {
		fmt.Fprintln(&b, err)
	}
	return b.String()
}

type damage struct {
	what    string
	content []byte
	certain bool // no reader could take it for sound
}

func damages(whole []byte, ext string, rng *rand.Rand) []damage {
	out := []damage{{"empty", nil, ext == ".png"}}
	for i := range 12 {
		cut := whole[:len(whole)*(i+1)/14]
		out = append(out, damage{fmt.Sprintf("cut at %d of %d", len(cut), len(whole)), cut, ext == ".png" || ext == ".json"})
	}
	for range 12 {
		at := rng.IntN(len(whole))
		flipped := bytes.Clone(whole)
		flipped[at] ^= 1 << rng.IntN(8)
		out = append(out, damage{fmt.Sprintf("bit flipped at %d", at), flipped, false})
	}
	if ext != ".json" && ext != ".jsonl" {
		return out
	}
	for _, value := range []string{"NaN", "null", "-7", "1e300", `"x"`, "[]", "{}", "true", "99999999999999999999"} {
		for range 4 {
			out = append(out, replaced(whole, numberInJSON, value, rng))
		}
	}
	for _, value := range []string{"null", "5", `""`, `"../../x"`, "[]", `"\u0000"`} {
		for range 3 {
			out = append(out, replaced(whole, textInJSON, value, rng))
		}
	}
	return out
}

// replaced puts a value in the place of a random match, after its first character.
func replaced(whole []byte, what *regexp.Regexp, value string, rng *rand.Rand) damage {
	found := what.FindAllIndex(whole, -1)
	if len(found) == 0 {
		return damage{"nothing to replace", whole, false}
	}
	m := found[rng.IntN(len(found))]
	content := append(append(bytes.Clone(whole[:m[0]+1]), value...), whole[m[1]:]...)
	return damage{fmt.Sprintf("%s for %s at %d", value, whole[m[0]+1:m[1]], m[0]), content, false}
}

// fuzzBuilder knows two pictures and no more.
func fuzzBuilder() *builder {
	b := newBuilder("/set", "train", OpenOptions{})
	b.folders["/set"] = map[string]bool{"a.png": true, "b.png": true}
	for _, d := range []string{"/set/train", "/set/images", "/set/sub", "/"} {
		b.folders[d] = map[string]bool{}
	}
	return b
}

// soundRecords draws every object as At would for a picture of the stated size.
func soundRecords(t *testing.T, b *builder) {
	for _, r := range b.records {
		w, h := r.w, r.h
		if w == 0 || w > 64 || h > 64 {
			w, h = 20, 10
		}
		ex := &Example{ID: r.id, Labels: r.labels &^ HasMasks, Picture: annotation.Picture{W: w, H: h}}
		classes := map[string]bool{}
		for _, c := range b.classes {
			classes[c] = true
		}
		for i := range r.objects {
			if o, ok := r.objects[i].place(w, h); ok {
				soundObject(t, ex, o, classes)
			}
		}
	}
	if _, err := b.report.WriteTo(io.Discard); err != nil {
		t.Error(err)
	}
}

func FuzzCOCO(f *testing.F) {
	for _, c := range smallCOCO() {
		f.Add([]byte(c))
	}
	f.Add([]byte(`{"annotations":[{"image_id":NaN,"segmentation":{"size":[1,2],"counts":"00"}}],"images":[{"id":"x","file_name":"a.png"}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := fuzzBuilder()
		c := newCOCO(b, "x.json", false)
		if c.parse(newJSON("x.json", bytes.NewReader(raw))) == nil && c.link("/set") == nil {
			soundRecords(t, b)
		}
	})
}

func FuzzVQA(f *testing.F) {
	v := smallVQA()
	f.Add([]byte(v["questions_train.json"]), []byte(v["annotations_train.json"]))
	f.Fuzz(func(t *testing.T, questions, answers []byte) {
		b := fuzzBuilder()
		known, err := b.parseAnswers(newJSON("a.json", bytes.NewReader(answers)), "a.json")
		if err != nil {
			return
		}
		find := func(id string) (string, bool) { return "/set/a.png", id == "1" }
		if b.parseQuestions(newJSON("q.json", bytes.NewReader(questions)), "q.json", known, find) != nil {
			return
		}
		for _, r := range b.records {
			for _, q := range r.questions {
				if q.Text == "" || len(q.Answers) == 0 {
					t.Errorf("question %+v", q)
				}
			}
		}
	})
}

func FuzzJSONL(f *testing.F) {
	f.Add([]byte(smallJSONL()["train.jsonl"]))
	f.Add([]byte(`{"image":"a.png","objects":[{"label":"x","mask":{"size":[10,20],"counts":[0,200]}}]}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		b := fuzzBuilder()
		if b.lines("/set/train.jsonl", bytes.NewReader(raw)) == nil {
			soundRecords(t, b)
		}
	})
}

// FuzzNaNFilter compares the filter with a plain replacement on texts without strings, and wants texts without the words
// to pass unchanged.
func FuzzNaNFilter(f *testing.F) {
	f.Add([]byte(`[NaN,-Infinity,Infinity,-5]`), 3)
	f.Add([]byte(`{"a\"NaN":"NaN",  "b":-1}`), 1)
	f.Fuzz(func(t *testing.T, raw []byte, size int) {
		got, err := io.ReadAll(newFilter(smallReads{bytes.NewReader(raw), size&7 + 1}))
		if err != nil {
			t.Fatal(err)
		}
		want := raw
		if !bytes.ContainsRune(raw, '"') {
			want = []byte(strings.NewReplacer("-Infinity", "null", "Infinity", "null", "NaN", "null").Replace(string(raw)))
		} else if bytes.Contains(raw, []byte("NaN")) || bytes.Contains(raw, []byte("Infinity")) {
			return
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%q became %q, want %q", raw, got, want)
		}
	})
}

// smallReads gives a few bytes at a time.
type smallReads struct {
	r io.Reader
	n int
}

func (s smallReads) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), s.n)]) }

func TestNaNInStringsStays(t *testing.T) {
	raw := `{"a \"NaN\" \\":"NaN, Infinity","b":[NaN,-Infinity,-1]}`
	got, err := io.ReadAll(newFilter(strings.NewReader(raw)))
	if want := `{"a \"NaN\" \\":"NaN, Infinity","b":[null,null,-1]}`; err != nil || string(got) != want {
		t.Errorf("%s, want %s (%v)", got, want, err)
	}
}
