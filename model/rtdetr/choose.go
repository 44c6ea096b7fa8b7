package rtdetr

import (
	"math"
	"slices"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/model"
	"fovea/ops"
)

// choose makes queries [B·Q, D] of the places of each of b pictures that are surest to show an object, the surest first, with
// their boxes in [0, 1]. memory is [B·S, D].
func (m *Model) choose(out model.Outputs, memory *autograd.Value, sizes [][2]int, b int) (queries, boxes *autograd.Value) {
	t, c := memory.Tape(), &m.Config
	anchors, valid := anchors(sizes)
	zero := t.New(false, 1, memory.Shape.Last())
	clear(zero.Data)
	refs := make([]ops.Ref, memory.Shape.Rows())
	for i := range refs {
		if refs[i].Table = 1; valid[i%len(valid)] {
			refs[i] = ops.Ref{Row: int32(i)}
		}
	}
	places := m.PlaceNorm.Forward(m.Place.Forward(ops.Gather(t, refs, memory, zero)))
	score := m.Score.Forward(places)
	out["enc_score"] = score
	chosen, k := make([]ops.Ref, 0, b*c.Queries), len(c.Labels)
	for p := range b {
		for _, i := range top(len(valid), c.Queries, func(i int) float32 {
			at := (p*len(valid) + i) * k
			return slices.Max(score.Data[at : at+k])
		}) {
			chosen = append(chosen, ops.Ref{Row: int32(p*len(valid) + i)})
		}
	}
	queries = ops.Gather(t, chosen, places)
	out["enc_topk_logits"] = ops.Gather(t, chosen, score)
	delta := m.Box.Forward(queries)
	boxes = t.New(false, len(chosen), 4)
	for i, r := range chosen {
		for j := range 4 {
			boxes.Data[4*i+j] = sigmoid(delta.Data[4*i+j] + anchors[4*(int(r.Row)%len(valid))+j])
		}
	}
	out["enc_topk_bboxes"] = boxes
	return queries, boxes
}

// anchors are the boxes that the places of maps stand for, before the sigmoid, four numbers each: centred on the place, and
// from map to map twice as large. Those that touch the edge of the picture are not valid.
func anchors(sizes [][2]int) (boxes []float32, valid []bool) {
	const eps = 1e-2
	for level, s := range sizes {
		side := float32(.05 * math.Exp2(float64(level)))
		for i := range s[0] * s[1] {
			box := [4]float32{(float32(i%s[1]) + .5) / float32(s[1]), (float32(i/s[1]) + .5) / float32(s[0]), side, side}
			ok := true
			for j, v := range box {
				ok = ok && v > eps && v < 1-eps
				box[j] = float32(math.Log(float64(v / (1 - v))))
			}
			if !ok {
				box = [4]float32{math.MaxFloat32, math.MaxFloat32, math.MaxFloat32, math.MaxFloat32}
			}
			boxes, valid = append(boxes, box[:]...), append(valid, ok)
		}
	}
	return boxes, valid
}

// top are the k of n whose scores are largest, the largest first.
func top(n, k int, score func(i int) float32) []int {
	all, scores := make([]int, n), make([]float32, n)
	for i := range all {
		all[i], scores[i] = i, score(i)
	}
	slices.SortStableFunc(all, func(a, b int) int {
		switch {
		case scores[a] > scores[b]:
			return -1
		case scores[a] < scores[b]:
			return 1
		}
		return 0
	})
	return all[:min(k, n)]
}

func sigmoid(x float32) float32 { return float32(1 / (1 + math.Exp(-float64(x)))) }

// logit is the inverse of sigmoid; what is within 1e-5 of an end counts as if it were there.
func logit(x float32) float32 {
	const eps = 1e-5
	x = min(max(x, 0), 1)
	return float32(math.Log(float64(max(x, eps)) / float64(max(1-x, eps))))
}

// NewRunner implements model.Model.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewLooker(m, threads, func(out model.Outputs, img *imageproc.RGB) model.View {
		return m.see(out["logits"].Data, out["pred_boxes"].Data, float64(img.W), float64(img.H))
	})
}

// view is what a model sees: every query may answer with several classes, each with a probability of its own.
type view struct {
	model.Nothing
	found []model.Object
}

// see lists the objects of a picture of w × h pixels, the surest first: as many as there are queries, as the reference does.
// Boxes are clipped to the picture.
func (m *Model) see(logits, boxes []float32, w, h float64) *view {
	v, k := &view{}, len(m.Config.Labels)
	for _, i := range top(len(logits), m.Config.Queries, func(i int) float32 { return logits[i] }) {
		v.found = append(v.found, model.Object{
			Label: m.Config.Labels[i%k], Score: float64(sigmoid(logits[i])), Box: model.Corners(boxes[i/k*4:], w, h).Clip(w, h),
		})
	}
	return v
}

// Detect implements model.View.
func (v *view) Detect(o model.DetectOptions) []model.Object { return o.Best(slices.Clone(v.found)) }
