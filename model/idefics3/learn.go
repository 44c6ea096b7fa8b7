package idefics3

import (
	"fmt"
	"slices"

	"fovea/autograd"
	"fovea/chat"
	"fovea/model"
	"fovea/task"
)

// Teaches implements model.Learner.
func (m *Model) Teaches() task.Set { return task.SetOf(task.Ask, task.Caption) }

// Prepare implements model.Learner. The answer is written as the chat template writes it.
func (m *Model) Prepare(l model.Lesson) (*model.Prepared, error) {
	question := m.voice.Describe
	if l.Task == task.Ask {
		question = l.Question
	}
	for _, text := range []string{question, l.Answer} {
		if err := m.voice.Question(text); err != nil {
			return nil, fmt.Errorf("idefics3: %w", err)
		}
	}
	p, err := model.Prepare(m, l, question, nil)
	if err != nil {
		return nil, err
	}
	said, err := m.template.Answer(chat.Ask(1, question), l.Answer)
	if err != nil {
		return nil, err
	}
	ids := m.voice.Words.Encode(said)
	if end := slices.IndexFunc(ids, func(id int32) bool { return slices.Contains(m.voice.How.EOS, id) }); end >= 0 {
		ids = ids[:end+1]
	} else if len(m.voice.How.EOS) > 0 {
		ids = append(ids, m.voice.How.EOS[0])
	}
	p.Answer, err = m.voice.Room(len(p.Prompt), ids)
	return p, err
}

// Loss implements model.Learner.
func (m *Model) Loss(t *autograd.Tape, batch []*model.Prepared) *autograd.Value {
	var tiles []float32
	for _, p := range batch {
		tiles = append(tiles, p.Inputs["pixel_values"].Data...)
	}
	return m.voice.Loss(m.see(t, nil, tiles, nil), m.Config.Image, batch, 0, false)
}
