package cli

import (
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"fovea"
	"fovea/annotation"
	"fovea/dataset"
	"fovea/dataset/scenes"
	"fovea/task"
)

// TestDataLabel labels scenes with the shipped model: the new data set holds what the model finds, and with --keep all that was there,
// with nothing added to what had a label.
func TestDataLabel(t *testing.T) {
	dir := t.TempDir()
	drawn, out, kept := filepath.Join(dir, "drawn"), filepath.Join(dir, "out"), filepath.Join(dir, "kept")
	if err := scenes.Export(drawn, scenes.New(scenes.Config{Seed: 9, N: 3, Size: 192}), 3, nil); err != nil {
		t.Fatal(err)
	}
	command(t, "data", "label", drawn, "--task", "segment,pose", "--query", "person, star", "--out", out)
	src, err := dataset.Open(out, dataset.OpenOptions{Skeleton: annotation.COCO17})
	if err != nil {
		t.Fatal(err)
	}
	p, err := fovea.Open(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	read := func(s dataset.Source, i int) *dataset.Example {
		ex, err := s.At(i, rand.New(rand.NewPCG(0, 0)))
		if err != nil {
			t.Fatal(err)
		}
		return ex
	}
	if src.Len() != 3 || src.Labels()&dataset.HasMasks == 0 {
		t.Fatalf("%d pictures with labels %v", src.Len(), labelNames(src.Labels()))
	}
	for i := range 3 {
		ex := read(src, i)
		r, err := p.Do(t.Context(), fovea.Request{Image: ex.Image, Tasks: task.SetOf(task.Segment), Query: []string{"person", "star"}, Threshold: .5})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range r.Objects {
			found := false
			for _, x := range ex.Objects {
				found = found || x.Label == o.Label && x.Box.IoU(o.Box) > .95
			}
			if !found {
				t.Errorf("picture %d: %s at %v is missing among %d labels", i, o.Label, o.Box, len(ex.Objects))
			}
		}
		if len(ex.Objects) < len(r.Objects) {
			t.Errorf("picture %d: %d labels of %d objects", i, len(ex.Objects), len(r.Objects))
		}
	}
	var n int
	if err := json.Unmarshal(command(t, "data", "label", drawn, "--keep", "--out", kept, "--threshold", "0.1")["kept"], &n); err != nil {
		t.Fatal(err)
	}
	before, err := dataset.Open(drawn, dataset.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	after, err := dataset.Open(kept, dataset.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for i := range 3 {
		old, now := read(before, i).Objects, read(after, i).Objects
		total += len(old)
		for k, o := range now {
			if k < len(old) && (o.Label != old[k].Label || o.Box != old[k].Box) {
				t.Errorf("picture %d: label %d is %s at %v, was %s at %v", i, k, o.Label, o.Box, old[k].Label, old[k].Box)
			}
			for _, x := range old {
				if k >= len(old) && same(o, x, true) {
					t.Errorf("picture %d: %s at %v was added to the one at %v", i, o.Label, o.Box, x.Box)
				}
			}
		}
	}
	if n != total || total == 0 {
		t.Errorf("%d labels kept of %d", n, total)
	}
}
