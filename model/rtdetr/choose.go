package rtdetr

import (
	"slices"

	"fovea/autograd"
	"fovea/imageproc"
	"fovea/model"
	"fovea/nn"
	"fovea/ops"
)

// choose makes queries [B·Q, D] of the places of each of b pictures that are surest to show an object, the surest first, with
// their boxes in [0, 1]. memory is [B·S, D]. enc_topk_ind [B, Q] among the inputs says which places instead, and among the outputs
// which they were: networks whose places differ cannot be compared query by query.
func (m *Model) choose(in model.Inputs, out model.Outputs, memory *autograd.Value, sizes [][2]int, b int) (queries, boxes *autograd.Value) {
	t, c := memory.Tape(), &m.Config
	anchors, valid := nn.Anchors(sizes)
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
	var rows []ops.Ref
	var chosen []int
	k, q := len(c.Labels), min(c.Queries, len(valid))
	indices := t.New(false, b, q)
	for p := range b {
		best := nn.Top(len(valid), q, func(i int) float32 {
			at := (p*len(valid) + i) * k
			return slices.Max(score.Data[at : at+k])
		})
		for j, i := range best {
			if given := in["enc_topk_ind"]; given != nil {
				i = int(given.Data[p*q+j])
			}
			rows, chosen = append(rows, ops.Ref{Row: int32(p*len(valid) + i)}), append(chosen, i)
			indices.Data[p*q+j] = float32(i)
		}
	}
	out["enc_topk_ind"] = indices
	queries = ops.Gather(t, rows, places)
	out["enc_topk_logits"] = ops.Gather(t, rows, score)
	boxes = nn.RefineAnchors(anchors, chosen, m.Box.Forward(queries))
	out["enc_topk_bboxes"] = boxes
	return queries, boxes
}

// NewRunner implements model.Model. There are as many objects as queries, as the reference has it.
func (m *Model) NewRunner(threads int) model.Runner {
	return model.NewLooker(m, threads, func(out model.Outputs, img *imageproc.RGB) model.View {
		return model.DetectEach(out["logits"].Data, out["pred_boxes"].Data, m.Config.Labels, m.Config.Queries, img.W, img.H)
	})
}
