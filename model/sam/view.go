package sam

import (
	"math"
	"slices"

	"fovea/annotation"
	"fovea/imageproc"
	"fovea/model"
	"fovea/tensor"
)

// How everything in a picture is found, after the automatic mask generator of the model's authors: a grid of points is asked
// about, and of the masks those are kept that the model is sure of, whose edges are sharp, and that are no doubles.
const (
	anything  = "object" // the name of what is found
	gridSide  = 16       // points down and across
	together  = 8        // prompts decoded in one pass: each has a copy of the picture's cells
	minScore  = .88      // of the model's own estimate of a mask's IoU, unless something else is asked for
	minSharp  = .95      // of the IoU of the masks at logits of 1 and −1
	maxDouble = .7       // IoU of two objects' boxes
)

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewRunner(threads, func(w *model.Worker, img *imageproc.RGB) (model.View, error) {
		out, err := w.Run(m, model.Sample{Pictures: []*imageproc.RGB{img}})
		if err != nil {
			return nil, err
		}
		v := &view{m: m, work: w, w: img.W, h: img.H, seen: out.Copy("vision.neck")}
		v.inW, v.inH = m.scaled(img.W, img.H)
		return v, nil
	})
}

// view is what the model has seen of a picture of w × h pixels, which became inW × inH.
type view struct {
	model.Nothing
	m              *Model
	work           *model.Worker
	w, h, inW, inH int
	seen           []float32 // [G, G, D]
}

// Detect implements model.View: everything that is there, its score being the model's estimate of its mask's IoU.
func (v *view) Detect(o model.DetectOptions) []model.Object {
	if o.Overlap == 0 {
		o.Overlap = maxDouble
	}
	var found []model.Object
	logits := map[*annotation.RLE][]float32{} // of masks that are not drawn yet
	points, labels := tensor.New(1, together, 1, 2), tensor.New(1, together, 1)
	for from := 0; from < gridSide*gridSide; from += together {
		for i := range together {
			at := from + i
			points.Data[2*i] = float32((float64(at%gridSide) + .5) / gridSide * float64(v.inW))
			points.Data[2*i+1] = float32((float64(at/gridSide) + .5) / gridSide * float64(v.inH))
			labels.Data[i] = 1
		}
		masks, scores := v.ask(points, labels, nil)
		n := len(masks) / len(scores)
		for i, s := range scores {
			x := model.Object{Label: anything, Score: float64(min(s, 1)), Mask: &annotation.RLE{}}
			one := masks[i*n : (i+1)*n]
			if x.Score >= o.Threshold && sharp(one) {
				x.Box = v.bounds(one)
				found, logits[x.Mask] = append(found, x), slices.Clone(one)
			}
		}
	}
	found = o.Best(found)
	out := found[:0]
	for _, x := range found {
		if *x.Mask = v.draw(logits[x.Mask]); x.Mask.Area() > 0 {
			x.Box = x.Mask.Bounds()
			out = append(out, x)
		}
	}
	return out
}

// Point implements model.Pointed. The score is the model's estimate of the mask's IoU.
func (v *view) Point(marks []model.Mark, boxes []annotation.Box) []model.Object {
	n := max(len(boxes), 1)
	sx, sy := float64(v.inW)/float64(v.w), float64(v.inH)/float64(v.h)
	var points, labels, corners *tensor.Tensor
	if len(marks) > 0 {
		points, labels = tensor.New(1, n, len(marks), 2), tensor.New(1, n, len(marks))
		for i, m := range marks {
			points.Data[2*i], points.Data[2*i+1] = float32(m.X*sx), float32(m.Y*sy)
			if !m.Out {
				labels.Data[i] = 1
			}
		}
	}
	if len(boxes) > 0 {
		corners = tensor.New(1, n, 4)
		for i, b := range boxes {
			copy(corners.Data[4*i:], []float32{float32(b.X0 * sx), float32(b.Y0 * sy), float32(b.X1 * sx), float32(b.Y1 * sy)})
		}
	}
	logits, scores := v.ask(points, labels, corners)
	cells, readings := len(logits)/len(scores), len(scores)/n
	out := make([]model.Object, n)
	for i := range out {
		best := i * readings
		for j := best; j < (i+1)*readings; j++ {
			if scores[j] > scores[best] {
				best = j
			}
		}
		mask := v.draw(logits[best*cells : (best+1)*cells])
		out[i] = model.Object{Label: anything, Score: float64(min(max(scores[best], 0), 1)), Mask: &mask, Box: mask.Bounds()}
	}
	return out
}

// sharp reports that a mask hardly depends on where its edge is drawn.
func sharp(logits []float32) bool {
	in, out := 0., 0.
	for _, l := range logits {
		if l > 1 {
			in++
		}
		if l > -1 {
			out++
		}
	}
	return in > 0 && in >= minSharp*out
}

// bounds is a mask's box in pixels of the picture, as fine as the mask's cells.
func (v *view) bounds(logits []float32) annotation.Box {
	side := int(math.Sqrt(float64(len(logits))))
	cell := float64(v.m.Config.Vision.Image) / float64(side)
	b := annotation.Box{X0: math.Inf(1), Y0: math.Inf(1)}
	for i, l := range logits {
		if l > 0 {
			x, y := float64(i%side), float64(i/side)
			b = annotation.Box{X0: min(b.X0, x), Y0: min(b.Y0, y), X1: max(b.X1, x+1), Y1: max(b.Y1, y+1)}
		}
	}
	sx, sy := cell*float64(v.w)/float64(v.inW), cell*float64(v.h)/float64(v.inH)
	return annotation.Box{X0: b.X0 * sx, Y0: b.Y0 * sy, X1: b.X1 * sx, Y1: b.Y1 * sy}.Clip(float64(v.w), float64(v.h))
}

// draw is the mask of the picture's size.
func (v *view) draw(logits []float32) annotation.RLE {
	side := int(math.Sqrt(float64(len(logits))))
	columns := make([]float32, len(logits))
	model.Columns(columns, logits, side)
	mask, _ := model.NewMaskFrame(side, v.m.Config.Vision.Image, v.inW, v.inH, v.w, v.h).Mask(columns)
	return mask
}

// ask decodes prompts about the picture: mask logits [N·M, 4·G, 4·G] and their scores [N·M]. The tape is reset.
func (v *view) ask(points, labels, boxes *tensor.Tensor) (masks, scores []float32) {
	m, t := v.m, v.work.Tape
	g := m.Config.Vision.Image / m.Config.Vision.Patch
	t.Reset()
	out := model.Outputs{}
	m.answer(out, "", t.Input(v.seen, 1, g, g, m.Config.Decoder.Width), m.prompts(t, points, labels, boxes))
	return out.Copy("pred_masks"), out.Copy("iou_scores")
}
