package fovea

import (
	"errors"
	"slices"
	"testing"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/task"
)

// TestCuts: parts cover the whole length, overlap by a quarter, and are never empty.
func TestCuts(t *testing.T) {
	for _, c := range []struct{ length, n int }{{640, 2}, {641, 3}, {7, 5}, {1, 4}, {10000, 16}} {
		parts := cuts(c.length, c.n)
		if parts[0][0] != 0 || parts[len(parts)-1][1] != c.length {
			t.Errorf("%d in %d: %v do not cover it", c.length, c.n, parts)
		}
		for i := 1; i < len(parts); i++ {
			if over := parts[i-1][1] - parts[i][0]; over < (parts[i][1]-parts[i][0])/5 || parts[i][0] <= parts[i-1][0] {
				t.Errorf("%d in %d: %v overlap by %d", c.length, c.n, parts[i-1:i+1], over)
			}
		}
		for _, p := range parts {
			if p[0] >= p[1] {
				t.Errorf("%d in %d: an empty part %v", c.length, c.n, p)
			}
		}
	}
}

// TestMerge: one thing that is found twice is reported once, with its best score; others stay, best first.
func TestMerge(t *testing.T) {
	at := func(label string, score, x float64) Object {
		return Object{Label: label, Score: score, Box: annotation.Box{X0: x, Y0: 0, X1: x + 10, Y1: 10}}
	}
	r := Request{Max: 3}
	got := r.merge([]Object{at("cat", .5, 0), at("cat", .4, 40)}, []Object{at("cat", .9, 1), at("dog", .3, 0), at("cat", .2, 80)})
	if len(got) != 3 || got[0].Score != .9 || got[1].Score != .4 || got[2].Label != "dog" {
		t.Errorf("merged to %v", got)
	}
}

// TestTiles: in a picture made of four by four scenes, whose things are too small to be found in the whole, tiles find most of what
// each scene holds, where it is.
func TestTiles(t *testing.T) {
	p, err := Open(background, "")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	const side, n = 192, 4
	all := imageproc.NewRGB(n*side, n*side)
	ask := Request{Image: all, Tasks: task.SetOf(task.Detect), Threshold: .5}
	var want []annotation.Object
	for i := range n * n {
		part, x, y := scene(t, i, side), i%n*side, i/n*side
		for row := range side {
			copy(all.Pix[3*((y+row)*all.W+x):], part.Pix[3*row*side:3*(row+1)*side])
		}
		r, err := p.Do(t.Context(), Request{Image: part, Tasks: ask.Tasks, Threshold: ask.Threshold})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range r.Objects {
			b := o.Box
			o.Box = annotation.Box{X0: b.X0 + float64(x), Y0: b.Y0 + float64(y), X1: b.X1 + float64(x), Y1: b.Y1 + float64(y)}
			want = append(want, annotation.Object{Label: o.Label, Box: o.Box})
		}
	}
	found := func(tiles int) (hits int) {
		ask.Tiles = tiles
		r, err := p.Do(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if slices.ContainsFunc(r.Objects, func(o Object) bool { return o.Label == w.Label && o.Box.IoU(w.Box) > .5 }) {
				hits++
			}
		}
		return hits
	}
	if once, tiled := found(1), found(4); tiled < len(want)*7/10 || tiled <= once {
		t.Errorf("of %d things %d were found in the whole, %d with tiles", len(want), once, tiled)
	}
	for _, bad := range []Request{{Tasks: task.SetOf(task.Detect), Tiles: MaxTiles + 1}, {Tasks: Everything, Tiles: 2}} {
		bad.Image = all
		var e *Error
		if _, err := p.Do(t.Context(), bad); !errors.As(err, &e) || e.Code != "request.tiles" {
			t.Errorf("tiles %d of %v: %v", bad.Tiles, bad.Tasks, err)
		}
	}
}
