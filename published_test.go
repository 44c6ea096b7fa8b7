package fovea_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"fovea"
	"fovea/annotation"
	"fovea/imageproc"
	"fovea/task"
)

func openFixture(t *testing.T, name string) (*fovea.Predictor, *imageproc.RGB) {
	t.Helper()
	dir := filepath.Join("testdata", "fixtures", "parity", name)
	p, err := fovea.Open(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	img, err := fovea.Load(filepath.Join(dir, "image.png"))
	if err != nil {
		t.Fatal(err)
	}
	return p, img
}

// TestOpensPublishedFolders: a folder as the hub has it opens like any other, and says what it can do.
func TestOpensPublishedFolders(t *testing.T) {
	ctx := context.Background()
	for name, tasks := range map[string]task.Set{
		"vit": task.SetOf(task.Classify), "dinov2": task.SetOf(task.Classify), "clip": task.SetOf(task.Classify, task.Match),
		"siglip2_naflex": task.SetOf(task.Classify, task.Match), "yolos": task.SetOf(task.Detect), "owlv2": task.SetOf(task.Detect),
		"vitpose_simple": task.SetOf(task.Pose),
	} {
		p, img := openFixture(t, name)
		if c := p.Card(); c.Tasks != tasks || c.Name != name || c.Parameters < 1000 || c.Size < 16 {
			t.Errorf("%s: card %+v", name, c)
		}
		r, err := p.Do(ctx, fovea.Request{Image: img, Tasks: tasks, Labels: open(p, "cat"), Query: open(p, "cat"), Threshold: .01})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if b, err := r.MarshalJSON(); err != nil || len(b) < 50 {
			t.Errorf("%s: %s, %v", name, b, err)
		}
	}
}

// open are words for a model that takes any.
func open(p *fovea.Predictor, words ...string) []string {
	if !p.Card().OpenVocabulary {
		return nil
	}
	return words
}

func TestPublishedRequests(t *testing.T) {
	ctx := context.Background()
	vit, img := openFixture(t, "vit")
	if got, err := vit.Classify(ctx, img, "Dog", "cat"); err != nil || len(got) != 2 || got[0].Score+got[1].Score < .999 {
		t.Errorf("two of the classes: %v, %v", got, err)
	}
	clip, _ := openFixture(t, "clip")
	a, err := clip.Embed(ctx, img)
	b, err2 := clip.EmbedText(ctx, "a cat")
	if err != nil || err2 != nil || len(a) != len(b) || len(a) != clip.Card().Embed {
		t.Errorf("%d and %d numbers, %v, %v", len(a), len(b), err, err2)
	}
	yolos, _ := openFixture(t, "yolos")
	if got, err := yolos.Detect(ctx, img, "person"); err != nil {
		t.Error(err)
	} else {
		for _, o := range got {
			if o.Label != "person" {
				t.Errorf("a %s among the people", o.Label)
			}
		}
	}
	pose, _ := openFixture(t, "vitpose_simple")
	boxes := []annotation.Box{{X0: 10, Y0: 5, X1: 40, Y1: 55}, {X0: 0, Y0: 0, X1: 9, Y1: 9}}
	r, err := pose.Do(ctx, fovea.Request{Image: img, Tasks: task.SetOf(task.Pose), Boxes: boxes})
	if err != nil || len(r.People) != 2 || len(r.People[1].Joints) != 17 || r.People[1].Box != boxes[1] {
		t.Errorf("given boxes: %v, %v", r, err)
	}
	if people, err := pose.Pose(ctx, img); err != nil || people == nil {
		t.Errorf("boxes that are looked for: %v, %v", people, err)
	}
}

func TestPublishedRefusals(t *testing.T) {
	ctx := context.Background()
	vit, img := openFixture(t, "vit")
	clip, _ := openFixture(t, "clip")
	owl, _ := openFixture(t, "owlv2")
	pose, _ := openFixture(t, "vitpose_simple")
	do := func(p *fovea.Predictor, r fovea.Request) error {
		if r.Image == nil {
			r.Image = img
		}
		_, err := p.Do(ctx, r)
		return err
	}
	for name, c := range map[string]struct {
		err        error
		code, want string
	}{
		"no such class":     {do(vit, fovea.Request{Tasks: task.SetOf(task.Classify), Labels: []string{"submarine"}}), "request.label", `"submarine" is none of them`},
		"no such task":      {do(vit, fovea.Request{Tasks: task.SetOf(task.Detect)}), "request.task", "cannot detect"},
		"nothing to choose": {do(clip, fovea.Request{Tasks: task.SetOf(task.Classify)}), "request.label", "no list of its own"},
		"nothing to find":   {do(owl, fovea.Request{Tasks: task.SetOf(task.Detect)}), "request.query", "no list of its own"},
		"a line of pixels":  {do(clip, fovea.Request{Image: imageproc.NewRGB(1, 30_000_000), Tasks: task.SetOf(task.Match)}), "image.shape", "less extreme shape"},
		"no place in it":    {do(clip, fovea.Request{Tasks: task.SetOf(task.Classify), Labels: []string{"cat"}, Template: "a photo"}), "request.template", "has no {}"},
		"no sentences":      {do(vit, fovea.Request{Tasks: task.SetOf(task.Classify), Template: "a {}"}), "request.template", "does not put labels into a sentence"},
		"an empty box":      {do(pose, fovea.Request{Tasks: task.SetOf(task.Pose), Boxes: []annotation.Box{{}}}), "request.boxes", "empty"},
	} {
		if c.err == nil || fovea.Code(c.err) != c.code || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %s: %v", name, fovea.Code(c.err), c.err)
		}
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(`{"architectures":["CLIPModelWithProjection"],"model_type":"clip"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := fovea.Open(ctx, dir); err == nil || !strings.Contains(err.Error(), `"CLIPModelWithProjection" is not supported; the nearest that is: CLIPModel`) {
		t.Errorf("an unknown architecture: %v", err)
	}
}

// TestPublishedSideBySide: runners of one model do not disturb each other.
func TestPublishedSideBySide(t *testing.T) {
	dir := filepath.Join("testdata", "fixtures", "parity", "clip")
	p, err := fovea.Open(context.Background(), dir, fovea.WithRunners(3))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	img, err := fovea.Load(filepath.Join(dir, "image.png"))
	if err != nil {
		t.Fatal(err)
	}
	want, err := p.Classify(context.Background(), img, "cat", "dog", "car")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 5 {
				got, err := p.Classify(context.Background(), img, "cat", "dog", "car")
				if err != nil || !slices.Equal(got, want) {
					t.Errorf("%v, %v; want %v", got, err, want)
				}
			}
		})
	}
	wg.Wait()
}
