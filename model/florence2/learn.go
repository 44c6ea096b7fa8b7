package florence2

import (
	"encoding/json"
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
	prompt := "<CAPTION>"
	if l.Task == task.Ask {
		prompt = l.Question
	}
	p, err := model.Prepare(m, l, prompt, m.read(l.Answer, 0))
	if err != nil {
		return nil, fmt.Errorf("florence2: %w", err)
	}
	return p, nil
}

// Loss implements model.Learner.
func (m *Model) Loss(t *autograd.Tape, batch []*model.Prepared) *autograd.Value {
	var ids, known [][]int32
	var targets []int32
	for _, p := range batch {
		ids, targets = append(ids, p.Prompt), append(targets, p.Answer...)
		known = append(known, append([]int32{m.Config.Text.Start}, p.Answer[:len(p.Answer)-1]...))
	}
	rows := m.Project.Forward(m.Vision.Forward(model.Batched(t, "pixel_values", batch), nil))
	seen, lens := m.encode(t, &nn.Pass{}, ids, rows)
	return model.MeanLoss(m.Text.Logits(m.Text.Decode(t, &nn.Pass{}, known, seen, lens)), targets)
}

// Amend implements model.Amender: a model that was trained on may be asked anything.
func (m *Model) Amend(config []byte) ([]byte, error) {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(config, &all); err != nil {
		return nil, err
	}
	all["free_questions"] = json.RawMessage("true")
	return json.MarshalIndent(all, "", "  ")
}
