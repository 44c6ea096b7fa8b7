package rtdetr

import (
	"math"
	"slices"

	"fovea/autograd"
	"fovea/internal/kernel"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
)

// decoder refines queries and their boxes.
type decoder struct {
	Layers []*layer    `weight:"layers"`
	Pos    *nn.Chain   `weight:"query_pos_head"` // where a box is, for the attention
	Class  []*nn.Dense `weight:"class_embed"`
	Box    []*nn.Chain `weight:"bbox_embed"` // what a layer changes of boxes, or of distributions of their edges
	Fine   *fine       `weight:""`           // nil: RT-DETR
}

// layer is a block of the decoder: attention among the queries, deformable attention to the maps, and a feed-forward layer,
// each added to its input and normed.
type layer struct {
	Attn      *nn.Attention  `weight:"attn"`
	Norm1     *nn.LayerNorm  `weight:"norm1"`
	Cross     *nn.Deformable `weight:"cross"`
	CrossNorm *nn.LayerNorm  `weight:"cross_norm"` // nil in D-FINE
	Gate      *gate          `weight:"gateway"`    // nil in RT-DETR
	MLP       *nn.MLP        `weight:"mlp"`
	Norm2     *nn.LayerNorm  `weight:"norm2"`
}

// gate weighs, feature by feature, what a query was and what it saw; it stands in place of adding them.
type gate struct {
	Gate *nn.Dense     `weight:"gate"`
	Norm *nn.LayerNorm `weight:"norm"`
}

// fine is D-FINE's way to boxes: a first box, and the distances of its edges as distributions, to which every layer adds.
type fine struct {
	Up      *autograd.Param `weight:"up"`            // [1]: how far an edge can move, in sides of the first box
	Scale   *autograd.Param `weight:"reg_scale"`     // [1]: how fast bins grow away from the middle
	First   *nn.Chain       `weight:"pre_bbox_head"` // what the first box changes of the query's
	Quality []*quality      `weight:"lqe_layers"`
}

// quality adds to all logits of a query how sharp its distributions are.
type quality struct {
	Conf *nn.Chain `weight:"reg_conf"`
}

// newDecoder makes a blank decoder.
func newDecoder(c *Config) *decoder {
	d, points, act := c.Width, 0, must(c.Act)
	for _, n := range c.Points {
		points += n
	}
	r := &decoder{Pos: nn.BlankChain(ops.ReLU, 4, 2*d, d)}
	box := 4
	if c.fine {
		box = 4 * (c.Bins + 1)
		r.Fine = &fine{Up: nn.Blank(autograd.Vector, 1), Scale: nn.Blank(autograd.Vector, 1), First: nn.BlankChain(ops.ReLU, d, d, d, 4)}
	}
	for range c.Layers {
		l := &layer{
			Attn: nn.BlankAttention(d, c.Heads, true), Norm1: nn.BlankNorm(d, c.Eps), Cross: nn.BlankDeformable(d, c.Heads, points, !c.fine),
			MLP: nn.BlankMLP(d, c.Inner, act), Norm2: nn.BlankNorm(d, c.Eps),
		}
		if c.fine {
			l.Gate = &gate{nn.BlankDense(2*d, 2*d, true), nn.BlankNorm(d, 1e-5)}
			widths := slices.Concat([]int{4 * (c.Top + 1)}, slices.Repeat([]int{c.QualityInner}, c.QualityDepth-1), []int{1})
			r.Fine.Quality = append(r.Fine.Quality, &quality{nn.BlankChain(ops.ReLU, widths...)})
		} else {
			l.CrossNorm = nn.BlankNorm(d, c.Eps)
		}
		r.Layers = append(r.Layers, l)
		r.Class = append(r.Class, nn.BlankDense(d, len(c.Labels), true))
		r.Box = append(r.Box, nn.BlankChain(ops.ReLU, d, d, d, box))
	}
	return r
}

// must is an activation whose name has been checked.
func must(name string) func(*autograd.Value) *autograd.Value {
	f, _ := nn.Activation(name)
	return f
}

// state is what the layers work on.
type state struct {
	c        *Config
	pictures int
	x        *autograd.Value // queries [B·Q, D]
	boxes    *autograd.Value // theirs: centre and size, [0, 1]
	memory   *autograd.Value // the maps' rows
	look     *ops.Deformable

	// Of D-FINE.
	first   *autograd.Value // the boxes that the distributions are about
	corners *autograd.Value // logits of the distributions, [B·Q, 4·(bins+1)]
	before  *autograd.Value // the queries before the layer
}

// run leaves logits and pred_boxes, those of all layers, and the states on the way in out.
func (d *decoder) run(t *autograd.Tape, out model.Outputs, s *state) {
	tap := out.Tap("decoder")
	p := &nn.Pass{Layout: &ops.Layout{Images: s.pictures, Patches: s.x.Shape.Rows() / s.pictures}}
	var logits, boxes []*autograd.Value
	for i, l := range d.Layers {
		pos := d.Pos.Forward(s.boxes)
		if d.Fine != nil {
			pos = ops.Clamp(pos, -10, 10)
		}
		s.before = tap(i, s.x)
		s.x = l.forward(p, s, pos)
		if d.Fine == nil {
			s.boxes = refine(s.boxes, d.Box[i].Forward(s.x))
			logits, boxes = append(logits, d.Class[i].Forward(s.x)), append(boxes, s.boxes)
			continue
		}
		d.Fine.refine(s, i, d.Box[i])
		if i < len(d.Layers)-1 {
			continue
		}
		score := d.Class[i].Forward(s.x)
		if i == 0 { // of a single layer the reference gives what it says before, too
			logits, boxes = append(logits, score), append(boxes, s.first)
		}
		logits, boxes = append(logits, d.Fine.Quality[i].judge(s, score)), append(boxes, s.boxes)
	}
	tap(len(d.Layers), s.x)
	out["logits"], out["pred_boxes"] = logits[len(logits)-1], s.boxes
	out["intermediate_logits"] = interleave(logits, s.pictures)
	out["intermediate_reference_points"] = interleave(boxes, s.pictures)
}

