package unified

import (
	"math"
	"slices"
	"testing"
)

// TestForbidEcho: what would say the same one to six words twice in a row is forbidden, and nothing else; lists may.
func TestForbidEcho(t *testing.T) {
	for _, c := range []struct{ text, forbidden []int32 }{
		{nil, nil},
		{[]int32{1}, []int32{1}},
		{[]int32{1, 2, 1}, []int32{1, 2}},       // 1 1, and 1 2 1 2
		{[]int32{1, 2, 3, 1, 2}, []int32{2, 3}}, // 2 2, and 1 2 3 1 2 3
		{[]int32{1, 2, 3, 4, 2}, []int32{2}},    // nothing comes again
		{[]int32{1, 2, 9, 1, 2}, []int32{2}},    // a list
		{[]int32{1, 9}, nil},                    // nor is its comma an echo
		{[]int32{1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 5}, []int32{5, 6}},
		{[]int32{1, 2, 3, 4, 5, 6, 7, 1, 2, 3, 4, 5, 6}, []int32{6}}, // seven words are no stutter
	} {
		row := make([]float32, 10)
		forbidEcho(row, c.text, []int32{9})
		var got []int32
		for i, v := range row {
			if math.IsInf(float64(v), -1) {
				got = append(got, int32(i))
			}
		}
		if !slices.Equal(got, c.forbidden) {
			t.Errorf("after %v: %v is forbidden, want %v", c.text, got, c.forbidden)
		}
	}
}
