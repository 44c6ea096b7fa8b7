package scenes

import (
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/imageproc"
)

// Split is a part of a data set to be exported.
type Split struct {
	Name   string // "train", "val", …: the folder of its pictures and the end of its files' names
	Source dataset.Source
	N      int // pictures, taken from the source's start
	// Skip is told why an example cannot be read, and whether it may be left out; nil: that ends the export. A split of which
	// nothing is left does, too.
	Skip func(err error) bool
	// Named keeps the names that pictures have in the source, but for their ending, in place of numbers; a second picture of one
	// name gets a number behind it.
	Named bool
}

// Export writes the first n examples of a source as the split "train" of a new data set; see ExportSplits.
func Export(dir string, src dataset.Source, n int, progress func(done int)) error {
	return ExportSplits(dir, []Split{{Name: "train", Source: src, N: n}}, progress)
}

// ExportSplits writes examples to a new folder in the layouts of COCO and VQA v2:
//
//	dir/annotations/instances_train.json          boxes, masks (compressed run lengths), and "color"
//	dir/annotations/person_keypoints_train.json   the same for objects with joints
//	dir/annotations/captions_train.json
//	dir/questions_train.json  dir/annotations_train.json  dir/images_train.json (picture id → path)
//	dir/train/000001.png …
//
// Image ids count from 1 within a split. The folder appears complete or not at all: everything is written to a folder
// beside it, which is renamed at the end. A folder that exists is an error unless it is empty. progress, which may be nil,
// is told after each picture how many are done.
func ExportSplits(dir string, splits []Split, progress func(done int)) (err error) {
	dir = filepath.Clean(dir)
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("scenes: export to %q: the folder holds files already; name a new one", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("scenes: export: %w", err)
	}
	for _, s := range splits {
		if !filepath.IsLocal(s.Name) || filepath.Base(s.Name) != s.Name || s.Name == "annotations" || s.Name == "." {
			return fmt.Errorf("scenes: export: %q cannot name a split", s.Name)
		}
		if s.N < 0 || s.N > s.Source.Len() {
			return fmt.Errorf("scenes: export: %d pictures of %s, which holds %d", s.N, s.Source.Name(), s.Source.Len())
		}
	}
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return fmt.Errorf("scenes: export: %w", err)
	}
	tmp := fmt.Sprintf("%s.partial-%d", dir, os.Getpid())
	if err := os.Mkdir(tmp, 0o777); err != nil {
		return fmt.Errorf("scenes: export: %w", err)
	}
	defer func() {
		if err != nil {
			os.RemoveAll(tmp)
		}
	}()
	done := 0
	for _, s := range splits {
		if err := exportSplit(tmp, s, func() {
			if done++; progress != nil {
				progress(done)
			}
		}); err != nil {
			return fmt.Errorf("scenes: export %s: %w", s.Name, err)
		}
	}
	os.Remove(dir) // an empty folder; the rename fails if it is anything else
	if err := os.Rename(tmp, dir); err != nil {
		return fmt.Errorf("scenes: export: %w", err)
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("scenes: export: %w", err)
	}
	defer f.Close()
	_ = f.Sync() // not every file system can; the data is complete anyway
	return nil
}

func exportSplit(dir string, s Split, done func()) error {
	for _, sub := range []string{"annotations", s.Name} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o777); err != nil {
			return err
		}
	}
	files := [5]*jsonFile{}
	for i, name := range [5]string{"annotations/instances_", "annotations/person_keypoints_", "annotations/captions_", "questions_", "annotations_"} {
		list := "annotations"
		if name == "questions_" {
			list = "questions"
		}
		f, err := createJSON(filepath.Join(dir, filepath.FromSlash(name)+s.Name+".json"), list)
		if err != nil {
			return err
		}
		defer func() { _ = f.close() }() // finish has closed it unless something failed
		files[i] = f
	}
	w := &exporter{instances: files[0], keypoints: files[1], captions: files[2], questions: files[3], answers: files[4],
		paths: map[string]string{}, category: map[string]int{}, taken: map[string]bool{}}
	for i, c := range s.Source.Classes() {
		w.category[c] = i + 1
		w.categories = append(w.categories, map[string]any{"id": i + 1, "name": c, "supercategory": ""})
	}
	var skipped error
	for i := range s.N {
		ex, err := s.Source.At(i, nil)
		if err != nil && s.Skip != nil && s.Skip(err) {
			skipped = err
			done()
			continue
		}
		if err != nil {
			return err
		}
		id := len(w.images) + 1
		name := w.name(s, id, ex)
		if err := writePNG(filepath.Join(dir, s.Name, name), ex.Image); err != nil {
			return err
		}
		w.paths[fmt.Sprint(id)] = s.Name + "/" + name
		if err := w.example(id, name, ex); err != nil {
			return fmt.Errorf("%s: %w", ex.ID, err)
		}
		done()
	}
	if skipped != nil && len(w.images) == 0 {
		return fmt.Errorf("no picture can be read, the last one because: %w", skipped)
	}
	return w.finish(filepath.Join(dir, "images_"+s.Name+".json"), s)
}

