package model

import (
	"fmt"
	"testing"
)

// TestDetectEach: one query may answer with several classes, and no more answers are given than there are queries.
func TestDetectEach(t *testing.T) {
	v := DetectEach([]float32{2, 1, -3, -2}, []float32{.5, .5, .2, .4, .9, .9, .4, .4}, []string{"cat", "dog"}, 2, 100, 50)
	got := v.Detect(DetectOptions{})
	if len(got) != 2 || got[0].Label != "cat" || got[1].Label != "dog" || got[0].Box != got[1].Box || fmt.Sprintf("%.1f", got[0].Box) != "{40.0 15.0 60.0 35.0}" {
		t.Errorf("%v", got)
	}
	if got := v.Detect(DetectOptions{Query: []string{"DOG"}, Threshold: .5}); len(got) != 1 || got[0].Label != "DOG" {
		t.Errorf("%v", got)
	}
}
