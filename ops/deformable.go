package ops

import (
	"math"

	"fovea/autograd"
	"fovea/internal/kernel"
)

// Deformable says where deformable attention looks.
type Deformable struct {
	Heads  int
	Maps   [][2]int // height and width of every map of features
	Points []int    // that a head looks at in each of them
	// Scale times a box's side is what the offsets of all points of a map add up to when each of them is 1.
	Scale float32
}

// tokens and points are how many a picture's maps have, and a head looks at.
func (c *Deformable) tokens() (tokens, points int) {
	for i, m := range c.Maps {
		tokens, points = tokens+m[0]*m[1], points+c.Points[i]
	}
	return tokens, points
}

// DeformableAttention has every query look at a few points of several maps instead of everywhere (Zhu et al. 2021; a number
// of points for each map and offsets scaled by it as in Lv et al. 2024, RT-DETRv2).
//
// v is [B·S, H·K]: the rows of the B pictures, one after the other, of each its maps, one after the other, row by row.
// boxes are centre x and y, width and height of the N queries, in [0, 1] of the picture, and constants. off is [N, H·P·2]:
// a point of a map with n points lies at centre + off·side·Scale/n, x before y. logits is [N, H·P]; their softmax over a
// head's points weighs what is read there by bilinear interpolation, beyond the map's edge zeros. The result is [N, H·K].
// The B pictures have equally many queries. boxes and c must stay as they are until the tape is reset.
func DeformableAttention(v, off, logits *Value, boxes []float32, c *Deformable) *Value {
	t, d := v.Tape(), v.Shape.Last()
	s, p := c.tokens()
	n := logits.Shape.Rows()
	mustBe(v.Shape.Rows()%s == 0 && d%c.Heads == 0 && logits.Shape.Last() == c.Heads*p && len(off.Data) == 2*len(logits.Data) && len(boxes) == 4*n && n%(v.Shape.Rows()/s) == 0,
		"deformable", "[B·S, H·K], [N, H·P·2], [N, H·P] and N boxes", v, off, logits)
	y := t.New(autograd.Wants(v, off, logits), n, d)
	op := autograd.Node[deformableOp](t)
	*op = deformableOp{v: v, off: off, logits: logits, y: y, boxes: boxes, c: c, probs: t.Scratch(len(logits.Data))}
	copy(op.probs, logits.Data)
	kernel.SoftmaxRows(op.probs, n*c.Heads, p, p, 1)
	clear(y.Data)
	op.each(func(at place) {
		out := y.Data[at.out : at.out+at.n]
		for i, w := range at.weight {
			if at.in[i] >= 0 {
				kernel.Axpy(op.probs[at.point]*w, v.Data[at.in[i]:at.in[i]+at.n], out)
			}
		}
	})
	if y.Wanted() {
		t.Push(op)
	}
	return y
}

type deformableOp struct {
	v, off, logits, y *Value
	boxes             []float32
	c                 *Deformable
	probs             []float32 // softmax of the logits
}

// place is one point that one head of one query looks at.
type place struct {
	point  int        // its number among all of them
	out, n int        // the head's columns of the query's row begin at out and are n
	in     [4]int     // where those of the four cells around it begin, top left, top right, bottom left, bottom right; −1: beyond the edge
	weight [4]float32 // of the cells
	fx, fy float32    // how far it is from the left and the upper cells
	dx, dy float32    // cells that an offset of 1 moves it by
}

// each calls f for every place.
func (o *deformableOp) each(f func(at place)) {
	c, d := o.c, o.v.Shape.Last()
	tokens, points := c.tokens()
	n := len(o.boxes) / 4
	queries := n / (o.v.Shape.Rows() / tokens)
	at := place{n: d / c.Heads}
	for q := range n {
		box := o.boxes[4*q : 4*q+4]
		for h := range c.Heads {
			at.out = q*d + h*at.n
			at.point = (q*c.Heads + h) * points
			row := q / queries * tokens
			for l, m := range c.Maps {
				rows, cols := m[0], m[1]
				scale := c.Scale / float32(c.Points[l])
				for range c.Points[l] {
					at.dx, at.dy = scale*box[2]*float32(cols), scale*box[3]*float32(rows)
					at.around(box[0]*float32(cols)-.5+o.off.Data[2*at.point]*at.dx, box[1]*float32(rows)-.5+o.off.Data[2*at.point+1]*at.dy, rows, cols)
					for i, cell := range at.in {
						if cell >= 0 {
							at.in[i] = (row+cell)*d + h*at.n
						}
					}
					f(at)
					at.point++
				}
				row += rows * cols
			}
		}
	}
}

// around finds the cells around x, y, counted from the middle of the first cell, of a map.
func (at *place) around(x, y float32, rows, cols int) {
	at.in = [4]int{-1, -1, -1, -1}
	if !(x > -1 && y > -1 && x < float32(cols) && y < float32(rows)) { // NaN too
		at.weight, at.fx, at.fy = [4]float32{}, 0, 0
		return
	}
	left, top := int(math.Floor(float64(x))), int(math.Floor(float64(y)))
	fx, fy := x-float32(left), y-float32(top)
	at.fx, at.fy = fx, fy
	at.weight = [4]float32{(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy}
	for i := range at.in {
		if cx, cy := left+i%2, top+i/2; cx >= 0 && cy >= 0 && cx < cols && cy < rows {
			at.in[i] = cy*cols + cx
		}
	}
}

// Backward implements autograd.Op.
func (o *deformableOp) Backward() {
	t := o.y.Tape()
	mark := t.Mark()
	dp := t.Zeros(len(o.probs))
	o.each(func(at place) {
		dy, p := o.y.Grad()[at.out:at.out+at.n], o.probs[at.point]
		var dot [4]float32 // of the gradient with what the cells hold
		for i, in := range at.in {
			if in < 0 {
				continue
			}
			dot[i] = kernel.Dot(dy, o.v.Data[in:in+at.n])
			dp[at.point] += at.weight[i] * dot[i]
			if o.v.Wanted() {
				kernel.Axpy(p*at.weight[i], dy, o.v.Grad()[in:in+at.n])
			}
		}
		if o.off.Wanted() {
			o.off.Grad()[2*at.point] += p * at.dx * ((1-at.fy)*(dot[1]-dot[0]) + at.fy*(dot[3]-dot[2]))
			o.off.Grad()[2*at.point+1] += p * at.dy * ((1-at.fx)*(dot[2]-dot[0]) + at.fx*(dot[3]-dot[1]))
		}
	})
	if o.logits.Wanted() {
		_, points := o.c.tokens()
		kernel.SoftmaxRowsGrad(dp, o.probs, dp, len(dp)/points, points, points, 1)
		kernel.AddTo(o.logits.Grad(), dp)
	}
	t.Release(mark)
}
