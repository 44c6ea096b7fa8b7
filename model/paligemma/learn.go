package paligemma

import (
	"fmt"

	"fovea/autograd"
	"fovea/model"
	"fovea/nn"
	"fovea/task"
)

// Teaches implements model.Learner.
func (m *Model) Teaches() task.Set { return task.SetOf(task.Ask, task.Caption) }

// Prepare implements model.Learner.
func (m *Model) Prepare(l model.Lesson) (*model.Prepared, error) {
	prompt := m.voice.Describe
	if l.Task == task.Ask {
		prompt = phrase(l.Question)
	}
	if err := m.voice.Question(prompt); err != nil {
		return nil, fmt.Errorf("paligemma: %w", err)
	}
	p, err := model.Prepare(m, l, prompt, nil)
	if err == nil {
		p.Answer, err = m.voice.Ending(len(p.Prompt), l.Answer)
	}
	return p, err
}

// Loss implements model.Learner.
func (m *Model) Loss(t *autograd.Tape, batch []*model.Prepared) *autograd.Value {
	h := m.Vision.Forward(&nn.Pass{}, model.Batched(t, "pixel_values", batch))
	return m.voice.Loss(m.Project.Forward(h), m.Config.Image, batch, 1, true)
}
