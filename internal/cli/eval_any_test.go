package cli

import (
	"slices"
	"testing"

	"fovea"
	"fovea/dataset"
	"fovea/imageproc"
	"fovea/internal/recipe"
	"fovea/task"
)

// TestAnswererRenames: a published model that is measured under other names has each of them once, answers with those that are asked for
// alone, and joins classes of one name.
func TestAnswererRenames(t *testing.T) {
	p, err := fovea.Open(t.Context(), vitFixture)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	img, _, err := imageproc.Open(vitFixture + "/image.png")
	if err != nil {
		t.Fatal(err)
	}
	own := p.Card().Classes
	a := answerer{p: p, names: dataset.Names{own[0]: "both", own[1]: "both"}}
	if got, want := a.Card().Classes, append([]string{"both"}, own[2:]...); !slices.Equal(got, want) {
		t.Errorf("classes %q, want %q", got, want)
	}
	for _, labels := range [][]string{{"both"}, a.Card().Classes} {
		f, err := a.Answer(t.Context(), img, recipe.Query{Tasks: task.SetOf(task.Classify), Labels: labels, Views: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Labels) != len(labels) || !slices.Contains(f.Labels, "both") {
			t.Errorf("asked for %q: %q", labels, f.Labels)
		}
	}
}

// TestAnswererTiles: what is measured is what a request with tiles finds, and more than without.
func TestAnswererTiles(t *testing.T) {
	p, err := fovea.Open(t.Context(), fovea.DefaultModel)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	img, _, err := imageproc.Open("../../examples/park.png")
	if err != nil {
		t.Fatal(err)
	}
	q := recipe.Query{Tasks: task.SetOf(task.Detect), Query: []string{"person"}}
	var found [2]int
	for i := range found {
		want, err := p.Do(t.Context(), fovea.Request{Image: img, Tasks: q.Tasks, Query: q.Query, Threshold: leastScore, Tiles: i + 1})
		if err != nil {
			t.Fatal(err)
		}
		got, err := answerer{p: p, tiles: i + 1}.Answer(t.Context(), img, q)
		if err != nil || len(got.Objects) != len(want.Objects) || len(got.Objects) == 0 {
			t.Fatalf("%d by %d parts: %d objects, %v; want %d", i+1, i+1, len(got.Objects), err, len(want.Objects))
		}
		for j, o := range got.Objects {
			if o.Box != want.Objects[j].Box || o.Score != want.Objects[j].Score {
				t.Errorf("%d by %d parts: object %d is %v, want %v", i+1, i+1, j, o, want.Objects[j])
			}
		}
		found[i] = len(got.Objects)
	}
	if found[0] == found[1] {
		t.Errorf("parts find as many objects: %v", found)
	}
}
