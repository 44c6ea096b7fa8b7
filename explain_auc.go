package fovea

import (
	"cmp"
	"context"
	"math"
	"slices"

	"fovea/imageproc"
	"fovea/model/unified"
)

const (
	aucSteps = 16 // in which regions are taken from a picture, or put into it
	aucBatch = 4  // pictures in a pass
)

// aucs gives deleted and inserted, the areas, in [0, 1], under the score of an answer while the regions of a picture are replaced by
// its mean colour, and while they are put into a blurred copy of it, the most important ones first (Petsiuk et al. 2018, "RISE").
// If the answer rests on what the values say, the score falls early and rises early: deleted is small and inserted is large.
func (r *nativeRunner) aucs(ctx context.Context, square *imageproc.RGB, g imageproc.Geometry, a *unified.Answer, m Regions) (deleted, inserted float64, err error) {
	order := make([]int, len(m.Values))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(m.Values[j], m.Values[i]) })
	cells := cellsOf(square, g, m.Grid)
	mean, blurred := cells.mean(), cells.blurred()
	if deleted, err = r.auc(ctx, cells, square, mean, order, a); err != nil {
		return 0, 0, err
	}
	inserted, err = r.auc(ctx, cells, blurred, square, order, a)
	return deleted, inserted, err
}

// auc is the area under the score while the cells of one picture, in their order, give way to those of another.
func (r *nativeRunner) auc(ctx context.Context, c *cells, from, to *imageproc.RGB, order []int, a *unified.Answer) (float64, error) {
	now, done, area := from.Clone(), 0, 0.
	var batch []*imageproc.RGB
	for step := range aucSteps + 1 {
		for upTo := step * len(order) / aucSteps; done < upTo; done++ {
			c.copy(now, to, order[done])
		}
		batch = append(batch, now.Clone())
		if len(batch) < aucBatch && step < aucSteps {
			continue
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		for i, s := range r.run.Scores(batch, a) {
			if at := step - len(batch) + 1 + i; at == 0 || at == aucSteps { // the trapezoids' rule
				s /= 2
			}
			area += s / aucSteps
		}
		batch = batch[:0]
	}
	return area, nil
}

// cells are the regions of a picture as they lie in the model's square.
type cells struct {
	square     *imageproc.RGB
	rows, cols []int // where they begin, pixels of the square, and at last where the picture ends
}

func cellsOf(square *imageproc.RGB, g imageproc.Geometry, grid [2]int) *cells {
	x0, y0 := g.ToModel(0, 0)
	x1, y1 := g.ToModel(float64(g.SrcW), float64(g.SrcH))
	cut := func(a, b float64, n, most int) []int {
		a, b = math.Floor(a), math.Ceil(b)
		out := make([]int, n+1)
		for i := range out {
			out[i] = min(max(int(math.Round(a+(b-a)*float64(i)/float64(n))), 0), most)
		}
		return out
	}
	return &cells{square, cut(y0, y1, grid[0], square.H), cut(x0, x1, grid[1], square.W)}
}

// copy puts a cell of one picture into another one.
func (c *cells) copy(to, from *imageproc.RGB, cell int) {
	n := len(c.cols) - 1
	i, j := cell/n, cell%n
	for y := c.rows[i]; y < c.rows[i+1]; y++ {
		a, b := 3*(y*to.W+c.cols[j]), 3*(y*to.W+c.cols[j+1])
		copy(to.Pix[a:b], from.Pix[a:b])
	}
}

// bounds are the picture's in the square.
func (c *cells) bounds() (x0, y0, x1, y1 int) {
	return c.cols[0], c.rows[0], c.cols[len(c.cols)-1], c.rows[len(c.rows)-1]
}

// mean is a square of the picture's mean colour.
func (c *cells) mean() *imageproc.RGB {
	x0, y0, x1, y1 := c.bounds()
	var sum [3]int
	for y := y0; y < y1; y++ {
		for x := x0; x < x1; x++ {
			for k := range sum {
				sum[k] += int(c.square.Pix[3*(y*c.square.W+x)+k])
			}
		}
	}
	out, n := c.square.Clone(), max((x1-x0)*(y1-y0), 1)
	for i := range out.Pix {
		out.Pix[i] = uint8((sum[i%3] + n/2) / n)
	}
	return out
}

// blur is by how much a picture is made smaller and larger again, so that no shape in it can be told.
const blur = 16

// blurred is the square with a blurred picture.
func (c *cells) blurred() *imageproc.RGB {
	out := c.square.Clone()
	x0, y0, x1, y1 := c.bounds()
	part, _, _ := c.square.Crop(x0, y0, x1, y1)
	small := imageproc.Resize(part, max(part.W/blur, 1), max(part.H/blur, 1), imageproc.Box)
	soft := imageproc.Resize(small, part.W, part.H, imageproc.Bilinear)
	for y := range soft.H {
		copy(out.Pix[3*((y0+y)*out.W+x0):], soft.Pix[3*y*soft.W:3*(y+1)*soft.W])
	}
	return out
}
