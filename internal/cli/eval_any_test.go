package cli

import (
	"math"
	"testing"

	"fovea"
	"fovea/dataset"
)

// TestJoinClasses: probabilities of classes of one name add up, names that are not asked for are left out, the best comes first.
func TestJoinClasses(t *testing.T) {
	got := joinClasses([]fovea.Class{{Label: "acorn", Score: .4}, {Label: "tabby", Score: .3}, {Label: "Persian cat", Score: .2}, {Label: "reel", Score: .1}},
		dataset.Names{"tabby": "cat", "Persian cat": "cat"}, []string{"acorn", "cat"})
	want := []fovea.Class{{Label: "cat", Score: .5}, {Label: "acorn", Score: .4}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i].Label != want[i].Label || math.Abs(got[i].Score-want[i].Score) > 1e-9 {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
