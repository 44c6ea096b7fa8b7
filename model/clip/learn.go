package clip

import (
	"fovea/autograd"
	"fovea/model"
	"fovea/ops"
	"fovea/task"
)

// Teaches implements model.Learner.
func (m *Model) Teaches() task.Set { return task.SetOf(task.Match) }

// Prepare implements model.Learner.
func (m *Model) Prepare(l model.Lesson) (*model.Prepared, error) {
	return model.Prepare(m, l, l.Answer, nil)
}

// Loss implements model.Learner: every text is to be found among those of the batch, and every picture.
func (m *Model) Loss(t *autograd.Tape, batch []*model.Prepared) *autograd.Value {
	in := model.Inputs{}
	ids := make([][]int32, len(batch))
	for i, p := range batch {
		ids[i] = p.Prompt
	}
	in.PutTexts(ids, m.Config.Text.EOS, 0)
	x := model.Batched(t, "pixel_values", batch)
	in.Put("pixel_values", x.Data, x.Shape...)
	out := m.Run(t, in)
	return ops.SoftmaxMatch(out["image_embeds"], out["text_embeds"], t.Use(m.LogScale), model.Pairs(batch))
}
