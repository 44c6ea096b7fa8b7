package unified

import (
	"fovea/annotation"
	"fovea/imageproc"
)

// A person who is small in the picture is a few patches wide, and a joint cannot be told from its neighbour. Their surroundings are
// cut out, enlarged to the model's square, and looked at again, as methods do that find poses person by person
// (top-down: Papandreou et al. 2017; Xu et al., ViTPose, 2022).
const (
	zoomMargin = 1.6 // side of what is cut out, in lengths of the longer side of the person's box
	zoomMost   = .8  // it is cut out when it is less than this of the picture's longer side
	zoomBatch  = 8   // cut-outs that are encoded together
)

// PosesIn finds the joints of people whose boxes are known, in pixels of the picture, of which g says how it lies in the
// model's square: COCO's 17 joints each. With a source, which is that picture, people who are small in it are looked at
// again, enlarged, at the cost of encoding another picture for each.
func (r *Runner) PosesIn(p *Picture, g imageproc.Geometry, source *imageproc.RGB, boxes []annotation.Box) [][]annotation.Joint {
	out := r.posesIn(p, g, boxes)
	if source == nil {
		return out
	}
	var who []int
	for i, b := range boxes {
		x, y := b.Center()
		inside := x >= 0 && y >= 0 && x < float64(source.W) && y < float64(source.H)
		if inside && zoomMargin*max(b.X1-b.X0, b.Y1-b.Y0) < zoomMost*float64(max(source.W, source.H)) {
			who = append(who, i)
		}
	}
	for len(who) > 0 {
		n := min(len(who), zoomBatch)
		r.closer(source, boxes, who[:n], p.mirror != nil, out)
		who = who[n:]
	}
	return out
}

// closer replaces the joints of some people by those found in their enlarged surroundings, and the mirror image of these.
func (r *Runner) closer(source *imageproc.RGB, boxes []annotation.Box, who []int, mirrored bool, out [][]annotation.Joint) {
	fit := r.m.Config.Fit()
	squares, fits := make([]*imageproc.RGB, len(who)), make([]imageproc.Geometry, len(who))
	corners := make([][2]float64, len(who))
	for k, i := range who {
		x, y := boxes[i].Center()
		half := zoomMargin / 2 * max(boxes[i].X1-boxes[i].X0, boxes[i].Y1-boxes[i].Y0)
		part, x0, y0 := source.Crop(int(x-half), int(y-half), int(x+half)+1, int(y+half)+1)
		squares[k], fits[k] = fit.Apply(part)
		corners[k] = [2]float64{float64(x0), float64(y0)}
	}
	var parts []*Picture
	if mirrored {
		for _, s := range squares {
			parts = append(parts, r.EncodeMirrored(s))
		}
	} else {
		parts = r.EncodeBatch(squares)
	}
	for k, p := range parts {
		b, x0, y0 := boxes[who[k]], corners[k][0], corners[k][1]
		joints := r.posesIn(p, fits[k], []annotation.Box{{X0: b.X0 - x0, Y0: b.Y0 - y0, X1: b.X1 - x0, Y1: b.Y1 - y0}})[0]
		for j := range joints {
			joints[j].X += x0
			joints[j].Y += y0
		}
		out[who[k]] = joints
	}
}

// posesIn is PosesIn with one look.
func (r *Runner) posesIn(p *Picture, g imageproc.Geometry, boxes []annotation.Box) [][]annotation.Joint {
	s := float64(r.m.Config.Size)
	inside := make([]annotation.Box, len(boxes))
	for i, b := range boxes {
		x0, y0 := g.ToModel(b.X0, b.Y0)
		x1, y1 := g.ToModel(b.X1, b.Y1)
		inside[i] = annotation.Box{X0: x0 / s, Y0: y0 / s, X1: x1 / s, Y1: y1 / s}
	}
	out := r.Poses(p, inside)
	for _, joints := range out {
		for i, j := range joints {
			x, y := g.ToSource(j.X*s, j.Y*s)
			joints[i].X, joints[i].Y = min(max(x, 0), float64(g.SrcW)), min(max(y, 0), float64(g.SrcH))
		}
	}
	return out
}