// interleave lists the rows of values picture by picture, and of each value by value.
func interleave(vs []*autograd.Value, pictures int) *autograd.Value {
	n := vs[0].Shape.Rows() / pictures
	var refs []ops.Ref
	for b := range pictures {
		for i := range vs {
			for j := range n {
				refs = append(refs, ops.Ref{Table: int32(i), Row: int32(b*n + j)})
			}
		}
	}
	return ops.Gather(vs[0].Tape(), refs, vs...)
}

func (l *layer) forward(p *nn.Pass, s *state, pos *autograd.Value) *autograd.Value {
	x := l.Norm1.Forward(ops.Add(s.x, l.Attn.Placed(p, s.x, pos)))
	seen := l.Cross.Forward(ops.Add(x, pos), s.memory, s.boxes.Data, s.look)
	if l.Gate != nil {
		x = l.Gate.forward(x, seen)
	} else {
		x = l.CrossNorm.Forward(ops.Add(x, seen))
	}
	x = ops.Add(x, l.MLP.Forward(p, x))
	if l.Gate != nil {
		x = ops.Clamp(x, -65504, 65504)
	}
	return l.Norm2.Forward(x)
}

func (g *gate) forward(x, seen *autograd.Value) *autograd.Value {
	d := x.Shape.Last()
	w := ops.Sigmoid(g.Gate.Forward(ops.Join(x, seen)))
	return g.Norm.Forward(ops.Add(ops.Mul(ops.Columns(w, 0, d), x), ops.Mul(ops.Columns(w, d, 2*d), seen)))
}

// refine moves boxes by delta, both before the sigmoid.
func refine(boxes, delta *autograd.Value) *autograd.Value {
	y := boxes.Tape().New(false, boxes.Shape...)
	for i, b := range boxes.Data {
		y.Data[i] = sigmoid(delta.Data[i] + logit(b))
	}
	return y
}

// refine adds layer i's change to the distributions and moves the edges of the first boxes to where they say.
func (f *fine) refine(s *state, i int, head *nn.Chain) {
	if i == 0 {
		s.first = refine(s.boxes, f.First.Forward(s.x))
		s.corners = head.Forward(s.x)
	} else {
		s.corners = ops.Add(head.Forward(ops.Add(s.x, s.before)), s.corners)
	}
	t, bins := s.x.Tape(), s.c.Bins
	scale := float32(math.Abs(float64(f.Scale.Data[0])))
	dist := ops.Expect(t.View(s.corners, len(s.corners.Data)/(bins+1), bins+1), weights(bins, f.Up.Data[0], f.Scale.Data[0])).Data
	s.boxes = t.New(false, s.first.Shape...)
	for j := 0; j < len(dist); j += 4 {
		b, d, y := s.first.Data[j:j+4], dist[j:j+4], s.boxes.Data[j:j+4]
		x0, y0 := b[0]-(.5*scale+d[0])*(b[2]/scale), b[1]-(.5*scale+d[1])*(b[3]/scale)
		x1, y1 := b[0]+(.5*scale+d[2])*(b[2]/scale), b[1]+(.5*scale+d[3])*(b[3]/scale)
		y[0], y[1], y[2], y[3] = (x0+x1)/2, (y0+y1)/2, x1-x0, y1-y0
	}
}

// weights are the distances that an even number of bins and one more stand for, from −2·a to 2·a with a = |up·scale|: none in
// the middle, and from bin to bin by a constant factor more (D-FINE, eq. 2).
func weights(bins int, up, scale float32) []float32 {
	a := math.Abs(float64(up)) * math.Abs(float64(scale))
	step := math.Pow(a+1, 2/float64(bins-2))
	w := make([]float32, bins+1)
	for i := 1; i < bins/2; i++ {
		d := float32(math.Pow(step, float64(i)) - 1)
		w[bins/2-i], w[bins/2+i] = -d, d
	}
	w[0], w[bins] = float32(-2*a), float32(2*a)
	return w
}

// judge adds to each query's logits what its distributions' largest probabilities and their mean say.
func (q *quality) judge(s *state, logits *autograd.Value) *autograd.Value {
	t, n, k := logits.Tape(), s.c.Bins+1, s.c.Top
	edges := len(s.corners.Data) / n
	p := t.Scratch(len(s.corners.Data))
	copy(p, s.corners.Data)
	kernel.SoftmaxRows(p, edges, n, n, 1)
	stat := t.New(false, edges/4, 4*(k+1))
	for i := range edges {
		row, to := p[i*n:(i+1)*n], stat.Data[i*(k+1):(i+1)*(k+1)]
		slices.SortFunc(row, func(a, b float32) int {
			switch {
			case a > b:
				return -1
			case a < b:
				return 1
			}
			return 0
		})
		sum := float32(0)
		for j, v := range row[:k] {
			to[j], sum = v, sum+v
		}
		to[k] = sum / float32(k)
	}
	better := q.Conf.Forward(stat)
	y, labels := t.New(false, logits.Shape...), logits.Shape.Last()
	for i, v := range logits.Data {
		y.Data[i] = v + better.Data[i/labels]
	}
	return y
}
