package fovea

import (
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"fovea/annotation"
	"fovea/dataset/scenes"
	"fovea/imageproc"
	"fovea/internal/testmodel"
	"fovea/task"
)

func tiny(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tiny")
	if err := testmodel.Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func scene(t testing.TB, i, size int) *imageproc.RGB {
	t.Helper()
	ex, err := scenes.New(scenes.Config{Seed: 5, N: i + 1, Size: size}).At(i, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ex.Image
}

func TestOpen(t *testing.T) {
	dir := tiny(t)
	p, err := Open(background, dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if c := p.Card(); c.Name != "tiny" || c.Parameters < 1000 || !c.Tasks.Has(task.Pose) || c.Size != 64 {
		t.Errorf("%+v", c)
	}
	file := filepath.Join(dir, "config.json")
	empty := t.TempDir()
	for name, code := range map[string]string{"nosuch": "model.missing", file: "model.unreadable", empty: "model.unreadable"} {
		if _, err := Open(background, name); Code(err) != code {
			t.Errorf("%s: %v (code %s), want %s", name, err, Code(err), code)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "model.safetensors"), []byte("damaged"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(background, dir); Code(err) != "model.unreadable" {
		t.Errorf("damaged weights: %v", err)
	}
}

// What is asked for beside a task, before it, or at the same time does not change its answer.
func TestAnswersDoNotDependOnTheRest(t *testing.T) {
	p, err := Open(background, tiny(t), WithRunners(3))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	img := scene(t, 0, 90)
	ask := func(tasks task.Set, query ...string) *Result {
		r, err := p.Do(background, Request{Image: img, Tasks: tasks, Threshold: 1e-4, Questions: []string{"what is it ?"}, Query: query, Top: -1})
		if err != nil {
			t.Error(err)
			return &Result{}
		}
		return r
	}
	all := ask(p.Card().Tasks)
	if len(all.Objects) == 0 || len(all.People) == 0 {
		t.Fatalf("nothing found: %+v", all)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			ask(task.SetOf(task.Detect), []string{"blue zebra", "Tall_Tree", "quick fox"}[i%3]) // new names
			for name, same := range map[string]bool{
				"classes": reflect.DeepEqual(ask(task.SetOf(task.Classify)).Classes, all.Classes),
				"objects": reflect.DeepEqual(ask(task.SetOf(task.Segment)).Objects, all.Objects),
				"people":  reflect.DeepEqual(ask(task.SetOf(task.Pose)).People, all.People),
				"answers": reflect.DeepEqual(ask(task.SetOf(task.Ask)).Answers, all.Answers),
				"caption": reflect.DeepEqual(ask(task.SetOf(task.Caption)).Caption, all.Caption),
				"vector":  reflect.DeepEqual(ask(task.SetOf(task.Match)).Vector, all.Vector),
			} {
				if !same {
					t.Errorf("%s differ", name)
				}
			}
		})
	}
	wg.Wait()
}

// A thing that is asked for competes with the model's own labels, unless it is one of them in other words.
func TestQueryCompetes(t *testing.T) {
	p, err := Open(background, tiny(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	best := func(query ...string) float64 {
		r, err := p.Do(background, Request{Image: scene(t, 0, 64), Tasks: task.SetOf(task.Detect), Threshold: 1e-9, Query: query, Max: 1})
		if err != nil || len(r.Objects) != 1 || r.Objects[0].Label != query[0] {
			t.Fatalf("%v: %+v, %v", query, r, err)
		}
		return r.Objects[0].Score
	}
	own, err := p.Do(background, Request{Image: scene(t, 0, 64), Tasks: task.SetOf(task.Detect), Threshold: 1e-9, Max: MaxObjects})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range own.Objects {
		if o.Label == "circle" {
			if got := best("circle"); got != o.Score {
				t.Errorf("circle alone scores %g, among all labels %g", got, o.Score)
			}
			break
		}
	}
	if got := best("Red_Circle"); got <= 0 {
		t.Errorf("an open label scores %g", got)
	}
}

// A runner forgets the names of old requests instead of growing without bound.
func TestNamesAreForgotten(t *testing.T) {
	m, err := testmodel.New(1)
	if err != nil {
		t.Fatal(err)
	}
	r := native{m, "tiny"}.NewRunner(1).(*nativeRunner)
	before := len(m.Names.List)
	var words []string
	for i := range maxNames + 1 {
		words = append(words, "thing "+string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676)))
	}
	r.wanted(words)
	if n := len(r.model.Names.List); n != before+maxNames+1 {
		t.Fatalf("%d names", n)
	}
	if _, err := r.Encode(scene(t, 0, 64)); err != nil {
		t.Fatal(err)
	}
	if n := len(r.model.Names.List); n != before || len(m.Names.List) != before {
		t.Errorf("the runner has %d names and the model %d, want %d", n, len(m.Names.List), before)
	}
}

// However many people a request wants, only the best of them are looked at a second time: the others have the joints of one look.
func TestFewAreLookedAtTwice(t *testing.T) {
	if testing.Short() {
		t.Skip("it encodes some twenty pictures")
	}
	p, err := Open(background, "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	joints := func(once bool) map[annotation.Box][]annotation.Joint {
		r, err := p.Do(background, Request{Image: scene(t, 0, 256), Tasks: task.SetOf(task.Pose), Threshold: 1e-9, Overlap: 1, Max: 40, NoZoom: once})
		if err != nil {
			t.Fatal(err)
		}
		out := map[annotation.Box][]annotation.Joint{}
		for _, q := range r.People {
			out[q.Box] = q.Joints
		}
		return out
	}
	once, twice, changed := joints(true), joints(false), 0
	for box, j := range twice {
		if !reflect.DeepEqual(j, once[box]) {
			changed++
		}
	}
	if len(twice) <= closerLooks || changed == 0 || changed > closerLooks {
		t.Errorf("%d people were looked at twice of %d, want 1 to %d", changed, len(twice), closerLooks)
	}
}
