package recipe

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"fovea/annotation"
	"fovea/dataset"
	"fovea/dataset/scenes"
	"fovea/internal/testmodel"
	"fovea/model/unified"
	"fovea/task"
)

var everything = task.SetOf(task.Classify, task.Detect, task.Segment, task.Pose, task.Ask, task.Caption)

func TestOverlay(t *testing.T) {
	mask := func(pix ...uint8) *annotation.Bitmap { return &annotation.Bitmap{W: 3, H: 2, Pix: pix} }
	got := overlay([]annotation.Object{
		{Label: "cat", Mask: mask(1, 1, 0, 0, 0, 0)}, {Label: "dog", Mask: mask(0, 1, 1, 0, 0, 1)}, {Label: "boat", Mask: mask(1, 1, 1, 1, 1, 1)}, {Label: "cat"},
	}, map[string]uint8{"dog": 0, "cat": 4}, 3, 2)
	const void = annotation.Void
	if want := []uint8{4, 4, 0, void, void, 0}; !slices.Equal(got.Pix, want) {
		t.Errorf("%v, want %v", got.Pix, want)
	}
}

// TestEvaluation: every task that the data have labels for has its metrics, captions among them.
func TestEvaluation(t *testing.T) {
	m, err := testmodel.New(1)
	if err != nil {
		t.Fatal(err)
	}
	e := Evaluation{Name: "scenes", Source: scenes.New(scenes.Config{Seed: 5, N: 3, Size: 64}), Tasks: everything}
	got, err := e.Run(context.Background(), m)
	if err != nil || got.Images != 3 {
		t.Fatalf("%d pictures, %v", got.Images, err)
	}
	for _, name := range []string{"box AP", "mask AP50", "answers exact", "captions CIDEr", "captions BLEU4"} {
		if v, ok := got.Metrics[name]; !ok || v < -1 || v > 10 {
			t.Errorf("%s: %v, %v", name, v, ok)
		}
	}
	if _, ok := got.Metrics["mask mIoU"]; ok {
		t.Error("mIoU without labels of pixels")
	}
	e.Tasks = task.SetOf(task.Match)
	if got, err = e.Run(context.Background(), m); err != nil || len(got.Metrics) != 6 || got.Metrics["retrieval i2t_R@5"] != 1 || got.Metrics["retrieval t2i_R@10"] != 1 {
		t.Errorf("three pictures searched for: %v, %v", got, err)
	}
	var seen []string
	ten := Evaluation{Name: "scenes", Source: scenes.New(scenes.Config{Seed: 5, N: 10, Size: 64}), Tasks: task.SetOf(task.Ask), Limit: 3, Spread: true,
		Keep: func(ex *dataset.Example, _ annotation.Picture) { seen = append(seen, ex.ID) }}
	var want []string
	for _, i := range []int{0, 3, 6} {
		ex, err := ten.Source.At(i, rand.New(rand.NewPCG(0, 0)))
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, ex.ID)
	}
	if _, err = ten.Run(context.Background(), m); err != nil || !slices.Equal(seen, want) {
		t.Errorf("spread over ten pictures, three are %v, want %v; %v", seen, want, err)
	}
	e.Captions, e.Tasks = 2, task.SetOf(task.Caption)
	described := 0
	e.Keep = func(_ *dataset.Example, found annotation.Picture) { described += len(found.Captions) }
	if got, err = e.Run(context.Background(), m); err != nil || got.Images != 3 || described != 2 {
		t.Errorf("%d of %d pictures described, %v", described, got.Images, err)
	}
	e.Tasks = task.SetOf(task.Ask)
	if got, err = e.Run(context.Background(), m); err != nil || got.Metrics["captions CIDEr"] != 0 || len(got.Metrics) == 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// jointsOnly is a data set that boxes no objects but has joints of people, as LSPet is.
type jointsOnly struct{ dataset.Source }

func (s jointsOnly) At(i int, rng *rand.Rand) (*dataset.Example, error) {
	ex, err := s.Source.At(i, rng)
	if err == nil {
		ex.Labels &^= dataset.HasBoxes | dataset.HasMasks
	}
	return ex, err
}

// TestEvaluationOfJoints: where only joints are labelled, every picture is kept, with the joints that were found in true boxes.
func TestEvaluationOfJoints(t *testing.T) {
	m, err := testmodel.New(1)
	if err != nil {
		t.Fatal(err)
	}
	const n = 6
	kept, joints := 0, 0
	e := Evaluation{Source: jointsOnly{scenes.New(scenes.Config{Seed: 5, N: n, Size: 64})}, Tasks: task.SetOf(task.Pose), Keep: func(ex *dataset.Example, found annotation.Picture) {
		kept++
		people := withJoints(ex.Objects)
		if len(confident(found).Objects) != len(people) {
			t.Errorf("%d people shown of %d", len(confident(found).Objects), len(people))
		}
		for _, o := range found.Objects {
			joints += len(o.Joints)
		}
	}}
	if got, err := e.Run(context.Background(), m); err != nil || kept != n || joints == 0 {
		t.Errorf("%d of %d pictures kept, %d joints, %v, %v", kept, n, joints, got, err)
	}
}

