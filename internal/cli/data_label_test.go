package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
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

// TestDataLabelPhotos labels a folder of nothing but pictures: those that cannot be read are named and left out, what was drawn by the
// program is no photo, the others keep their names, and a model without labels of its own asks what to look for.
func TestDataLabelPhotos(t *testing.T) {
	dir := t.TempDir()
	photos, out := filepath.Join(dir, "photos"), filepath.Join(dir, "out")
	park, err := os.ReadFile("../../examples/park.png")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(photos, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"broken.png": park[:len(park)/2], "park.png": park, "Park.jpg": park, "park.fovea.png": park} {
		if err := os.WriteFile(filepath.Join(photos, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (int, string) {
		var stdout, stderr bytes.Buffer
		code := Run(t.Context(), append([]string{"data", "label", photos}, args...), strings.NewReader(""), &stdout, &stderr)
		return code, stdout.String() + stderr.String()
	}
	if code, said := run("--out", out, "--json"); code != exitSome || !strings.Contains(said, `"image":"broken.png","error":{"code":"image.`) || !strings.Contains(said, `"images":2`) {
		t.Errorf("code %d, said %s", code, said)
	}
	src, err := dataset.Open(out, dataset.OpenOptions{})
	if err != nil || src.Len() != 2 {
		t.Fatalf("%v, %v", src, err)
	}
	for _, name := range []string{"Park.png", "park-2.png"} {
		if _, err := os.Stat(filepath.Join(out, "train", name)); err != nil {
			t.Error(err)
		}
	}
	people := 0
	ex, err := src.At(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range ex.Objects {
		if o.Label == "person" {
			people++
		}
	}
	if people != 2 {
		t.Errorf("%d people in the park", people)
	}
	if code, said := run("--out", filepath.Join(dir, "query"), "--model", "../../testdata/fixtures/parity/florence2"); code != exitUsage || !strings.Contains(said, "--query") {
		t.Errorf("without labels: code %d, said %s", code, said)
	}
	for _, name := range []string{"park.png", "Park.jpg"} {
		if err := os.Remove(filepath.Join(photos, name)); err != nil {
			t.Fatal(err)
		}
	}
	none := filepath.Join(dir, "none")
	if code, said := run("--out", none); code != exitBad || !strings.Contains(said, "broken.png") {
		t.Errorf("nothing but broken ones: code %d, said %s", code, said)
	}
	if _, err := os.Stat(none); !os.IsNotExist(err) {
		t.Errorf("a folder was written: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, args := range [][]string{{"data", "label", photos, "--out", none}, {"data", "scenes", "--out", none}} {
		var said bytes.Buffer
		if code := Run(ctx, args, strings.NewReader(""), io.Discard, &said); code != exitFailed || !strings.Contains(said.String(), "interrupted") {
			t.Errorf("%q: code %d, said %s", args, code, said.String())
		}
	}
}
