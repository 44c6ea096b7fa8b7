package model

import (
	"math"
	"testing"
)

// TestJoinClasses: probabilities of classes of one name add up, and the best comes first.
func TestJoinClasses(t *testing.T) {
	kinds := map[string]string{"tabby": "cat", "Persian cat": "cat"}
	got := JoinClasses([]Class{{"acorn", .4}, {"tabby", .3}, {"Persian cat", .2}, {"reel", .1}}, func(c string) string {
		if n, ok := kinds[c]; ok {
			return n
		}
		return c
	})
	want := []Class{{"cat", .5}, {"acorn", .4}, {"reel", .1}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i].Label != want[i].Label || math.Abs(got[i].Score-want[i].Score) > 1e-9 {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
