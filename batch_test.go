package fovea

import (
	"context"
	"image"
	"math"
	"testing"

	"fovea/dataset/scenes"
	"fovea/imageproc"
	"fovea/task"
)

// Pictures that were encoded together answer as those that were encoded alone, whatever their sizes, and a picture that is
// none spoils no other.
func TestEncodeAll(t *testing.T) {
	p := tinyPredictor(t, 1)
	ctx := context.Background()
	imgs := []image.Image{nil, image.NewRGBA(image.Rect(0, 0, 0, 0))}
	for i := range 3 {
		ex, err := scenes.New(scenes.Config{Seed: uint64(i), N: 1, Size: 64 + 40*i}).At(0, nil)
		if err != nil {
			t.Fatal(err)
		}
		imgs = append(imgs, ex.Image)
	}
	imgs = append(imgs, &imageproc.RGB{W: 31, H: 7, Pix: make([]byte, 3*31*7)})
	all, errs := p.EncodeAll(ctx, imgs)
	r := Request{Tasks: task.SetOf(task.Detect, task.Match, task.Ask), Questions: []string{"what is it?"}, Threshold: .01, Max: 5}
	for i, img := range imgs {
		if i < 2 {
			if errs[i] == nil || all[i] != nil {
				t.Errorf("picture %d: %v, %v", i, all[i], errs[i])
			}
			continue
		}
		if errs[i] != nil {
			t.Fatal(errs[i])
		}
		got, err := p.DoEncoded(ctx, all[i], r)
		if err != nil {
			t.Fatal(err)
		}
		r.Image = img
		want, err := p.Do(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		if got.Width != want.Width || got.Height != want.Height || len(got.Objects) != len(want.Objects) || got.Answers[0].Answer != want.Answers[0].Answer {
			t.Errorf("picture %d: %+v, want %+v", i, got, want)
		}
		for k := range want.Objects {
			a, b := got.Objects[k], want.Objects[k]
			if a.Label != b.Label || math.Abs(a.Score-b.Score) > 1e-4 || math.Abs(a.Box.X0-b.Box.X0) > .05 {
				t.Errorf("picture %d, object %d: %+v, want %+v", i, k, a, b)
			}
		}
		for k := range want.Vector {
			if math.Abs(float64(got.Vector[k]-want.Vector[k])) > 1e-4 {
				t.Fatalf("picture %d: number %d is %g, want %g", i, k, got.Vector[k], want.Vector[k])
			}
		}
	}
	if out, errs := p.EncodeAll(ctx, nil); len(out) != 0 || len(errs) != 0 {
		t.Errorf("of nothing came %v, %v", out, errs)
	}
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, errs := p.EncodeAll(ended, imgs[2:]); errs[0] == nil || errs[3] == nil {
		t.Errorf("after the end: %v", errs)
	}
}
