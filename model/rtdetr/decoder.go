package rtdetr

import (
	"fovea/autograd"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
)

// decoder refines queries and their boxes.
type decoder struct {
	Layers []*nn.DeformableBlock `weight:"layers"`
	Pos    *nn.Chain             `weight:"query_pos_head"` // where a box is, for the attention
	Class  []*nn.Dense           `weight:"class_embed"`
	Box    []*nn.Chain           `weight:"bbox_embed"` // what a layer changes of boxes, or of distributions of their edges
	Edges  *nn.EdgeBins          `weight:""`           // nil: RT-DETR
}

// newDecoder makes a blank decoder.
func newDecoder(c *Config) *decoder {
	d, points := c.Width, 0
	for _, n := range c.Points {
		points += n
	}
	r := &decoder{Pos: nn.BlankChain(ops.ReLU, 4, 2*d, d)}
	box := 4
	if c.fine {
		box = 4 * (c.Bins + 1)
		r.Edges = nn.BlankEdgeBins(d, c.Bins, c.Layers, c.Top, c.QualityInner, c.QualityDepth)
	}
	for range c.Layers {
		r.Layers = append(r.Layers, nn.BlankDeformableBlock(c.decoder(), points, c.fine))
		r.Class = append(r.Class, nn.BlankDense(d, len(c.Labels), true))
		r.Box = append(r.Box, nn.BlankChain(ops.ReLU, d, d, d, box))
	}
	return r
}

// run refines queries x [B·Q, D] of b pictures and their boxes, centre and size in [0, 1], which look at the maps' rows memory. It leaves
// logits and pred_boxes, those of all layers, and the states on the way in out.
func (d *decoder) run(out model.Outputs, b int, x, boxes, memory *autograd.Value, look *ops.Deformable) {
	tap := out.Tap("decoder")
	p := &nn.Pass{Layout: &ops.Layout{Images: b, Patches: x.Shape.Rows() / b}}
	var logits, all []*autograd.Value
	var first, corners *autograd.Value // of D-FINE: the boxes that the distributions are about, and their logits
	for i, l := range d.Layers {
		pos := d.Pos.Forward(boxes)
		if d.Edges != nil {
			pos = ops.Clamp(pos, -10, 10)
		}
		before := tap(i, x)
		x = l.Forward(p, x, pos, memory, boxes.Data, look)
		if d.Edges == nil {
			boxes = nn.Refine(boxes, d.Box[i].Forward(x))
			logits, all = append(logits, d.Class[i].Forward(x)), append(all, boxes)
			continue
		}
		if i == 0 {
			first, corners = nn.Refine(boxes, d.Edges.First.Forward(x)), d.Box[i].Forward(x)
		} else {
			corners = ops.Add(d.Box[i].Forward(ops.Add(x, before)), corners)
		}
		if boxes = d.Edges.Move(first, corners); i < len(d.Layers)-1 {
			continue
		}
		score := d.Class[i].Forward(x)
		if i == 0 { // of a single layer the reference gives what it says before, too
			logits, all = append(logits, score), append(all, first)
		}
		logits, all = append(logits, d.Edges.Quality[i].Judge(corners, score)), append(all, boxes)
	}
	tap(len(d.Layers), x)
	out["logits"], out["pred_boxes"] = logits[len(logits)-1], boxes
	out["intermediate_logits"] = nn.Interleave(b, logits...)
	out["intermediate_reference_points"] = nn.Interleave(b, all...)
}
