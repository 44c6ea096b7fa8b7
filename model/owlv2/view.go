package owlv2

import (
	"math"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
)

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner {
	r := &runner{model.NewMatcher(m, threads, 1)}
	r.Template = "{}"
	return r
}

// runner finds texts' vectors as a Matcher does.
type runner struct{ *model.Matcher }

// Encode implements model.Runner.
func (r *runner) Encode(img *imageproc.RGB) (model.View, error) {
	out, err := r.Run(r.Net, model.Sample{Pictures: []*imageproc.RGB{img}})
	if err != nil {
		return nil, err
	}
	return &view{
		r: r, w: img.W, h: img.H, boxes: out.Copy("pred_boxes"), vectors: out.Copy("class_embeds"),
		shift: out.Copy("class_shift"), scale: out.Copy("class_scale"),
	}, nil
}

type view struct {
	model.Nothing
	r                            *runner
	w, h                         int
	boxes, vectors, shift, scale []float32
}

// Detect implements model.View: every patch answers with the query that fits it best.
func (v *view) Detect(o model.DetectOptions) []model.Object {
	var found []model.Object
	side := float64(max(v.w, v.h)) // the square that the picture was filled up to
	var queries [][]float32
	for _, q := range o.Query {
		queries = append(queries, v.r.LabelVector(q))
	}
	for i := range v.shift {
		best, label := float32(math.Inf(-1)), ""
		for j, q := range queries {
			dot := float32(0)
			for k, x := range q {
				dot += x * v.vectors[i*len(q)+k]
			}
			if s := fit(dot, v.shift[i], v.scale[i]); s > best {
				best, label = s, o.Query[j]
			}
		}
		score := model.Sigmoid(best)
		if score >= o.Threshold {
			found = append(found, model.Object{Label: label, Score: score, Box: model.Corners(v.boxes[4*i:], side, side).Clip(float64(v.w), float64(v.h))})
		}
	}
	return o.Best(found)
}

// guide finds in the pictures what query pictures q [B, S, S, 3] show, one for each: guided_logits [B·P, 1],
// guided_target_boxes, and guided_query_boxes, those of the query pictures. The patch that is surest to see an object stands
// for a query picture.
func (m *Model) guide(out model.Outputs, q *autograd.Value) {
	b := q.Shape[0]
	h := m.CLIP.Vision.Forward(&nn.Pass{}, q)
	seen := model.Outputs{}
	m.answers(seen, m.features(h, b), q)
	sure := seen["objectness_logits"].Data
	n := len(sure) / b
	stand := make([]ops.Ref, b)
	for i := range stand {
		best := i * n
		for j := best; j < (i+1)*n; j++ {
			if sure[j] > sure[best] {
				best = j
			}
		}
		stand[i].Row = int32(best)
	}
	out["guided_query_boxes"], out["guided_target_boxes"] = seen["pred_boxes"], out["pred_boxes"]
	out["guided_logits"] = m.logits(out, ops.Gather(q.Tape(), stand, seen["class_embeds"]), b)
}
