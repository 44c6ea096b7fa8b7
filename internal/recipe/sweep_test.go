package recipe

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const sweptRecipe = `
model: {variant: tiny}
data: [{task: detect, scenes: 100, seed: 1}]
eval: [{task: detect, scenes: 5, seed: 2}]
train: {epochs: 3, lr: 1e-3}
augment: {flip: 0.5, scale: [0.5, 2], translate: 1, color: 0.4, min_visible: 0.4, aspect: 0, grey: 0, noise: 0, blur: 0}
`

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSweep: every recipe is trained in every way with every seed; what a way does not name stays as the recipe says.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", sweptRecipe)
	write(t, dir, "b.yaml", sweptRecipe)
	file := write(t, dir, "sweep.yaml", `
bases: [a.yaml, b.yaml]
common: {train: {epochs: 2}}
seeds: [7, 8]
metrics: [box AP, mIoU, class top1]
vary: {plain: {}, fast: {train: {lr: 4e-3}, augment: {flip: 0}}, other data: {data: [{task: detect, scenes: 50, seed: 3}, {task: ask, scenes: 60, seed: 4}]}}
`)
	s, err := LoadSweep(file, "out")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Runs) != 12 {
		t.Fatalf("%d runs, want 12", len(s.Runs))
	}
	for i, want := range []struct {
		out  string
		lr   float64
		flip float64
		data int
	}{{"a/plain-7", 1e-3, .5, 1}, {"a/plain-8", 1e-3, .5, 1}, {"a/fast-7", 4e-3, 0, 1}, {"a/fast-8", 4e-3, 0, 1}, {"a/other data-7", 1e-3, .5, 2}} {
		c := s.Runs[i].Config
		if c.Out != filepath.Join("out", filepath.FromSlash(want.out)) || c.Train.LR != want.lr || c.Augment.Flip != want.flip || len(c.Data) != want.data || c.Train.Epochs != 2 || c.Augment.Color != .4 {
			t.Errorf("run %d is %+v, want %+v", i, c, want)
		}
	}
	write(t, dir, "one.yaml", "bases: [a.yaml]\nseeds: [7]\nvary: {plain: {}}")
	if one, err := LoadSweep(filepath.Join(dir, "one.yaml"), "out"); err != nil || one.Runs[0].Config.Out != s.Runs[0].Config.Out {
		t.Errorf("with one seed: %+v, %v; it is not found again when others join it", one, err)
	}
	metrics := map[string]float64{"z box AP": 1, "a box AP": 2, "a box AP50": 3, "a class top1": 4}
	if got := s.Pick(metrics, []string{"box AP50"}); !slices.Equal(got, []string{"a box AP", "a class top1"}) {
		t.Errorf("compares %q", got)
	}
	if s.Metrics = nil; !slices.Equal(s.Pick(metrics, []string{"mIoU", "class top1", "box AP"}), []string{"a class top1"}) || s.Pick(metrics, []string{"mIoU"}) != nil {
		t.Error("the default is not the first that is known")
	}
}

// TestSweepOfAugmentations: none, every transform alone, and all.
func TestSweepOfAugmentations(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", sweptRecipe)
	s, err := LoadSweep(write(t, dir, "sweep.yaml", "bases: [a.yaml]\nvary: augmentations"), "out")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range s.Runs {
		names = append(names, r.Name)
	}
	a := func(i int) any { return s.Runs[i].Config.Augment }
	if strings.Join(names, " ") != "none flip scale color all" || s.Runs[0].Config.Augment.Flip != 0 || s.Runs[1].Config.Augment.Flip != .5 ||
		s.Runs[1].Config.Augment.Color != 0 || s.Runs[2].Config.Augment.Scale != [2]float64{.5, 2} || s.Runs[2].Config.Augment.Translate != 1 || s.Runs[4].Config.Augment.MinVisible != .4 {
		t.Errorf("%v: %+v %+v %+v %+v %+v", names, a(0), a(1), a(2), a(3), a(4))
	}
}

// TestSweepFinished: a run that has ended is not trained again; one with other settings in its place is an error, not a result.
func TestSweepFinished(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", sweptRecipe)
	file := write(t, dir, "sweep.yaml", "bases: [a.yaml]")
	open := func() *SweepRun {
		s, err := LoadSweep(file, dir)
		if err != nil {
			t.Fatal(err)
		}
		return &s.Runs[0]
	}
	r := open()
	if _, ended, err := r.Finished(); ended || err != nil {
		t.Fatalf("ended before it began: %v", err)
	}
	if err := os.MkdirAll(r.Config.Out, 0o755); err != nil {
		t.Fatal(err)
	}
	r.Config.Train.Replicas = 2 // what a machine decides is no setting
	if _, err := r.Finish(map[string]float64{"x box AP": .5}, 9); err != nil {
		t.Fatal(err)
	}
	if got, ended, err := open().Finished(); !ended || err != nil || got.Metrics["x box AP"] != .5 || got.Seconds != 9 {
		t.Errorf("%+v, %v, %v", got, ended, err)
	}
	write(t, dir, "a.yaml", strings.Replace(sweptRecipe, "lr: 1e-3", "lr: 2e-3", 1))
	if _, _, err := open().Finished(); err == nil || !strings.Contains(err.Error(), "other settings") {
		t.Errorf("%v", err)
	}
}

// TestSweepRefuses: what is wrong in the file is named.
func TestSweepRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.yaml", sweptRecipe)
	write(t, dir, "blind.yaml", strings.Replace(sweptRecipe, "eval:", "#", 1))
	for text, want := range map[string]string{
		"vary: {}":                   "bases",
		sweptRecipe:                  "it is a recipe, which fovea train takes; a sweep names recipes under bases",
		"bases: [a.yaml]\nvarry: {}": `did you mean "vary"`,
		"bases: [none.yaml]":         "none.yaml",
		"bases: [a.yaml]\nvary: {x: {train: {learning: 1}}}":           `unknown key "train.learning"`,
		"bases: [a.yaml]\nvary: {x: {train: {lr: -1}}}":                "train.lr",
		"bases: [a.yaml]\nvary: {../x: {}}":                            "want another",
		"bases: [a.yaml]\nvary: [1, 2]":                                "augmentations",
		"bases: [a.yaml]\nvary: {x: 3}":                                "keys of a recipe",
		"bases: [a.yaml, a.yaml]":                                      "two recipes",
		"bases: [blind.yaml]":                                          "measures nothing",
		"bases: [a.yaml]\ncommon: {augment: {flip: 2}}\nvary: {x: {}}": "flip is 2",
	} {
		_, err := LoadSweep(write(t, dir, "sweep.yaml", text), "out")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if _, err := Parse([]byte("bases: [a.yaml]\nvary: {x: {}}")); err == nil || !strings.Contains(err.Error(), "fovea sweep") {
		t.Errorf("a sweep as a recipe: %v", err)
	}
}
