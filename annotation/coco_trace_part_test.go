package annotation

import (
	"reflect"
	"runtime"
	"testing"
)

// Outlines cost memory for themselves, however large the mask and its picture are; runs of no length change nothing.
func TestPolygonsAreCheap(t *testing.T) {
	const side, before, height = 8000, 4000*8000 + 4000, 10 // two columns of ten pixels in the middle
	for name, c := range map[string]struct {
		counts []uint32
		want   [][]float64
	}{
		"small": {[]uint32{before, height, side - height, height, side*side - before - side - height}, [][]float64{{4000, 4000, 4002, 4000, 4002, 4010, 4000, 4010}}},
		"large": {[]uint32{0, side * side / 2, 0, side * side / 2}, [][]float64{{0, 0, side, 0, side, side, 0, side}}},
		"a hole of one pixel": {[]uint32{0, before, 1, side*side - before - 1},
			[][]float64{{0, 0, 4000, 0, 4000, 4001, 4001, 4001, 4001, 4000, 4000, 4000, 4000, 0, side, 0, side, side, 0, side}}},
		"nothing": {[]uint32{side * side}, nil},
	} {
		r := RLE{H: side, W: side, Counts: c.counts}
		var start, end runtime.MemStats
		runtime.ReadMemStats(&start)
		got, err := r.Polygons()
		runtime.ReadMemStats(&end)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, want %v; %v", name, got, c.want, err)
		}
		if n := end.TotalAlloc - start.TotalAlloc; n > 4<<20 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
	if _, err := (RLE{H: 2, W: 2, Counts: []uint32{1, 1}}).Polygons(); err == nil {
		t.Error("runs that do not fill the picture were taken")
	}
}
