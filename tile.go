package fovea

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/model"
	"fovea/task"
)

// Tiles for things that are small in a large picture: a model sees every picture at its own size, so the picture is also cut into
// parts that overlap, each of which is looked at by itself, and what is found in several is reported once (Akyon et al. 2022,
// Slicing Aided Hyper Inference).
const (
	MaxTiles    = 16  // Request.Tiles at most: 256 parts
	tileOverlap = .25 // share of a part's side that it has in common with the next
	tileSame    = .55 // IoU above which boxes of one label that were found in different parts are one thing, unless Request.Overlap says another
	tileCut     = .01 // a box that ends less than this, in sides of the part, from a cut is taken for cut off: another part has all of it
)

// checkTiles names what tiles cannot do.
func (r *Request) checkTiles() error {
	switch {
	case r.Tiles < 0 || r.Tiles > MaxTiles:
		return badInput("request.tiles", fmt.Errorf("fovea: %d by %d tiles, want at most %d", r.Tiles, r.Tiles, MaxTiles))
	case r.Tiles > 1 && r.Tasks != task.SetOf(task.Detect):
		return badInput("request.tiles", fmt.Errorf("fovea: tiles are for detection alone; leave them out, or the other tasks"))
	}
	return nil
}

// tiles detects in every part of a picture by itself. The boxes are pixels of the whole picture.
func (r *Request) tiles(ctx context.Context, run model.Runner, img *imageproc.RGB) ([]Object, error) {
	var out []Object
	xs, ys := cuts(img.W, r.Tiles), cuts(img.H, r.Tiles)
	for _, y := range ys {
		for _, x := range xs {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			part, left, top := img.Crop(x[0], y[0], x[1], y[1])
			view, err := encodePicture(run, part)
			if err != nil {
				return nil, err
			}
			for _, o := range view.Detect(r.detect(false)) {
				dx, dy := tileCut*float64(part.W), tileCut*float64(part.H)
				if left > 0 && o.Box.X0 < dx || top > 0 && o.Box.Y0 < dy ||
					x[1] < img.W && o.Box.X1 > float64(part.W)-dx || y[1] < img.H && o.Box.Y1 > float64(part.H)-dy {
					continue
				}
				o.Box = annotation.Box{X0: o.Box.X0 + float64(left), Y0: o.Box.Y0 + float64(top), X1: o.Box.X1 + float64(left), Y1: o.Box.Y1 + float64(top)}
				out = append(out, o)
			}
		}
	}
	return out, nil
}

// cuts divides a length into n overlapping parts: where each begins and ends.
func cuts(length, n int) [][2]int {
	n = min(n, length)
	side := float64(length) / (float64(n) - float64(n-1)*tileOverlap)
	out := make([][2]int, n)
	for i := range out {
		from := float64(i) * side * (1 - tileOverlap)
		out[i] = [2]int{int(from), min(int(from+side)+1, length)}
	}
	return out
}

// merge joins what was found in the whole picture and in its parts, best first; of several boxes of one thing the best is kept.
func (r *Request) merge(lists ...[]Object) []Object {
	all := slices.Concat(lists...)
	slices.SortStableFunc(all, func(a, b Object) int { return cmp.Compare(b.Score, a.Score) })
	same, limit := cmp.Or(r.Overlap, tileSame), cmp.Or(r.Max, DefaultMax)
	out := []Object{}
	for _, o := range all {
		if len(out) == limit {
			break
		}
		if !slices.ContainsFunc(out, func(k Object) bool { return k.Label == o.Label && k.Box.IoU(o.Box) > same }) {
			out = append(out, o)
		}
	}
	return out
}
