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
	a := answerer{p, dataset.Names{own[0]: "both", own[1]: "both"}}
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
