package siglip

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

// Loss implements model.Learner: of every picture and every text of the batch the model is to say whether they belong together.
func (m *Model) Loss(t *autograd.Tape, batch []*model.Prepared) *autograd.Value {
	in := model.Inputs{}
	for _, name := range []string{"pixel_values", "pixel_attention_mask", "spatial_shapes", "input_ids"} {
		if batch[0].Inputs[name] == nil { // the two in the middle are NaFlex's
			continue
		}
		x := model.Batched(t, name, batch)
		in.Put(name, x.Data, x.Shape...)
	}
	out := m.Run(t, in)
	return ops.SigmoidMatch(out["image_embeds"], out["text_embeds"], t.Use(m.LogScale), t.Use(m.Bias), model.Pairs(batch))
}
