package unified

import (
	"testing"

	"fovea/annotation"
	"fovea/task"
)

// TestAssign: on a grid of 4 × 4 patches, who answers for whom.
func TestAssign(t *testing.T) {
	box := func(x, y, w, h float64) task.Target {
		return task.Target{Box: annotation.Box{X0: x - w/2, Y0: y - h/2, X1: x + w/2, Y1: y + h/2}}
	}
	for _, c := range []struct {
		name    string
		objects []task.Target
		want    [16]int32
	}{
		{"a small object has one patch", []task.Target{box(.6, .4, .1, .1)}, [16]int32{-1, -1, -1, -1, -1, -1, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1}},
		{"the middle half of a large one", []task.Target{box(.6, .5, .8, 1)}, [16]int32{-1, -1, -1, -1, -1, -1, 0, -1, -1, -1, 0, -1, -1, -1, -1, -1}},
		{"two in one patch: the smaller has it, the other the nearest", []task.Target{box(.52, .3, .2, .2), box(.6, .4, .1, .1)},
			[16]int32{-1, -1, -1, -1, -1, 0, 1, -1, -1, -1, -1, -1, -1, -1, -1, -1}},
		{"a large one around a small one", []task.Target{box(.5, .5, 1, 1), box(.6, .6, .05, .05)},
			[16]int32{-1, -1, -1, -1, -1, 0, 0, -1, -1, 0, 1, -1, -1, -1, -1, -1}},
		{"a centre on the border", []task.Target{box(1, 1, .1, .1)}, [16]int32{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0}},
	} {
		owner := make([]int32, 16)
		for i := range owner {
			owner[i] = -1
		}
		var a assigner
		a.assign(owner, c.objects, 4)
		if [16]int32(owner) != c.want {
			t.Errorf("%s: %v, want %v", c.name, owner, c.want)
		}
	}
	full := make([]task.Target, 30) // all in one patch: as many as it and its neighbours hold are taught
	for i := range full {
		full[i] = box(.4, .4, .1, .1)
	}
	owner := make([]int32, 16)
	for i := range owner {
		owner[i] = -1
	}
	var a assigner
	a.assign(owner, full, 4)
	n := 0
	for _, o := range owner {
		if o >= 0 {
			n++
		}
	}
	if n != 9 {
		t.Errorf("%d patches of a crowd in one answer, want 9", n)
	}
}
