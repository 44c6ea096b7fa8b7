package eval

import (
	"math"

	"fovea/annotation"
)

// box is COCO's rectangle, x, y, width and height in pixels. Corners would round differently.
type box [4]float64

// joint is one point of a body, pixels; v > 0 when it is labelled.
type joint struct{ x, y, v float64 }

// similarity is how much each prediction agrees with each object of the truth, [predictions, truth] in [0, 1]: IoU of
// boxes or masks, object keypoint similarity of joints.
func similarity(task Task, truth, preds []instance) []float64 {
	if len(truth) == 0 || len(preds) == 0 {
		return nil
	}
	out := make([]float64, 0, len(truth)*len(preds))
	var bounds []box // of the masks in truth
	if task == Masks {
		for _, g := range truth {
			bounds = append(bounds, boundsOf(g.mask))
		}
	}
	for _, p := range preds {
		var pb box
		if task == Masks {
			pb = boundsOf(p.mask)
		}
		for i, g := range truth {
			switch task {
			case Boxes:
				out = append(out, boxIoU(p.box, g.box, g.crowd))
			case Masks:
				s := boxIoU(pb, bounds[i], g.crowd)
				if s > 0 {
					s = p.mask.IoU(g.mask, g.crowd)
				}
				out = append(out, s)
			case Keypoints:
				out = append(out, keypointSimilarity(p, g))
			}
		}
	}
	return out
}

func boundsOf(r annotation.RLE) box {
	b := r.Bounds()
	return box{b.X0, b.Y0, b.W(), b.H()}
}

// boxIoU is the intersection over the union, or over the prediction's area where the truth is a crowd.
func boxIoU(p, g box, crowd bool) float64 {
	w := min(p[2]+p[0], g[2]+g[0]) - max(p[0], g[0])
	h := min(p[3]+p[1], g[3]+g[1]) - max(p[1], g[1])
	if w <= 0 || h <= 0 {
		return 0
	}
	i := w * h
	if crowd {
		return i / float64(p[2]*p[3])
	}
	return i / (float64(p[2]*p[3]) + float64(g[2]*g[3]) - i)
}

// keypointSimilarity is COCO's OKS: the mean over the labelled joints of exp(-d² / (2·area·(2σ)²)), d the distance in
// pixels (Ronchi & Perona 2017). Where no joint is labelled, d is the distance to a region around the object's box: such
// truth is not counted, and it takes the predictions that lie on it, which then do not count either.
func keypointSimilarity(p, g instance) float64 {
	labelled := 0
	for _, j := range g.joints {
		if j.v > 0 {
			labelled++
		}
	}
	x0, x1 := g.box[0]-g.box[2], g.box[0]+float64(g.box[2]*2)
	y0, y1 := g.box[1]-g.box[3], g.box[1]+float64(g.box[3]*2)
	const spacing = 0x1p-52 // of float64 at 1, keeps an area of 0 from dividing
	sum, n := 0.0, 0
	for i, j := range p.joints {
		var dx, dy float64
		switch {
		case labelled == 0:
			dx = max(0, x0-j.x) + max(0, j.x-x1)
			dy = max(0, y0-j.y) + max(0, j.y-y1)
		case g.joints[i].v > 0:
			dx, dy = j.x-g.joints[i].x, j.y-g.joints[i].y
		default:
			continue
		}
		v := p.sigmas[i] * 2
		sum += math.Exp(-(float64(dx*dx) + float64(dy*dy)) / float64(v*v) / (g.area + spacing) / 2)
		n++
	}
	return sum / float64(n)
}
