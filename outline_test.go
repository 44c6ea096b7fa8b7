package fovea

import (
	"context"
	"errors"
	"testing"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/model"
	"fovea/task"
)

// latticed is a fake whose objects have masks of single pixels, with so many corners each.
type latticed struct {
	*fake
	objects, corners int
}

func (f latticed) NewRunner(int) model.Runner { return latticeRunner{&fakeRunner{f.fake}, f} }

type latticeRunner struct {
	*fakeRunner
	f latticed
}

func (r latticeRunner) Encode(img *imageproc.RGB) (model.View, error) {
	return latticeView{&fakeView{r.fake, img}, r.f}, nil
}

type latticeView struct {
	*fakeView
	f latticed
}

func (v latticeView) Detect(model.DetectOptions) []Object {
	mask := annotation.RLE{H: 2, W: v.f.corners / 4}
	for range mask.W { // the lower pixel of each other column
		mask.Counts = append(mask.Counts, 3, 1)
	}
	mask.W *= 2
	out := make([]Object, v.f.objects)
	for i := range out {
		out[i] = Object{Label: "cat", Score: 1, Box: annotation.Box{X1: 1, Y1: 1}, Mask: &mask}
	}
	return out
}

// steps is a context that ends after it has been looked at so many times.
type steps struct {
	context.Context
	left int
}

func (s *steps) Err() error {
	if s.left--; s.left < 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// Outlines of many masks end with the request's time, between two masks, and are refused when there would be too much of them.
func TestOutlinesEnd(t *testing.T) {
	ask := func(ctx context.Context, objects, corners int, polygons bool) (*Result, error) {
		p := New(latticed{newFake(), objects, corners})
		defer p.Close()
		return p.Do(ctx, Request{Image: imageproc.NewRGB(10, 8), Tasks: task.SetOf(task.Segment), Polygons: polygons})
	}
	r, err := ask(background, 3, MaxCorners/4, true)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, o := range r.Objects {
		for _, p := range o.Polygons {
			n += len(p) / 2
		}
	}
	if n != 3*MaxCorners/4 {
		t.Errorf("%d corners, want %d", n, 3*MaxCorners/4)
	}
	if _, err := ask(background, 5, MaxCorners/4, true); Code(err) != "request.polygons" {
		t.Errorf("five quarters of what may be: %v", err)
	}
	if _, err := ask(background, 5, MaxCorners/4, false); err != nil {
		t.Errorf("without outlines: %v", err)
	}
	all := &steps{background, 1 << 20}
	if _, err := ask(all, 100, 4, true); err != nil {
		t.Fatal(err)
	}
	if used := 1<<20 - all.left; used < 100 {
		t.Errorf("the time was looked at %d times for 100 outlines", used)
	}
	if _, err := ask(&steps{background, 1<<20 - all.left - 50}, 100, 4, true); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("when the time ends between the outlines: %v", err)
	}
}