// TestEvaluationStops: what was measured before the user ended it is there.
func TestEvaluationStops(t *testing.T) {
	m, err := testmodel.New(1)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	e := Evaluation{Source: scenes.New(scenes.Config{Seed: 5, N: 50, Size: 64}), Tasks: everything, Progress: func(done, _ int) {
		if done == 2 {
			cancel()
		}
	}}
	got, err := e.Run(ctx, m)
	if !errors.Is(err, context.Canceled) || got.Images != 2 {
		t.Fatalf("%d pictures, %v", got.Images, err)
	}
	e.Limit, e.Progress = 2, nil
	want, err := e.Run(context.Background(), m)
	if err != nil || len(want.Metrics) != len(got.Metrics) {
		t.Fatalf("%d metrics, want %d, %v", len(got.Metrics), len(want.Metrics), err)
	}
	for k, v := range want.Metrics {
		if got.Metrics[k] != v {
			t.Errorf("%s: %g, want %g", k, got.Metrics[k], v)
		}
	}
}

// labelled writes a data set of pictures beside label maps, of two classes and pixels without a label.
func labelled(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, d := range []string{"val", "valannot"} {
		if err := os.Mkdir(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "classes.txt"), []byte("0 circle\n1 square\n2 void (ignore)\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.png", "b.png"} {
		img, labels := image.NewRGBA(image.Rect(0, 0, 40, 30)), image.NewGray(image.Rect(0, 0, 40, 30))
		for i := range labels.Pix {
			labels.Pix[i] = uint8(i % 40 / 14)
		}
		for d, m := range map[string]image.Image{"val": img, "valannot": labels} {
			f, err := os.Create(filepath.Join(dir, d, name))
			if err == nil {
				err = errors.Join(png.Encode(f, m), f.Close())
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	return dir
}

// TestEvaluationOfPixels: sets of label maps have mIoU.
func TestEvaluationOfPixels(t *testing.T) {
	m, err := testmodel.New(1)
	if err != nil {
		t.Fatal(err)
	}
	src, err := dataset.Open(labelled(t), dataset.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var kept []annotation.Picture
	e := Evaluation{Source: src, Tasks: everything, Keep: func(_ *dataset.Example, found annotation.Picture) { kept = append(kept, found) }}
	got, err := e.Run(context.Background(), m)
	if err != nil || got.Images != 2 || len(kept) != 2 || kept[0].Semantic == nil || len(kept[0].Semantic.Pix) != 40*30 {
		t.Fatalf("%+v, %v", got, err)
	}
	for _, name := range []string{"mask mIoU", "mask pixel_accuracy", "mask mean_class_accuracy"} {
		if v, ok := got.Metrics[name]; !ok || v < 0 || v > 1 {
			t.Errorf("%s: %v, %v", name, v, ok)
		}
	}
	if len(got.Metrics) != 3 {
		t.Errorf("%v", got.Metrics)
	}
	e.Tasks = task.SetOf(task.Detect)
	if got, err = e.Run(context.Background(), m); err != nil || len(got.Metrics) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

// TestTrainsPixels: a recipe over pictures and label maps trains the read-out of pixels, also of a model that had none, and
// measures mIoU with it.
func TestTrainsPixels(t *testing.T) {
	r := openText(t, `
model: {variant: tiny}
data: [{task: segment, path: %[1]s, split: val}]
eval: [{task: segment, path: %[1]s, split: val, name: pixels}]
train: {epochs: 1, batch: 4, epoch_images: 160, replicas: 1, ema: 0.5, eval_every: 0}
augment: {}
`, labelled(t))
	if !r.Model.Divides() || !slices.Equal(r.Model.Config.Pixels, []string{"circle", "square"}) {
		t.Fatalf("pixels of %q", r.Model.Config.Pixels)
	}
	if err := r.Train(context.Background()); err != nil {
		t.Fatal(err)
	}
	m, err := r.evaluate(0)
	if iou := m["pixels mask mIoU"]; err != nil || !(iou > .8) { // the border lies within a cell; without a look it would be .25
		t.Errorf("%v, %v", m, err)
	}
	again, err := unified.Open(os.DirFS(filepath.Join(r.Config.Out, "model")))
	if err != nil || !again.Divides() {
		t.Fatalf("the model does not divide pictures once it was saved: %v", err)
	}
}

// TestEvaluationSideBySide: pictures that are looked at side by side are scored and shown in their order, to the same metrics as one
// after the other.
func TestEvaluationSideBySide(t *testing.T) {
	m, err := testmodel.New(1)
	if err != nil {
		t.Fatal(err)
	}
	run := func(cores int) (Measurement, []string) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cores))
		var shown []string
		e := Evaluation{Name: "scenes", Source: scenes.New(scenes.Config{Seed: 5, N: 11, Size: 64}), Tasks: everything | task.SetOf(task.Match), Captions: 7,
			Keep: func(ex *dataset.Example, found annotation.Picture) {
				shown = append(shown, ex.ID, fmt.Sprint(found.Captions, len(found.Objects)))
			}}
		got, err := e.Run(context.Background(), m)
		if err != nil {
			t.Fatal(err)
		}
		return got, shown
	}
	one, shown := run(1)
	for _, cores := range []int{2, 5} {
		if got, order := run(cores); !maps.Equal(got.Metrics, one.Metrics) || !slices.Equal(order, shown) {
			t.Errorf("on %d cores: %v and %v, on one %v and %v", cores, got.Metrics, order, one.Metrics, shown)
		}
	}
}
