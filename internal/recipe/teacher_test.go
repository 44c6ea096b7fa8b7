package recipe

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fovea/autograd"
	"fovea/checkpoint"
	"fovea/imageproc"
	"fovea/nn"
	"fovea/task"
)

// writeTeacher writes an EfficientNet-Lite0 with random weights that knows four classes.
func writeTeacher(t *testing.T) string {
	t.Helper()
	dir, rng := t.TempDir(), rand.New(rand.NewPCG(1, 2))
	net := &struct {
		Maps *nn.Lite  `weight:"net"`
		Wide *nn.Dense `weight:"head"`
		Head *nn.Dense `weight:"classifier"`
	}{nn.NewLite(rng), nn.NewDense(rng, nn.Lite32, 1280, true), nn.NewDense(rng, 1280, 4, true)}
	for _, p := range nn.Params(net) {
		if p.Kind == autograd.Vector {
			nn.Normal(rng, p, .1)
		}
	}
	if err := checkpoint.Write(filepath.Join(dir, "model.safetensors"), nn.Params(net), checkpoint.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{
		"config.json":              map[string]any{"architectures": []string{"EfficientNetLiteForImageClassification"}, "id2label": map[string]string{"0": "tabby", "1": "beagle", "2": "Persian cat", "3": "acorn"}},
		"preprocessor_config.json": map[string]any{"size": map[string]int{"shortest_edge": 64}, "crop_size": 64, "image_mean": []float64{.5, .5, .5}, "image_std": []float64{.5, .5, .5}},
	} {
		b, _ := json.Marshal(v)
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func writeText(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "names.tsv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTeacher: a teacher's classes of one name are one class, whose probabilities add up; what it sees of an augmented picture is
// what the sample teaches, among all classes that the model knows.
func TestTeacher(t *testing.T) {
	dir, names := writeTeacher(t), writeText(t, "# kinds\ntabby\tcat\n\nPersian cat\tcat\nbeagle\tdog\n")
	plain, err := openTeacher(dir, "", task.SetOf(task.Classify))
	if err != nil {
		t.Fatal(err)
	}
	kinds, err := openTeacher(dir, names, task.SetOf(task.Classify))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"cat", "dog", "acorn"}; !slices.Equal(kinds.classes, want) {
		t.Fatalf("classes %q, want %q", kinds.classes, want)
	}
	img := imageproc.NewRGB(64, 64)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range img.Pix {
		img.Pix[i] = uint8(rng.Uint32())
	}
	share := func(x *teacher) map[string]float64 {
		out, sum := map[string]float64{}, 0.
		seen, err := x.look(img)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range seen.classes {
			out[s.Class] = s.Weight
			sum += s.Weight
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("shares add up to %g", sum)
		}
		return out
	}
	one, all := share(kinds), share(plain)
	if got, want := one["cat"], all["tabby"]+all["Persian cat"]; math.Abs(got-want) > 1e-9 || want == 0 {
		t.Errorf("a cat by %g, want %g", got, want)
	}

	folder := t.TempDir()
	writePhotos(t, folder, 2)
	c, err := Parse(fmt.Appendf(nil, `
model: {variant: tiny}
data:
  - {task: detect, path: %q, teacher: %q, teacher_names: %q}
  - {task: classify, scenes: 4}
train: {batch: 2, epochs: 1}
out: %q
`, filepath.Join(folder, "data.jsonl"), dir, names, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for k := range 8 {
		if r.sampler.mix.At(k).Source != 0 {
			s, err := r.sampler.next(k)
			if err != nil {
				t.Fatal(err)
			}
			if acorn, _ := r.Model.Names.Find("acorn"); !slices.Contains(s.ClassChoices, acorn) {
				t.Error("what the teacher can say is no wrong answer to a scene")
			}
			continue
		}
		s, err := r.sampler.next(k)
		if err != nil {
			t.Fatal(err)
		}
		seen, err := kinds.look(s.Image)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Class) != len(seen.classes) || len(seen.classes) == 0 {
			t.Fatalf("%d classes are taught, the teacher sees %d", len(s.Class), len(seen.classes))
		}
		for i, c := range s.Class {
			if name := r.Model.Names.List[c.Name]; name != seen.classes[i].Class || c.Weight != float32(seen.classes[i].Weight) {
				t.Errorf("%s by %g is taught, the teacher sees %s by %g", name, c.Weight, seen.classes[i].Class, seen.classes[i].Weight)
			}
		}
		if len(s.ClassChoices) <= len(kinds.classes) {
			t.Errorf("%d choices: the classes of scenes are not among them", len(s.ClassChoices))
		}
		if !s.Boxes {
			t.Error("boxes are taught no more")
		}
	}
	if p, err := r.Plan(); err != nil || !slices.Contains(p.Data[0].Tasks, task.Classify.String()) {
		t.Errorf("the plan says %q, %v", p.Data[0].Tasks, err)
	}
}

// TestTeacherOfOurOwn: the program's own model teaches names and boxes on photographs without any labels, and what it is not sure of is
// taught to be neither an object nor background.
func TestTeacherOfOurOwn(t *testing.T) {
	folder := t.TempDir()
	park, err := os.ReadFile("../../examples/park.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "park.png"), park, 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Parse(fmt.Appendf(nil, "model: {variant: mini}\ndata:\n  - {path: %q, teacher: nano, teaches: [classify, detect]}\ntrain: {batch: 2, epochs: 1}\naugment: {flip: 0}\nout: %q\n", folder, t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(c, Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.sampler.next(0)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := r.sampler.sources[0].teacher.look(s.Image)
	if err != nil {
		t.Fatal(err)
	}
	people, certain, doubted := 0, 0, 0
	for _, o := range seen.objects {
		if o.Crowd {
			doubted++
		} else {
			certain++
		}
		if o.Crowd != (o.Score < sure) || o.Score < doubt {
			t.Errorf("%s by %g, crowd %v", o.Label, o.Score, o.Crowd)
		}
	}
	for _, o := range s.Objects {
		if r.Model.Names.List[o.Name] == "person" && o.Mask != nil {
			people++
		}
	}
	if !s.Boxes || len(s.Objects) != certain || len(s.Ignore) != doubted || people == 0 {
		t.Errorf("%d objects of %d, %d places without a lesson of %d, %d people with a mask", len(s.Objects), certain, len(s.Ignore), doubted, people)
	}
	if len(s.Class) == 0 || r.Model.Names.List[s.Class[0].Name] != seen.classes[0].Class || len(s.ClassChoices) != len(r.Model.Config.Classes) {
		t.Errorf("%d classes of %d choices are taught", len(s.Class), len(s.ClassChoices))
	}
	if !slices.Contains(r.Model.Config.Labels, "person") || len(s.Candidates) != len(r.Model.Config.Labels)+1 {
		t.Errorf("%d candidates among the labels %q", len(s.Candidates), r.Model.Config.Labels)
	}
}

// writePhotos writes a data set of n pictures with one box each.
func writePhotos(t *testing.T, dir string, n int) {
	t.Helper()
	var lines strings.Builder
	for i := range n {
		img := imageproc.NewRGB(80, 60)
		for p := range img.Pix {
			img.Pix[p] = uint8(p * (i + 3))
		}
		name := fmt.Sprintf("%d.png", i)
		if err := imageproc.Save(filepath.Join(dir, name), img); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&lines, `{"image":%q,"objects":[{"label":"thing","box":[10,10,30,30]}]}`+"\n", name)
	}
	if err := os.WriteFile(filepath.Join(dir, "data.jsonl"), []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTeacherRefused: what cannot teach is named.
func TestTeacherRefused(t *testing.T) {
	dir := writeTeacher(t)
	for _, c := range []struct{ model, names, want string }{
		{filepath.Join(t.TempDir(), "none"), "", "no model"},
		{dir, writeText(t, "poodle\tdog\n"), "none of the classes"},
		{dir, filepath.Join(t.TempDir(), "none.tsv"), "no such file"},
	} {
		if _, err := openTeacher(c.model, c.names, task.SetOf(task.Classify)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s with %s: %v, want %q", c.model, c.names, err, c.want)
		}
	}
	for yaml, want := range map[string]string{
		`{task: classify, scenes: 4, teaches: detect}`:                     "name it in teacher",
		`{scenes: 4, teacher: ` + dir + `, teaches: pose}`:                 "teaches classify and detect",
		"{scenes: 4}\neval:\n  - {task: classify, path: x, teacher: nano}": "a teacher looks at",
		"{scenes: 4}": "give a task",
		`{task: classify, path: x, teacher_names: y.tsv}`: "name it in teacher",
	} {
		if _, err := Parse([]byte("data:\n  - " + yaml)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", yaml, err, want)
		}
	}
}
