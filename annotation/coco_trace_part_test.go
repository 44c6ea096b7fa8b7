package annotation

import (
	"math/rand/v2"
	"reflect"
	"runtime"
	"testing"
)

// A mask's outlines are those of its bitmap, wherever in the picture it is.
func TestPolygonsOfRuns(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for range 500 {
		b := NewBitmap(1+rng.IntN(12), 1+rng.IntN(12))
		x, y, dense := rng.IntN(b.W), rng.IntN(b.H), rng.Float64()
		for i := range b.Pix {
			if i%b.W >= x && i/b.W >= y && rng.Float64() < dense {
				b.Pix[i] = 1
			}
		}
		got, err := b.RLE().Polygons()
		if want := b.Polygons(); err != nil || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Fatalf("%v: %v, want %v; %v", b, got, want, err)
		}
	}
	if _, err := (RLE{H: 2, W: 2, Counts: []uint32{1, 1}}).Polygons(); err == nil {
		t.Error("runs that do not fill the picture were taken")
	}
}

// A small mask in a large picture costs no memory for the picture.
func TestPolygonsOfRunsAreCheap(t *testing.T) {
	const side, before, height = 8000, 4000*8000 + 4000, 10 // two columns of ten pixels in the middle
	r := RLE{H: side, W: side, Counts: []uint32{before, height, side - height, height, side*side - before - side - height}}
	var start, end runtime.MemStats
	runtime.ReadMemStats(&start)
	got, err := r.Polygons()
	runtime.ReadMemStats(&end)
	if want := [][]float64{{4000, 4000, 4002, 4000, 4002, 4010, 4000, 4010}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v; %v", got, want, err)
	}
	if n := end.TotalAlloc - start.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}