func writePNG(path string, m *imageproc.RGB) error {
	im := image.NewRGBA(image.Rect(0, 0, m.W, m.H))
	for i := range m.W * m.H {
		copy(im.Pix[4*i:], m.Pix[3*i:3*i+3])
		im.Pix[4*i+3] = 255
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	return errors.Join(enc.Encode(f, im), f.Close())
}

// exporter writes the annotations of one split as they come; only the list of pictures is kept.
type exporter struct {
	instances, keypoints, captions, questions, answers *jsonFile
	images, categories                                 []map[string]any
	paths                                              map[string]string
	category                                           map[string]int
	taken                                              map[string]bool // names of files, in small letters, as some file systems compare them
	skeleton                                           *annotation.Skeleton
	objects, caption, question                         int
}

// name is what a picture's file is called.
func (w *exporter) name(s Split, id int, ex *dataset.Example) string {
	if !s.Named {
		return fmt.Sprintf("%06d.png", id)
	}
	stem := filepath.Base(filepath.FromSlash(ex.ID))
	stem = strings.TrimSuffix(stem, filepath.Ext(stem))
	name := stem + ".png"
	for k := 2; w.taken[strings.ToLower(name)]; k++ {
		name = fmt.Sprintf("%s-%d.png", stem, k)
	}
	w.taken[strings.ToLower(name)] = true
	return name
}

func (w *exporter) example(id int, name string, ex *dataset.Example) error {
	w.images = append(w.images, map[string]any{"id": id, "file_name": name, "width": ex.W, "height": ex.H})
	for _, o := range ex.Objects {
		if err := w.object(id, o); err != nil {
			return err
		}
	}
	for _, c := range ex.Captions {
		w.caption++
		if err := w.captions.add(map[string]any{"id": w.caption, "image_id": id, "caption": c}); err != nil {
			return err
		}
	}
	for _, q := range ex.Questions {
		w.question++
		if err := w.ask(id, q); err != nil {
			return err
		}
	}
	return nil
}

func (w *exporter) object(image int, o annotation.Object) error {
	w.objects++
	category := w.category[o.Label]
	if category == 0 {
		return fmt.Errorf("object of the unknown class %q", o.Label)
	}
	crowd := 0
	if o.Crowd {
		crowd = 1
	}
	a := map[string]any{"id": w.objects, "image_id": image, "category_id": category, "iscrowd": crowd, "area": o.Area,
		"bbox": []float64{o.Box.X0, o.Box.Y0, o.Box.W(), o.Box.H()}}
	if o.Area == 0 {
		a["area"] = o.Box.Area()
	}
	if o.Color != "" {
		a["color"] = o.Color
	}
	if o.Mask != nil {
		r := o.Mask.RLE()
		a["segmentation"] = map[string]any{"size": []int{r.H, r.W}, "counts": r.Compress()}
	}
	if err := w.instances.add(a); err != nil {
		return err
	}
	if o.Joints == nil {
		return nil
	}
	w.skeleton = o.Skeleton
	n, flat := 0, make([]float64, 0, 3*len(o.Joints))
	for _, j := range o.Joints {
		if j.V == annotation.Absent {
			flat = append(flat, 0, 0, 0)
			continue
		}
		n++
		flat = append(flat, round(j.X), round(j.Y), float64(j.V))
	}
	a["keypoints"], a["num_keypoints"] = flat, n
	return w.keypoints.add(a)
}

// round keeps a hundredth of a pixel.
func round(v float64) float64 { return math.Floor(v*100) / 100 } // down: a joint stays inside the picture

// ask writes a question and its answers; like VQA v2 it gives ten, repeating what there is.
func (w *exporter) ask(image int, q annotation.Question) error {
	if len(q.Answers) == 0 {
		return fmt.Errorf("question %q has no answer", q.Text)
	}
	answers := make([]map[string]any, max(len(q.Answers), 10))
	for i := range answers {
		answers[i] = map[string]any{"answer": q.Answers[i*len(q.Answers)/len(answers)], "answer_confidence": "yes", "answer_id": i + 1}
	}
	kind := "other"
	switch {
	case q.Answers[0] == "yes" || q.Answers[0] == "no":
		kind = "yes/no"
	case q.Type == Count:
		kind = "number"
	}
	return errors.Join(
		w.questions.add(map[string]any{"question_id": w.question, "image_id": image, "question": q.Text}),
		w.answers.add(map[string]any{"question_id": w.question, "image_id": image, "question_type": q.Type, "answer_type": kind,
			"multiple_choice_answer": q.Answers[0], "answers": answers}))
}

func (w *exporter) finish(pathsFile string, s Split) error {
	info := map[string]any{"description": fmt.Sprintf("%s: %d pictures", s.Source.Name(), len(w.images))}
	coco := map[string]any{"info": info, "licenses": []any{}, "images": w.images, "categories": w.categories}
	people := map[string]any{"info": info, "licenses": []any{}, "images": w.images, "categories": w.jointed()}
	vqa := map[string]any{"info": info, "data_subtype": s.Name}
	paths, err := json.Marshal(w.paths)
	if err != nil {
		return err
	}
	return errors.Join(w.instances.finish(coco), w.keypoints.finish(people), w.captions.finish(map[string]any{"info": info, "images": w.images}),
		w.questions.finish(vqa), w.answers.finish(vqa), os.WriteFile(pathsFile, paths, 0o666))
}

// jointed is the categories with the names of the joints added to person, the only one with joints.
func (w *exporter) jointed() []map[string]any {
	if w.skeleton == nil {
		return w.categories
	}
	out := make([]map[string]any, len(w.categories))
	for i, c := range w.categories {
		out[i] = c
		if c["name"] == Person {
			bones := make([][2]int, len(w.skeleton.Bones))
			for j, b := range w.skeleton.Bones {
				bones[j] = [2]int{b[0] + 1, b[1] + 1}
			}
			out[i] = map[string]any{"id": c["id"], "name": Person, "supercategory": "", "keypoints": w.skeleton.Joints, "skeleton": bones}
		}
	}
	return out
}
