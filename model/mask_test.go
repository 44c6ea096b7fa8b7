package model

import (
	"math"
	"math/rand/v2"
	"testing"

	"fovea/annotation"
)

// slow is MaskRLE by its definition, pixel by pixel.
func slow(logits []float32, side int, f Frame, w, h int, box annotation.Box) *annotation.Bitmap {
	m := annotation.NewBitmap(w, h)
	at := func(x, y int) float64 {
		return float64(logits[min(max(y, 0), side-1)*side+min(max(x, 0), side-1)])
	}
	for y := range h {
		for x := range w {
			px, py := float64(x)+.5, float64(y)+.5
			if px+.5 <= box.X0 || px-.5 >= box.X1 || py+.5 <= box.Y0 || py-.5 >= box.Y1 {
				continue
			}
			u := (f.X.Scale*px+f.X.Shift)*float64(side) - .5
			v := (f.Y.Scale*py+f.Y.Shift)*float64(side) - .5
			i, j := math.Floor(u), math.Floor(v)
			a, b := u-i, v-j
			x0, y0 := int(i), int(j)
			s := (1-b)*((1-a)*at(x0, y0)+a*at(x0+1, y0)) + b*((1-a)*at(x0, y0+1)+a*at(x0+1, y0+1))
			if s > 0 {
				m.Pix[y*w+x] = 1
			}
		}
	}
	return m
}

func TestMaskRLE(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		side, w, h := 1+rng.IntN(9), 1+rng.IntN(40), 1+rng.IntN(40)
		logits := make([]float32, side*side)
		for i := range logits {
			logits[i] = float32(rng.NormFloat64()) + .1
		}
		long := float64(max(w, h))
		f := Frame{X: Axis{1 / long, rng.Float64() * .2}, Y: Axis{1 / long, 0}}
		box := annotation.Box{X0: rng.Float64()*50 - 10, Y0: rng.Float64()*50 - 10}
		box.X1, box.Y1 = box.X0+rng.Float64()*40, box.Y0+rng.Float64()*40
		rle := MaskRLE(logits, side, f, w, h, box)
		got, err := rle.Bitmap()
		if err != nil {
			t.Fatalf("%d×%d, box %v: %v", w, h, box, err)
		}
		want, differ := slow(logits, side, f, w, h, box), 0
		for i := range want.Pix {
			if got.Pix[i] != want.Pix[i] {
				differ++
			}
		}
		if differ > 0 { // float32 against float64: only a logit at zero could turn
			t.Fatalf("%d×%d, side %d, box %v: %d pixels differ", w, h, side, box, differ)
		}
		if want := want.RLE(); len(want.Counts) != len(rle.Counts) {
			t.Fatalf("runs %v, want %v", rle.Counts, want.Counts)
		}
	}
}

func TestMaskRLEOutside(t *testing.T) {
	logits := []float32{1, 1, 1, 1}
	f := Frame{X: Axis{Scale: .1}, Y: Axis{Scale: .1}}
	for _, box := range []annotation.Box{{}, {X0: 5, Y0: 5, X1: 5, Y1: 8}, {X0: -9, Y0: -9, X1: -1, Y1: -1}, {X0: 20, Y0: 20, X1: 30, Y1: 30}} {
		r := MaskRLE(logits, 2, f, 10, 10, box)
		if r.Area() != 0 || len(r.Counts) != 1 || r.Counts[0] != 100 {
			t.Errorf("box %v: runs %v, want an empty mask", box, r.Counts)
		}
	}
	if r := MaskRLE(logits, 2, f, 10, 10, annotation.Box{X0: -5, Y0: -5, X1: 50, Y1: 50}); r.Area() != 100 {
		t.Errorf("the whole picture: %v", r.Counts)
	}
}

func BenchmarkMaskRLE(b *testing.B) {
	logits := make([]float32, 32*32)
	for i := range logits {
		logits[i] = float32(math.Sin(float64(i)))
	}
	f := Frame{X: Axis{Scale: 1. / 640}, Y: Axis{Scale: 1. / 640}}
	b.ReportAllocs()
	for b.Loop() {
		MaskRLE(logits, 32, f, 640, 480, annotation.Box{X0: 100, Y0: 50, X1: 400, Y1: 450})
	}
}
